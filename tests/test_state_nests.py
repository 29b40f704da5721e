"""State dicts among other things, and one of several."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.core.errors import InputError, UsageError
from mitool.storage.state_nests import found_in


def state(value: float) -> dict[str, Tensor]:
    return {"a.weight": torch.full((2,), value), "a.bias": torch.zeros(1)}


OPTIMIZER = {
    "state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}},
    "param_groups": [],
}
LIGHTNING = {
    "epoch": 1,
    "global_step": 10,
    "pytorch-lightning_version": "2.2.0",
    "state_dict": state(7),
    "loops": {"fit_loop": {"state_dict": {}, "total": {"ready": 1}}},
    "callbacks": {"ModelCheckpoint{}": {"best_model_score": torch.tensor(0.1), "dirpath": "/x"}},
    "optimizer_states": [OPTIMIZER],
    "lr_schedulers": [],
    "hparams_name": "kwargs",
    "hyper_parameters": {"lr": 1e-3},
}
FOUND: dict[str, tuple[Any, int | None]] = {
    "alone": (state(7), None),
    "beside an optimiser": ({"optimizer": OPTIMIZER, "model": state(7), "epoch": 3}, None),
    "lightning": (LIGHTNING, None),
    "beside a tensor": ({"model_state_dict": state(7), "best_loss": torch.tensor(0.5)}, None),
    "under another key": ({"transformer": state(7), "optimizer": OPTIMIZER}, None),
    "nested twice": ({"checkpoint": {"model": {"state_dict": state(7)}}}, None),
    "the last of a list": ([state(1), state(2), state(7)], -1),
    "the first of a list": ([state(7), state(2)], 0),
    "the only one of a list": ([state(7)], None),
    "of a list of nests": ([{"model": state(1)}, {"model": state(7), "epoch": 2}], 1),
    "of the notebook's run": (
        {"epochs": [0, 1], "train_losses": [2.0], "state_dicts": [state(7), state(1)]},
        0,
    ),
    "of a run beside its last": ({"model": state(1), "state_dicts": [state(7), state(1)]}, -2),
    "the last beside its run": ({"model": state(7), "state_dicts": [state(1), state(1)]}, None),
    "by its step": ({0: state(1), 500: state(7)}, 1),
    "deep in a list": ({"run": {"checkpoints": [state(1), {"net": state(7)}]}}, 1),
    "beside losses that are tensors": (
        {"model": state(7), "train_losses": [torch.tensor(1.0), torch.tensor(0.5)]},
        None,
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_state_dict_is_found(name: str) -> None:
    held, index = FOUND[name]
    found = found_in(held, index)
    assert found.weights["a.weight"].tolist() == [7, 7]
    assert (
        found.is_of_series == ("list" in name or "run" in name or "step" in name) or index is None
    )


REFUSED: dict[str, tuple[Any, int | None, type[Exception], str]] = {
    "several": (
        [state(1)] * 3,
        None,
        InputError,
        "found a list of 3; say which with --index, from 0 to 2",
    ),
    "beyond": (
        [state(1)] * 3,
        3,
        UsageError,
        "expected -3 <= index < 3, .* 3 state dicts; found 3",
    ),
    "before": ([state(1)] * 3, -4, UsageError, "found -4"),
    "an index of one": (state(1), 0, UsageError, "holds one state dict and no list of them"),
    "an empty list": ([], None, InputError, "found an empty list"),
    "an empty list, index": ({"state_dicts": []}, -1, InputError, "found a list|under one of"),
    "lists": ([[state(1)], [state(2)]], 0, InputError, "found a list with list in it"),
    "tensors": ([torch.ones(1)], 0, InputError, "found a list with Tensor in it"),
    "one that is none": ([state(1), {"epoch": 1}], 0, InputError, "found a list with dict in it"),
    "two models": (
        {"encoder": state(1), "decoder": state(2)},
        None,
        InputError,
        "found several, under 'encoder', 'decoder'",
    ),
    "a key that is no name": (
        {**state(1), 3: torch.ones(1)},
        None,
        InputError,
        "found '3' of type Tensor",
    ),
    "a list inside": ({**state(1), "x": [1]}, None, InputError, "found 'x' of type list"),
    "an optimiser alone": (
        {"optimizer": OPTIMIZER},
        None,
        InputError,
        "found 'optimizer' of type dict",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_state_dict_is_refused(name: str) -> None:
    held, index, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        found_in(held, index)


def test_plain_values_are_left_out_with_a_note() -> None:
    found = found_in({**state(7), "epoch": 3, "_extra_state": None})
    assert list(found.weights) == ["a.weight", "a.bias"]
    assert found.notes == ("left out of the state dict, as no tensors: 'epoch', '_extra_state'",)


def test_parts_that_repeat_without_bounds_are_looked_at_once() -> None:
    held: Any = {"epoch": 1}
    for _ in range(60):
        held = [held, held, held]
    with pytest.raises(InputError, match="found a list with list in it"):
        found_in(held)


def test_of_two_state_dicts_the_one_that_is_not_read_is_named() -> None:
    weights, others = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    found = found_in({"model": weights, "ema": others, "optimizer_state": {"exp_avg": others}})
    assert torch.equal(found.weights["w"], torch.ones(2))
    assert found.notes == ("of several state dicts 'model' is read, and not 'ema'",)
