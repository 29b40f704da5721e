"""The model that a decoder was taken from: what its parts are held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Tables:
    """What positions do in each layer, of texts of one length.

    Attributes:
        rotations: cosines and sines that turn queries and keys [pos, rotary]; None where they are
            not turned.
        visible: which keys a query sees [query, key]; None where those are all up to itself, or,
            in a bidirectional model, all.
        biases: what is added to scaled scores [head, 1 or query, key]; None: nothing.
    """

    rotations: tuple[tuple[Tensor, Tensor] | None, ...]
    visible: tuple[Bool[Tensor, "query key"] | None, ...]
    biases: tuple[Float[Tensor, "head one_or_query key"] | None, ...]

    @classmethod
    def empty(cls, n_layers: int) -> "Tables":
        """Those of a model whose positions are embedded."""
        nothing = (None,) * n_layers
        return cls(nothing, nothing, nothing)


@dataclass(frozen=True)
class Observed:
    """What the model itself computes, in its own way.

    Attributes:
        logits: at the positions that were asked for.
        tables: what positions do.
        streams: the residual stream after each block, where it was looked at.
        attn_out: what each attention module returns, before any norm after it, likewise.
    """

    logits: Float[Tensor, "example answer d_vocab_out"]
    tables: Tables
    streams: Mapping[int, Float[Tensor, "example pos d_model"]] = field(default_factory=dict)
    attn_out: Mapping[int, Float[Tensor, "example pos d_model"]] = field(default_factory=dict)


@dataclass(frozen=True)
class HeadPatch:
    """``z`` of one head that is put in the place of the model's own.

    Attributes:
        z: at every position of every example.
    """

    layer: int
    head: int
    z: Float[Tensor, "example pos d_head"]


@runtime_checkable
class Original(Protocol):
    """A model that runs by itself, whole."""

    @property
    def name(self) -> str:
        """Its architecture, for messages."""

    @property
    def device(self) -> torch.device: ...

    def embed(self, tokens: Int[Tensor, "example pos"]) -> Float[Tensor, "example pos d_model"]:
        """The residual stream before the first block."""

    def embeddings(
        self,
    ) -> tuple[Float[Tensor, "d_vocab d_model"], Float[Tensor, "n_ctx d_model"] | None]:
        """What each token is embedded as, and what each position adds to that; None: nothing."""

    def observe(self, tokens: Int[Tensor, "example pos"], positions: tuple[int, ...]) -> Observed:
        """A run of the whole model.

        Args:
            positions: where logits are kept.
        """

    def patched(
        self,
        tokens: Int[Tensor, "example pos"],
        positions: tuple[int, ...],
        patches: list[HeadPatch],
    ) -> Float[Tensor, "patch example answer d_vocab_out"] | None:
        """The logits of a run for each patch; None where nothing can be put into the model."""
