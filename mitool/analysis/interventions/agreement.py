"""What is put together from a model's parts, held against the model's own run."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from mitool.core.errors import InputError, said
from mitool.core.memory import is_out_of_memory
from mitool.models.decoder import Decoder
from mitool.models.decoder.decoder import TOLERANCE
from mitool.models.decoder.original import Observed

if TYPE_CHECKING:
    from mitool.analysis.interventions.run import Run


def require_same(decoder: Decoder, found: "Run") -> None:
    """Check that a run's streams and logits are those of the model itself, on the first examples.

    Raises:
        InputError: they are not; the message says what differs first.
    """
    if not found.logits.isfinite().all():
        raise InputError(
            "the model's outputs are expected to be finite, found NaN or infinite ones"
        )
    observed = found.read.observed
    if observed is None:
        return
    for layer, stream in sorted(observed.streams.items()):
        error = _difference(found.layers[layer].resid_post, stream)
        if error is not None:
            raise _refusal(
                decoder, f"layer {layer}, {_part(decoder, found, observed, layer)}", error
            )
    error = _difference(found.logits, observed.logits)
    if error is not None:
        raise _refusal(decoder, "the unembedding", error)


@contextlib.contextmanager
def parts_that_fit(decoder: Decoder, *, is_first: bool) -> Iterator[None]:
    """Refuse a model whose parts do not even fit together, in the first run of a kind.

    Raises:
        InputError: torch says that they do not.
    """
    try:
        yield
    except (RuntimeError, TypeError, ValueError, IndexError) as failure:
        if not is_first or is_out_of_memory(failure):
            raise
        raise InputError(
            f"architecture {decoder.original.name}: expected a decoder that is put together from "
            f"norms, attention, MLPs and the unembedding, found one whose parts do not fit "
            f"({said(failure)})"
        ) from failure


def require_same_logits(
    decoder: Decoder, what: str, found: Float[Tensor, "*batch"], own: Float[Tensor, "*batch"]
) -> None:
    """Check that the logits of variants of a run are those of the model itself, changed alike.

    Args:
        what: how the variants were made, for the message.

    Raises:
        InputError: they are not.
    """
    error = _difference(found, own)
    if error is not None:
        raise _refusal(decoder, what, error)


def _part(decoder: Decoder, found: "Run", observed: Observed, layer: int) -> str:
    """The first part of a layer that differs."""
    attn_out = observed.attn_out.get(layer)
    if attn_out is None:
        return "attention or the MLP"
    summed = decoder.layers[layer].summed(found.layers[layer].z)
    return "the MLP" if _difference(summed, attn_out) is None else "attention"


def _difference(found: Tensor, own: Tensor) -> float | None:
    """The largest difference of the first examples, where it is more than rounding."""
    first = found[: len(own)].to(own)
    largest = own.abs().max().item()
    error = (first - own).abs().max().item()
    return None if error <= TOLERANCE * max(largest, 1.0) else error


def _refusal(decoder: Decoder, what: str, error: float) -> InputError:
    return InputError(
        f"architecture {decoder.original.name}: expected a decoder that is reproduced by its parts "
        f"(norms, attention, MLPs, unembedding), found that {what} computes something else, with "
        f"a largest difference of {error:z.2g}: numbers on it would be of another model, and none "
        "is given"
    )
