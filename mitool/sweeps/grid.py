"""Grids: which values the options of a command take, from text or from a file."""

import itertools
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mitool.core import strict_json
from mitool.core.errors import InputError, MitoolError, UsageError, quoted, said

MOST_POINTS = 10_000
DIGITS = 4
"""Significant digits of values in equal ratios."""

AXIS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?")
RATIOS = re.compile(rf"({_NUMBER})\.\.({_NUMBER}):(\d+)")

Assignment = Mapping[str, str]
"""The value of each axis, as it is typed, by the axis's name (an option's, with ``_``)."""


def parse_grid(texts: Sequence[str]) -> list[Assignment]:
    """The product of axes such as ``p=53,97``, ``seed=0:10`` and ``lr=0.001..0.03:6``.

    ``0:10`` and ``0:10:2`` are half-open ranges; ``0.001..0.03:6`` are six values in equal ratios,
    both ends included. The last axis runs fastest.

    Raises:
        UsageError: a text is no axis, an axis or a value comes twice, or there are too many points.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not AXIS.fullmatch(name.strip()):
            raise UsageError(
                "--grid: expected OPTION=VALUES such as p=53,97,113 or seed=0:10, found "
                f"{quoted(text)}"
            )
        _add(axes, name.strip(), parse_values(values, name.strip()), "--grid")
    return _product(axes, "--grid")


def parse_values(text: str, axis: str) -> list[str]:
    """The values of an axis, each as typed or written out of a range.

    Raises:
        UsageError: there are none, too many, or a range of no values.
    """
    values: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            raise UsageError(f"{axis}: expected values with commas between, found {quoted(text)}")
        if found := RANGE.fullmatch(part):
            values += _range(axis, part, *found.groups())
        elif found := RATIOS.fullmatch(part):
            values += _ratios(axis, part, *found.groups())
        else:
            values.append(part)
        _require_few(len(values), axis)
    return values


def read_grid(path: Path) -> list[Assignment]:
    """The points of a file: JSON or TOML with the values of each axis, or JSON with a list of
    points, each an object.

    Values are numbers, texts, true and false, or for an option of several values a list; the
    values of an axis are a list of these, or a text as ``--grid`` takes it.

    Raises:
        InputError: the file is missing, of another kind, or holds something else.
        UsageError: what it holds is no grid, as of ``parse_grid``.
    """
    content = _content(path)
    if isinstance(content, list):
        points = [_point(path, index, point) for index, point in enumerate(content)]
        _require_few(len(points), str(path))
        if not points:
            raise InputError(f"{path}: expected at least one point, found none")
        return points
    if not isinstance(content, dict):
        kind = strict_json.kind(content)
        raise InputError(f"{path}: expected an object of axes or a list of points, found {kind}")
    return _of_axes(content, str(path), InputError)


def grid_of(axes: Mapping[str, object]) -> list[Assignment]:
    """The product of axes, each with one value or several; a text is read as ``--grid`` reads it.

    Raises:
        UsageError: what is given is no grid, as of ``parse_grid``.
    """
    plain = {name: _plain(values) for name, values in axes.items()}
    return _of_axes(plain, "grid", UsageError)


def _of_axes(content: Mapping[str, Any], source: str, error: type[MitoolError]) -> list[Assignment]:
    axes: dict[str, list[str]] = {}
    for name, values in content.items():
        _require_name(source, name, error)
        where = f"{source}: {name}"
        if isinstance(values, str):
            texts = parse_values(values, where)
        else:
            each = values if isinstance(values, list) else [values]
            texts = [_text(where, value, error) for value in each]
        _add(axes, name, texts, source)
    return _product(axes, source)


def _plain(value: object) -> object:
    """A value as JSON would have it: lists in the place of ranges, arrays and their like."""
    if hasattr(value, "tolist"):  # of numpy and torch: a list, or a plain number
        return value.tolist()
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return value
    return list(map(_plain, value))


def _content(path: Path) -> Any:
    kinds: dict[str, Callable[[str], Any]] = {".json": strict_json.parsed, ".toml": tomllib.loads}
    if path.suffix not in kinds:
        raise InputError(f"{path}: expected a grid in a .json or .toml file")
    try:
        return kinds[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    except (ValueError, RecursionError) as failure:
        kind = path.suffix[1:].upper()
        raise InputError(f"{path}: expected {kind}: {said(failure)}") from failure


def _point(path: Path, index: int, point: Any) -> Assignment:
    if not isinstance(point, dict) or not point:
        raise InputError(f"{path}: point {index + 1}: expected an object of options and values")
    values: dict[str, list[str]] = {}
    for name, value in point.items():
        _require_name(str(path), name, InputError)
        text = _text(f"{path}: point {index + 1}: {name}", value, InputError)
        _add(values, name, [text], str(path))
    return {name: value for name, (value,) in values.items()}


def _require_name(source: str, name: object, error: type[MitoolError]) -> None:
    if not (isinstance(name, str) and AXIS.fullmatch(name)):
        raise error(f"{source}: expected an option's name, found {quoted(str(name))}")


def _text(where: str, value: Any, error: type[MitoolError]) -> str:
    """A value as it would be typed; several with spaces between."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() if value.strip():
            return value.strip()
        case list() if value and not any(isinstance(item, list) for item in value):
            return " ".join(_text(where, item, error) for item in value)
    found = strict_json.KINDS.get(type(value), f"a {type(value).__name__}")
    raise error(f"{where}: expected a number, a text, true or false, found {found}")


def _add(axes: dict[str, list[str]], typed: str, values: list[str], source: str) -> None:
    name = typed.replace("-", "_")
    if name in axes:
        raise UsageError(f"{source}: the axis {typed} is given twice: give all its values at once")
    if not values:
        raise UsageError(f"{source}: the axis {typed} has no values")
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise UsageError(f"{source}: the axis {typed} has the value {quoted(twice)} twice")
    axes[name] = values


def _product(axes: Mapping[str, Sequence[str]], source: str) -> list[Assignment]:
    if not axes:
        raise UsageError(f"{source}: expected at least one axis, found none")
    _require_few(math.prod(map(len, axes.values())), source)
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _range(axis: str, text: str, first: str, last: str, step: str | None = None) -> Iterable[str]:
    start, stop, by = Decimal(first), Decimal(last), Decimal(step or 1)
    count = (stop - start) / by if by else Decimal(0)
    if count <= 0:
        raise UsageError(
            f"{axis}: expected FIRST:END or FIRST:END:STEP with values before END, found "
            f"{quoted(text)}"
        )
    _require_few(count, axis)
    return [_written(str(start + index * by)) for index in range(math.ceil(count))]


def _ratios(axis: str, text: str, first: str, last: str, number: str) -> Iterable[str]:
    low, high, count = float(first), float(last), Decimal(number)
    _require_few(count, axis)
    if not (0 < low < math.inf and 0 < high < math.inf) or count < 2:
        raise UsageError(
            f"{axis}: expected FIRST..LAST:NUMBER with ends above 0 and 2 or more values, "
            f"found {quoted(text)}"
        )
    shares = (index / (int(count) - 1) for index in range(int(count)))
    # not low * (high / low)**share: the ratio of two numbers may be beyond the largest
    values = (low ** (1 - share) * high**share for share in shares)
    return [_written(f"{value:z.{DIGITS}g}") for value in values]


def _written(number: str) -> str:
    """A number in full where it has an exponent above 0, which no whole number may have."""
    return f"{Decimal(number):zf}" if "e+" in number.lower() else number


def _require_few(count: int | Decimal, source: str) -> None:
    if count > MOST_POINTS:
        found = f"{count:,}" if count < 10**12 else f"{count:z.2e}"
        raise UsageError(f"{source}: expected at most {MOST_POINTS:,} points, found {found}")
