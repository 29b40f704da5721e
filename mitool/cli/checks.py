"""``--check 'NAME OP VALUE'``: claims as gates of a CI job."""

import json
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitool.core.config import nearest
from mitool.core.errors import MOST_SHOWN, CheckFailed, UsageError, quoted
from mitool.core.node_names import spelled
from mitool.core.result import Claim
from mitool.core.strict_json import parsed
from mitool.core.wildcards import fitting

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
SYNTAX = re.compile(r"((?:->|<[qkv]+>|[^\s<>=!])+)\s*(>=|<=|==|!=|>|<)\s*(\S.*)")
"""A name may be an edge's, with its arrow and letters: ``scores.MLP1->L2H0<k> > 0``."""


@dataclass(frozen=True)
class Check:
    """A condition on claims: on one, or on all that a wildcard name matches.

    Attributes:
        name: heads and MLPs in it are spelled as in claims, ``L0H1``, or as in files, ``a0.h1``.
    """

    name: str
    operator: str
    value: Any

    def __str__(self) -> str:
        value = json.dumps(self.value)
        return f"{self.name} {self.operator} {value[:MOST_SHOWN]}"


FEW_VALUES = 8
"""Of a list of more values a message says only those that do not meet a check."""

MOST_NAMED = 24
"""Claims that a message names one by one."""


def parse_check(text: str) -> Check:
    """Read ``NAME OP VALUE``; the value is JSON, or else a plain word.

    Raises:
        UsageError: the text is no such condition.
    """
    match = SYNTAX.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--check: expected 'NAME OP VALUE' with OP one of {' '.join(OPERATORS)}, "
            f"such as 'test_accuracy >= 0.99', found {quoted(text)}"
        )
    name, symbol, word = match.groups()
    try:
        value = parsed(word)
    except (ValueError, RecursionError):
        value = word
    if symbol not in ("==", "!=") and not _is_number(value):
        raise UsageError(
            f"--check: {symbol} expects a number, found {quoted(word)} in {quoted(text)}"
        )
    return Check(name, symbol, value)


def require_known(checks: Sequence[Check], names: Collection[str]) -> None:
    """Check that every check names a claim, before there is work done for it.

    Raises:
        UsageError: one does not.
    """
    for check in checks:
        _names(check, names)


def outcomes(checks: Sequence[Check], claims: Mapping[str, Claim]) -> list[dict[str, Any]]:
    """What comes of every check, as JSON values: whether it is met, and the claims that it is
    about, each with its value.
    """
    return [
        {
            "check": str(check),
            "met": not _failures(check, claims),
            "claims": {name: claims[name] for name in _names(check, claims)},
        }
        for check in checks
    ]


def require(checks: Sequence[Check], claims: Mapping[str, Claim]) -> None:
    """Hold every check against the claims.

    Raises:
        CheckFailed: at least one is not met; all that are not are named.
        UsageError: a check names no claim.
    """
    failures = [failure for check in checks for failure in _failures(check, claims)]
    if failures:
        raise CheckFailed("; ".join(failures))


def _failures(check: Check, claims: Mapping[str, Claim]) -> list[str]:
    return [
        f"check not met: {check} (it is {_shown(check, claims[name])}"
        + (")" if name == check.name else f", {name})")
        for name in _names(check, claims)
        if not _holds(check, claims[name])
    ]


def _shown(check: Check, found: Claim) -> str:
    """The claim; of a long list whose values are held against the check, those that fail it."""
    is_whole = check.operator in ("==", "!=")
    if is_whole or not isinstance(found, Sequence) or isinstance(found, str):
        return json.dumps(found)
    if len(found) <= FEW_VALUES:
        return json.dumps(found)
    wrong = [(index, value) for index, value in enumerate(found) if not _holds(check, value)]
    shown = ", ".join(f"{json.dumps(value)} at {index}" for index, value in wrong[:FEW_VALUES])
    more = f" and {len(wrong) - FEW_VALUES} more" if len(wrong) > FEW_VALUES else ""
    return f"{shown}{more}, of {len(found)} values"


def _names(check: Check, claims: Collection[str]) -> list[str]:
    """The claims that a check is about."""
    ours = spelled(check.name)
    for name in (check.name, ours):
        # a neuron's name, such as MLP1[3], is not to be taken for a pattern
        if names := [name] if name in claims else fitting(name, claims):
            return names
    hint = nearest(ours, claims, _shortened(claims))
    raise UsageError(f"--check: no claim is named {quoted(check.name)}: {hint}")


def _shortened(claims: Collection[str]) -> list[str]:
    """The claims of many like things by one name, with wildcards: ``L*H*.entropy``."""
    if len(claims) <= MOST_NAMED:
        return list(claims)
    return list(dict.fromkeys(re.sub(r"\d+", "*", name) for name in claims))


def _holds(check: Check, found: Claim) -> bool:
    compare = OPERATORS[check.operator]
    if check.operator in ("==", "!="):
        return compare(found, check.value)
    values = found if isinstance(found, Sequence) and not isinstance(found, str) else [found]
    return all(_is_number(value) and compare(value, check.value) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
