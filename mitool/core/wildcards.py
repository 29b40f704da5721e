"""Names that a pattern of ``*``, ``?`` and ``[..]`` fits, in bounded time whatever the pattern."""

import fnmatch
import re
from collections.abc import Iterable

LONGEST = 200
"""Letters of a pattern, of which any of mitool's names has fewer: the time that some patterns take
to be read grows with the square of their length.
"""


def fitting(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern fits, in their order; of a longer pattern than any name, none."""
    if len(pattern) > LONGEST:
        return []
    fits = re.compile(fnmatch.translate(pattern)).match
    return [name for name in names if fits(name)]
