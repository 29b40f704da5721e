"""What an analysis or a training run returns: claims, and nothing about their display."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, SupportsFloat

from mitool.core.errors import first_few

if TYPE_CHECKING:
    from torch import Tensor

Claim = float | int | str | bool | None | Sequence[float | None] | Sequence[int] | Sequence[str]


MOST_LABELS = 12
"""Tokens of a text that are shown at its start and at its end."""


def number(value: SupportsFloat) -> float | None:
    """A value as a claim: a plain number; None where it is not finite, and so undefined."""
    found = float(value) + 0.0  # which is no -0
    return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Result:
    """A frozen result; what a subject has beyond claims, a subclass adds.

    Attributes:
        subject: what was studied or made, as JSON values.
        config: the settings it was done with, as JSON values.
        claims: named findings; one that is undefined is None and has a warning that says why.
        warnings: what the reader must know before using the claims.
    """

    arrays_name: ClassVar[str] = "arrays.safetensors"
    """The file that its arrays go into."""

    subject: Mapping[str, Any]
    config: Mapping[str, Any]
    claims: Mapping[str, Claim]
    warnings: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        lost = [name for name, claim in self.claims.items() if not is_finite(claim)]
        object.__setattr__(self, "claims", json_value(self.claims))
        if lost:
            told = f"undefined, because not finite numbers: {first_few(lost)}"
            object.__setattr__(self, "warnings", (*self.warnings, told))

    def arrays(self) -> Mapping[str, "Tensor"]:
        """The arrays behind the findings, by name."""
        return {}

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """Findings of another shape, as JSON documents by file name."""
        return {}

    @property
    def checkable(self) -> Mapping[str, Claim]:
        """What a check can be about: claims, and findings like them that are too many to list."""
        return self.claims

    @property
    def conclusion(self) -> str | None:
        """The finding on one line, where it can be said on one."""
        return None


def json_value(value: Any) -> Any:
    """Claims, or JSON values, as they are written: zeros have no sign, so that nothing is shown as
    -0, and numbers that are not finite, for which JSON has no word, are None.
    """
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return type(value)(json_value(element) for element in value)
    if isinstance(value, Mapping):
        return {name: json_value(element) for name, element in value.items()}
    return value


def is_finite(claim: Claim) -> bool:
    """Whether all numbers of a claim are finite."""
    elements = claim if isinstance(claim, list | tuple) else [claim]
    return all(math.isfinite(one) for one in elements if isinstance(one, float))


def read_as(config: Mapping[str, Any]) -> str | None:
    """How a pretrained model reads the first of its texts, on one line, by a result's ``config``;
    None where there is no such text.
    """
    labels = config.get("first_prompt")
    if not labels:
        return None
    if len(labels) > 2 * MOST_LABELS + 1:
        labels = [*labels[:MOST_LABELS], "…", *labels[-MOST_LABELS:]]
    before = " ".join(config["special_tokens"]["before"])
    put = f"{before} is put before each text" if before else "nothing is put before a text"
    return f"The first text is read as {'|'.join(labels)} ({put})."
