"""Models of superposition, as a checkpoint holds them."""

import math

import pytest
import torch
from torch import Tensor

from mitool.core.device import HOST
from mitool.core.errors import InputError
from mitool.models.superposition import AutoencoderConfig, Autoencoders

CFG = AutoencoderConfig(n_features=3, n_hidden=2)


def tensors(cfg: AutoencoderConfig = CFG) -> dict[str, Tensor]:
    """Two models with random weights."""
    density, importance = torch.tensor([1.0, 0.5]), torch.ones(2, 3)
    generators = (torch.Generator().manual_seed(seed) for seed in range(2))
    return Autoencoders.initialised(cfg, density, importance, generators).tensors()


@pytest.mark.parametrize("cfg", [CFG, AutoencoderConfig(n_features=3, n_hidden=2, target="abs")])
def test_what_a_checkpoint_holds_comes_back(cfg: AutoencoderConfig) -> None:
    held = tensors(cfg)
    assert ("W_out" in held) != cfg.is_tied
    for models in (
        Autoencoders.from_tensors(cfg, held),
        Autoencoders.from_tensors(cfg, held).to(HOST),
    ):
        assert models.tensors().keys() == held.keys()
        assert all(torch.equal(models.tensors()[name], value) for name, value in held.items())
        assert models.sparsity == [0.0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"density": torch.tensor(1.0)}, "expected weights of shapes"),
        ({"density": torch.ones(0)}, "expected weights of shapes"),
        ({"density": torch.ones(2, 1)}, "expected weights of shapes"),
        ({"W_out": torch.ones(2, 3, 2)}, "expected weights of shapes"),
        ({"b": torch.ones(2, 4)}, r"'b': \(2, 3\).*found .*'b': \(2, 4\)"),
        ({"W": torch.ones(2, 2, 3).double()}, "W: expected finite numbers in float32"),
        ({"W": torch.ones(2, 2, 3).long()}, "W: expected finite numbers in float32"),
        ({"importance": torch.full((2, 3), math.nan)}, "importance: expected finite numbers"),
        ({"density": torch.tensor([0.5, 0.0])}, "density: expected 0 < density <= 1"),
        ({"density": torch.tensor([0.5, 1.5])}, "density: expected 0 < density <= 1"),
    ],
)
def test_what_is_no_such_model_is_refused(change: dict[str, Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Autoencoders.from_tensors(CFG, tensors() | change)
