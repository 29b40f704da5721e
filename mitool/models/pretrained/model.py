"""A pretrained language model with its tokenizer."""

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mitool.core.device import HOST, Device, host
from mitool.core.errors import UsageError
from mitool.models.decoder import Decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.models.pretrained.shape import shape_of
from mitool.models.pretrained.tokens import TextTokens
from mitool.models.shape import ModelShape
from mitool.settings import Bos
from mitool.storage import layout

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
        bos: whether its texts start with the tokenizer's BOS.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    notes: tuple[str, ...] = ()
    bos: Bos = "auto"

    separator: ClassVar[str] = ""
    """What stands between the tokens of a text: a space belongs to one of them."""

    @cached_property
    def shape(self) -> ModelShape:
        return shape_of(self.model)

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """The model as TransformerLens sees it: of a copy, as a bridge changes its model.

        Raises:
            InputError: transformer-lens makes another model of it.
        """
        from transformer_lens.model_bridge import TransformerBridge

        from mitool.models.bridge import require_bridged, silenced

        with silenced():
            bridge = TransformerBridge.boot_transformers(
                self.name,
                device=HOST,
                hf_model=copy.deepcopy(self.model),
                tokenizer=copy.deepcopy(self.tokenizer),
            )
        bridge.eval().requires_grad_(False)
        require_bridged(bridge, self.model)
        return bridge

    def decoder(self, device: Device | None = None) -> Decoder:
        """The model taken apart, moved to a device and into its number format; left out, the CPU
        and float32.

        Raises:
            InputError: it is no decoder that can be taken apart.
        """
        device, model = device or host(), self.model
        nn.Module.to(model, device.torch_device, device.torch_dtype)
        return decoder_of(model)

    @cached_property
    def text_tokens(self) -> TextTokens:
        """What its tokenizer makes of texts."""
        return TextTokens(self.tokenizer, self.bos, self.shape.d_vocab)

    @property
    def start(self) -> list[int]:
        """The tokens that every text starts with, if there are some."""
        return list(self.text_tokens.around.before)

    @property
    def unk(self) -> int | None:
        """The token of all words that the tokenizer does not know, if it has one."""
        return self.text_tokens.unk

    def with_bos(self, bos: Bos) -> "Pretrained":
        """The same model, whose texts start with a BOS by its tokenizer's own rule, or do always,
        or never.

        Raises:
            UsageError: a BOS is asked for, and the tokenizer has none.
        """
        if bos == "yes" and self.text_tokens.bos_id is None:
            raise UsageError(
                "--bos yes: expected a tokenizer with a token that begins a text, found that of "
                f"{self.name}, which has none; leave the option out"
            )
        return self if bos == self.bos else replace(self, bos=bos)

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
        return layout.folder_of_pretrained(self.name, analysis)

    def encode(self, text: str) -> Int[Tensor, " pos"]:
        """The tokens of a text, after those that every text starts with; tokens that the tokenizer
        puts after a text are left off.

        Raises:
            InputError: the tokenizer cannot read it, or has tokens that the model has not.
        """
        return torch.tensor(self.text_tokens.encode(text), dtype=torch.int64)

    def label(self, token: int) -> str:
        """A token as a reader sees it: the text that it spells, a space of it as ``▁``."""
        return self.text_tokens.label(token)
