"""The steps that are written out by hand are autograd's and AdamW's."""

from typing import Any

import pytest
import torch

from mitool.models.superposition import Autoencoders
from mitool.training.superposition.block import Block
from tests.training.superposition.families import KINDS, config, models


def twin_of(given: Autoencoders) -> tuple[Autoencoders, dict[str, torch.Tensor]]:
    """The same models, whose weights autograd follows."""
    leaves = {name: w.double().clone().requires_grad_() for name, w in given.trained().items()}
    return Autoencoders(given.cfg, given.density, given.importance.double(), **leaves), leaves


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_steps_are_those_of_autograd_and_adamw(kind: dict[str, Any]) -> None:
    run = config(n_instances=3, lr=0.01, weight_decay=0.1)
    given = models(run, **kind)
    twin, leaves = twin_of(given)
    block = Block(given, 0, "", run)
    optimizer = torch.optim.AdamW(leaves.values(), lr=0.01, weight_decay=0.1)
    for step in range(5):
        x = block.examples()[step].double()
        optimizer.zero_grad()
        twin.losses(x).sum().backward()
        block.train(step, step + 1)
        for name, gradient in block.gradients.items():
            expected = leaves[name].grad
            assert expected is not None
            torch.testing.assert_close(gradient.double(), expected, rtol=1e-4, atol=1e-6)
        optimizer.step()
    for name, weight in given.trained().items():
        torch.testing.assert_close(weight.double(), leaves[name].detach(), rtol=1e-3, atol=1e-5)


def test_the_loss_is_worked_out_by_hand() -> None:
    """W = [[1, -1]], b = [0, 0.5], importance 1 and 0.5; x = (1, 0.5): h = 0.5, out = (0.5, 0)."""
    run = config(n_features=2, n_hidden=1, n_instances=1, importance="0.5^i", sparsity="0")
    given = models(run)
    given.W.copy_(torch.tensor([[[1.0, -1.0]]]))
    given.b.copy_(torch.tensor([[0.0, 0.5]]))
    x = torch.tensor([[[1.0], [0.5]]])
    assert given(x).flatten().tolist() == [0.5, 0.0]
    assert given.losses(x).tolist() == [0.5**2 + 0.5 * 0.5**2]


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_models_examples_do_not_depend_on_how_models_are_divided(restarts: int) -> None:
    run = config(n_instances=4)
    given = models(run, restarts=restarts)
    whole = Block(given, 0, "", run)
    half = Block(given[2 * restarts :], 2 * restarts, "", run)
    for step in (0, 1, 400):
        x = whole.examples()[step]
        assert torch.equal(x[2 * restarts :], half.examples()[step])
        assert not torch.equal(x[0], x[1])
