"""The tensors of several models in one checkpoint, by the names of their models."""

from collections.abc import Mapping, Sequence

from torch import Tensor


def joined(families: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of several models, by name of the model, as one checkpoint holds them."""
    return {
        full_name(family, name): tensor
        for family, tensors in families.items()
        for name, tensor in tensors.items()
    }


def families_of(
    tensors: Mapping[str, Tensor], names: Sequence[str]
) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint of several models, by those models and then by their names."""
    return {
        family: {
            full.rpartition(".")[2]: tensor
            for full, tensor in tensors.items()
            if full.rpartition(".")[0] == family
        }
        for family in names
    }


def full_name(family: str, name: str) -> str:
    """The name of a model's tensor in a checkpoint; a lone model may have no name."""
    return f"{family}.{name}" if family else name
