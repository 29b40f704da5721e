"""Random models, and their weights as other libraries name, shape and save them: by hand, with no
code of the package's readers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from mitool.models.bridge import to_bridge
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.tasks.modadd import ModAdd
from tests.models.toys import random_model

TASK = ModAdd(p=5)
OPTIONS = ("--task", "modadd", "--p", "5", "--threads", "1")
State = dict[str, Tensor]


def model_of(**settings: Any) -> ToyTransformer:
    """A random model for ``TASK``."""
    shape = {"n_layers": 1, "n_heads": 2, "d_model": 8, "d_head": 4, "d_mlp": 12} | settings
    if shape.get("attn_only"):
        shape["d_mlp"] = 4 * shape["d_model"]
    return random_model(
        TransformerConfig(d_vocab=6, d_vocab_out=5, n_ctx=3, **shape), torch.float32
    )


def hooked(model: ToyTransformer) -> State:
    """As versions of TransformerLens before 4 saved them, with their buffers."""
    state = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
    for layer in range(model.cfg.n_layers):
        state[f"blocks.{layer}.attn.mask"] = torch.ones(3, 3).tril().bool()
        state[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-torch.inf)
    return state


def bridge(model: ToyTransformer) -> State:
    """As TransformerLens 4 saves them."""
    return {name: weight.clone() for name, weight in to_bridge(model).state_dict().items()}


def notebook(model: ToyTransformer) -> State:
    """As the grokking notebook saved them."""
    own, state = dict(model.state_dict()), {}
    state["embed.W_E"] = torch.stack(list(own["embed.W_E"]), dim=1)
    state["pos_embed.W_pos"] = own["pos_embed.W_pos"].clone()
    for layer in range(model.cfg.n_layers):
        at = f"blocks.{layer}"
        for name in ("W_K", "W_Q", "W_V"):
            heads = own[f"{at}.attn.{name}"]
            state[f"{at}.attn.{name}"] = torch.stack([head.t().contiguous() for head in heads])
        columns = [row for head in own[f"{at}.attn.W_O"] for row in head]
        state[f"{at}.attn.W_O"] = torch.stack(columns, dim=1)
        state[f"{at}.attn.mask"] = torch.ones(3, 3).tril()
        for name in ("W_in", "W_out"):
            state[f"{at}.mlp.{name}"] = own[f"{at}.mlp.{name}"].t().contiguous()
        for name in ("b_in", "b_out"):
            state[f"{at}.mlp.{name}"] = own[f"{at}.mlp.{name}"].clone()
    state["unembed.W_U"] = own["unembed.W_U"].clone()
    return state


def _beside(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the notebook saved beside the weights."""
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([weight]).state_dict()
    return {"model": dict(state), "optimizer": optimizer, "train_losses": [2.0, 1.0], "epoch": 7}


SAVERS: dict[str, Callable[[State, Path], object]] = {
    "model.pt": torch.save,
    "nested.pth": lambda state, path: torch.save(_beside(state), path),
    "old.pt": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "model.safetensors": safetensors.torch.save_file,
}
"""By a file's name, what writes it."""
