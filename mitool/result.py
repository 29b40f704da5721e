"""What an analysis or a training run returns: claims, and nothing about their display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Claim = float | int | str | bool | None | Sequence[float] | Sequence[int] | Sequence[str]


@dataclass(frozen=True)
class Result:
    """A frozen result; what a subject has beyond claims, a subclass adds.

    Attributes:
        subject: what was studied or made, as JSON values.
        config: the settings it was done with, as JSON values.
        claims: named findings; one that is undefined is None and has a warning that says why.
        warnings: what the reader must know before using the claims.
    """

    subject: Mapping[str, Any]
    config: Mapping[str, Any]
    claims: Mapping[str, Claim]
    warnings: tuple[str, ...] = field(default=(), kw_only=True)
