"""Pretrained models: a Hugging Face folder, or a name on the Hub, as a ``TransformerBridge``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from mitool import rundir
from mitool.device import HOST
from mitool.errors import InputError
from mitool.models.bridge import silenced

CONFIG = "config.json"
"""The file of a model on the Hub that says what it is."""


@dataclass(frozen=True)
class Pretrained:
    """A pretrained language model.

    Attributes:
        name: the folder it was read from, or its name on the Hub.
        bridge: the model, in float32 on the CPU.
    """

    name: str
    bridge: TransformerBridge

    separator: ClassVar[str] = ""
    """What stands between the tokens of a text: a space belongs to one of them."""

    @property
    def start(self) -> list[int]:
        """The token that every text starts with, if the tokenizer sets one there."""
        return self.encode("").tolist()

    def describe(self) -> dict[str, Any]:
        """What is studied, for a result."""
        cfg = self.bridge.cfg
        sizes = ("n_layers", "n_heads", "n_key_value_heads", "d_model", "d_head", "d_vocab")
        return {
            "model": self.name,
            "architecture": str(cfg.architecture),
            **{name: getattr(cfg, name, None) for name in sizes},
        }

    def output_folder(self, analysis: str) -> Path:
        """Where an analysis of it goes, if nothing else is said."""
        return rundir.RUNS / f"{Path(self.name).resolve().name}-{analysis}"

    def encode(self, text: str) -> Int[Tensor, " pos"]:
        """The tokens of a text, as the model's own tokenizer makes them."""
        return torch.tensor(self.bridge.tokenizer(text)["input_ids"], dtype=torch.int64)

    def label(self, token: int) -> str:
        """A token as a reader sees it; a space that it starts with is shown."""
        shown = self.bridge.tokenizer.convert_ids_to_tokens(token)
        return str(shown).replace("\u0120", "\u2581").replace("\u010a", "\\n")


def load_pretrained(name: str | Path) -> Pretrained:
    """Read a Hugging Face model: a folder, which needs no network, or a name on the Hub.

    No code that comes with a model is run, and no pickle is read but its tensors.

    Raises:
        InputError: there is none, it cannot be downloaded, or transformer-lens reads none such.
    """
    is_folder = Path(name).is_dir()
    try:
        with silenced():
            if not is_folder:
                _require_on_hub(str(name))
            bridge = TransformerBridge.boot_transformers(str(name), device=HOST)
    except Exception as failure:  # whatever transformers and transformer-lens meet on the way
        raise InputError(_reason(str(name), failure, is_folder)) from failure
    if bridge.tokenizer is None:
        raise InputError(f"{name}: expected a model with its tokenizer, found none")
    bridge.eval().requires_grad_(False)
    return Pretrained(str(name), bridge)


def _require_on_hub(name: str) -> None:
    """Fail at once where the Hub cannot be reached, rather than after a minute of attempts."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if not isinstance(try_to_load_from_cache(name, CONFIG), str):
        HfApi().model_info(name, timeout=10)


def _reason(name: str, failure: Exception, is_folder: bool) -> str:
    found = str(failure).strip().splitlines()
    reason = found[0] if found else type(failure).__name__
    if is_folder:
        return f"{name}: expected a Hugging Face model that transformer-lens reads; found: {reason}"
    return (
        f"{name}: no such file or folder, and no model of that name could be had from the Hugging "
        f"Face Hub ({reason}); where there is a network, `hf download {name} --local-dir DIR`, and "
        "give DIR"
    )
