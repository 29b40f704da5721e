"""A pretrained language model with its tokenizer."""

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mitool import rundir
from mitool.device import HOST, Device, host
from mitool.models.decoder import Decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.models.pretrained.shape import shape_of
from mitool.models.shape import ModelShape

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class Pretrained:
    """A pretrained language model.

    Attributes:
        name: the folder it was read from, or its name on the Hub.
        model: the Hugging Face model, in float32 on the CPU, with eager attention.
        tokenizer: its own.
        notes: what a user is to know of how it was read, each a sentence.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    notes: tuple[str, ...] = ()

    separator: ClassVar[str] = ""
    """What stands between the tokens of a text: a space belongs to one of them."""

    @cached_property
    def shape(self) -> ModelShape:
        return shape_of(self.model)

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """The model as TransformerLens sees it: of a copy, as a bridge changes its model."""
        from transformer_lens.model_bridge import TransformerBridge

        from mitool.models.bridge import silenced

        with silenced():
            bridge = TransformerBridge.boot_transformers(
                self.name,
                device=HOST,
                hf_model=copy.deepcopy(self.model),
                tokenizer=copy.deepcopy(self.tokenizer),
            )
        bridge.eval().requires_grad_(False)
        return bridge

    def decoder(self, device: Device | None = None) -> Decoder:
        """The model taken apart, moved to a device and into its number format; left out, the CPU
        and float32.

        Raises:
            InputError: it is no decoder that can be taken apart.
        """
        device = device or host()
        return decoder_of(self.model.to(device.torch_device, device.torch_dtype))

    @property
    def start(self) -> list[int]:
        """The token that every text starts with, if the tokenizer sets one there."""
        return self.encode("").tolist()

    def describe(self) -> dict[str, Any]:
        """What is studied, for a result."""
        shape = self.shape
        sizes = ("n_layers", "n_heads", "n_key_value_heads", "d_model", "d_head", "d_vocab")
        return {
            "model": self.name,
            "architecture": shape.architecture,
            **{name: getattr(shape, name) for name in sizes},
        }

    def output_folder(self, analysis: str) -> Path:
        """Where an analysis of it goes, if nothing else is said."""
        return rundir.RUNS / f"{Path(self.name).resolve().name}-{analysis}"

    def encode(self, text: str) -> Int[Tensor, " pos"]:
        """The tokens of a text, as the model's own tokenizer makes them."""
        return torch.tensor(self.tokenizer(text)["input_ids"], dtype=torch.int64)

    def label(self, token: int) -> str:
        """A token as a reader sees it; a space that it starts with is shown."""
        shown = self.tokenizer.convert_ids_to_tokens(token)
        return str(shown).replace("\u0120", "\u2581").replace("\u010a", "\\n")
