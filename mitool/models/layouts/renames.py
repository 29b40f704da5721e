"""What a user says that a weight is called: ``FROM=TO``, where ``FROM`` may have wildcards."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mitool.core.config import did_you_mean
from mitool.core.errors import UsageError, first_few, quoted
from mitool.core.wildcards import LONGEST

WILDCARD = re.compile(r"[*?#]|\[!?\]?[^]]*\]")
"""``#`` is a number, as of a layer; the others are those of file names."""

KINDS = {"*": "(.*)", "?": "(.)", "#": "(0|[1-9][0-9]*)"}
MOST_STARS = 2
"""So that a long name is compared in bounded time."""

FORM = "--rename: expected FROM=TO"


@dataclass(frozen=True)
class Rename:
    """One ``FROM=TO``.

    Attributes:
        stated: as the user wrote it.
        fits: what names fit, each wildcard a group.
        kinds: of the wildcards of ``FROM``, in their order.
        target: the new name, empty for a weight that is left out; its wildcards stand for what
            those of their kind stood for, the first for the first.
    """

    stated: str
    fits: re.Pattern[str]
    kinds: tuple[str, ...]
    target: str

    def renamed(self, name: str) -> str | None:
        """The new name, or None where ``FROM`` does not fit."""
        found = self.fits.fullmatch(name) if len(name) <= LONGEST else None
        if found is None:
            return None
        of_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind, text in zip(self.kinds, found.groups(), strict=True):
            of_kind.get(kind, []).append(text)
        return re.sub(r"[*?#]", lambda sign: of_kind[sign[0]].pop(0), self.target)


def parsed(texts: Sequence[str]) -> list[Rename]:
    """Read each ``FROM=TO``.

    Raises:
        UsageError: one is none, or ``TO`` has a wildcard that ``FROM`` has not.
    """
    return [_parsed(text) for text in texts]


def _parsed(text: str) -> Rename:
    pattern, sign, target = (part.strip() for part in text.partition("="))
    if not sign or not pattern or len(text) > 2 * LONGEST:
        raise UsageError(f"{FORM}, found {quoted(text)}; an empty TO leaves the weight out")
    kinds, fits, start = [], "", 0
    for wildcard in WILDCARD.finditer(pattern):
        fits += re.escape(pattern[start : wildcard.start()])
        kinds.append(wildcard[0][0])
        fits += KINDS.get(wildcard[0]) or f"({_letters(wildcard[0])})"
        start = wildcard.end()
    fits += re.escape(pattern[start:])
    if kinds.count("*") > MOST_STARS:
        raise UsageError(f"{FORM} with at most {MOST_STARS} '*', found {quoted(text)}")
    for kind in KINDS:
        if target.count(kind) > kinds.count(kind):
            raise UsageError(
                f"{FORM}, where TO has no more {kind!r} than FROM, found {quoted(text)}; name "
                "what it is to stand for"
            )
    return Rename(text, re.compile(fits, re.ASCII | re.DOTALL), tuple(kinds), target)


def _letters(stated: str) -> str:
    """A set of letters such as ``[!ab]`` as a regular expression has it."""
    inner = stated[1:-1]
    negation = "^" if inner.startswith("!") else ""
    letters = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner.removeprefix("!"))
    try:
        re.compile(found := f"[{negation}{letters}]")
    except re.error:
        raise UsageError(f"{FORM}, where {quoted(stated)} is a set of letters") from None
    return found


def applied(renames: Sequence[Rename], names: Mapping[str, str]) -> dict[str, tuple[Rename, str]]:
    """By names of the file, the first rename that fits and the name that it gives.

    Args:
        names: by those of the file, what is renamed.
    """
    found = {}
    for name, present in names.items():
        for rename in renames:
            if (new := rename.renamed(present)) is not None:
                found[name] = rename, new
                break
    return found


def require_used(
    renames: Iterable[Rename], used: Collection[Rename], known: Collection[str]
) -> None:
    """Check that each rename took a name.

    Raises:
        UsageError: one did not; the message names the nearest of those ``known``.
    """
    for rename in renames:
        if rename not in used:
            pattern = rename.stated.partition("=")[0]
            raise UsageError(
                f"--rename: {quoted(pattern)} fits no name of the file, or another --rename took "
                f"all that it fits; {did_you_mean(pattern, known)}known: {first_few(list(known))}"
            )
