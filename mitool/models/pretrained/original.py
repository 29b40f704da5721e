"""A Hugging Face model run as it is, and watched from outside."""

import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import transformers
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from mitool.core.errors import InputError, said
from mitool.core.memory import is_out_of_memory
from mitool.models.decoder.decoder import TOLERANCE
from mitool.models.decoder.original import HeadPatch, Observed, Tables
from mitool.models.pretrained.rotary import as_turned
from mitool.models.pretrained.shape import shape_of
from mitool.models.pretrained.watching import called_with, inputs_kept, output_kept, z_replaced

MASKED = 0.25
"""What is added to a score that is hidden is below this share of the least number."""


EMBEDDED = 4096
"""Tokens that are embedded at a time."""

POSITIONS = ("transformer.wpe", "model.decoder.embed_positions")
"""Under which names positions are embedded, of those models that add this to the token's own."""


@dataclass(frozen=True)
class Modules:
    """The modules that are watched, layer by layer.

    Attributes:
        blocks: the blocks.
        attention: attention, whose first result is what it writes.
        writers: the maps from ``z`` of all heads to what attention writes.
    """

    blocks: tuple[nn.Module, ...]
    attention: tuple[nn.Module, ...]
    writers: tuple[nn.Module, ...]


class _Embedded(BaseException):
    """The stream before the first block is there, and no more is asked for."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__()
        self.given = given


@dataclass(frozen=True)
class HuggingFaceOriginal:
    """The model, and its modules by what they are."""

    model: PreTrainedModel
    modules: Modules

    @property
    def name(self) -> str:
        return type(self.model).__name__

    @property
    def device(self) -> torch.device:
        return self.model.device

    @torch.no_grad()
    def embed(self, tokens: Int[Tensor, "example pos"]) -> Float[Tensor, "example pos d_model"]:
        stream: Tensor = self._reaches_first_block(tokens)["hidden_states"]
        return stream

    def _reaches_first_block(self, tokens: Int[Tensor, "example pos"]) -> dict[str, Any]:
        """What the first block is called with; no block is run."""
        block = self.modules.blocks[0]

        def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            raise _Embedded(called_with(block, args, kwargs))

        handle = block.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self._run(tokens)
        except _Embedded as embedded:
            return embedded.given
        finally:
            handle.remove()
        raise AssertionError("a model runs its first block")

    @torch.no_grad()
    def embeddings(
        self,
    ) -> tuple[Float[Tensor, "d_vocab d_model"], Float[Tensor, "n_ctx d_model"] | None]:
        n_vocab = shape_of(self.model).d_vocab
        every = torch.arange(n_vocab, device=self.device)[:, None]
        W_E = torch.cat([self.embed(tokens)[:, 0] for tokens in every.split(EMBEDDED)])
        W_pos = self._positions()
        return (W_E, None) if W_pos is None else (W_E - W_pos[0], W_pos)

    def _positions(self) -> Float[Tensor, "n_ctx d_model"] | None:
        """The embedding of positions, where they are embedded."""
        for name in POSITIONS:
            try:
                module: Any = self.model.get_submodule(name)
            except AttributeError:
                continue
            return module.weight[getattr(module, "offset", 0) :]
        return None

    @torch.no_grad()
    def observe(self, tokens: Int[Tensor, "example pos"], positions: tuple[int, ...]) -> Observed:
        given: list[dict[str, Any]] = []
        streams: dict[int, Tensor] = {}
        attn_out: dict[int, Tensor] = {}
        with ExitStack() as hooks:
            for layer, block in enumerate(self.modules.blocks):
                hooks.enter_context(inputs_kept(block, given))
                hooks.enter_context(output_kept(block, streams, layer))
                hooks.enter_context(output_kept(self.modules.attention[layer], attn_out, layer))
            logits = self._run(tokens, positions)
        tables = self._tables(given, tokens.shape[1])
        adds_stream = "residual" in given[0] or self.name == "BloomForCausalLM"
        return Observed(logits, tables, streams, {} if adds_stream else attn_out)

    @torch.no_grad()
    def patched(
        self,
        tokens: Int[Tensor, "example pos"],
        positions: tuple[int, ...],
        patches: list[HeadPatch],
    ) -> Float[Tensor, "patch example answer d_vocab_out"]:
        n = len(tokens)
        with ExitStack() as hooks:
            for number, patch in enumerate(patches):
                writer = self.modules.writers[patch.layer]
                hooks.enter_context(z_replaced(writer, patch, slice(number * n, (number + 1) * n)))
            logits = self._run(tokens.repeat(len(patches), 1), positions)
        return logits.unflatten(0, (len(patches), n))

    @cached_property
    @torch.no_grad()
    def interleaves(self) -> bool:
        """Whether rotary positions turn neighbouring dimensions, by the cosines of the planes."""
        tokens = torch.zeros(1, 3, dtype=torch.int64, device=self.device)
        table = self._rotation(0, self._reaches_first_block(tokens), tokens.shape[1])
        if table is None:
            return False
        cos = table[0][-1]
        half = len(cos) // 2
        if half < 2 or torch.equal(cos[:half], cos[half:]):
            return False
        return torch.equal(cos[::2], cos[1::2])

    def _run(
        self, tokens: Int[Tensor, "example pos"], positions: tuple[int, ...] = ()
    ) -> Float[Tensor, "example answer d_vocab_out"]:
        """The logits at some positions; of all that come before them no more than is needed."""
        places = torch.tensor(positions, dtype=torch.int64, device=self.device)
        keeps = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        chosen = {"logits_to_keep": places} if keeps else {}
        try:
            found = self.model(input_ids=tokens, use_cache=False, return_dict=True, **chosen).logits
        except InputError:
            raise
        except Exception as failure:  # whatever a model's code meets in an odd configuration
            if is_out_of_memory(failure):
                raise
            raise InputError(
                f"architecture {self.name}: expected a model that runs, found one whose own code "
                f"fails on {tokens.shape[1]} tokens: {said(failure)}; restore its config.json"
            ) from failure
        return found if keeps else found[:, places]

    def _tables(self, given: Sequence[dict[str, Any]], n_positions: int) -> Tables:
        masks = [self._mask(layer, each, n_positions) for layer, each in enumerate(given)]
        visible, of_masks = zip(*masks, strict=True)
        biases = [self._bias(layer, each, n_positions) for layer, each in enumerate(given)]
        both = (
            own if extra is None else extra if own is None else own + extra
            for own, extra in zip(biases, of_masks, strict=True)
        )
        rotations = (self._rotation(*each, n_positions) for each in enumerate(given))
        return Tables(tuple(rotations), visible, tuple(both))

    def _mask(
        self, layer: int, given: dict[str, Any], n: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """Which keys a query sees, None where that is all up to itself; and what is added to the
        scores of those that it sees, None where that is nothing.
        """
        mask, bias = given.get("attention_mask"), None
        causal = torch.ones(n, n, dtype=torch.bool, device=self.device).tril()
        visible = causal
        if isinstance(mask, Tensor) and mask.ndim == 4:
            own = mask[0, :, :n, :n]
            if own.dtype == torch.bool:
                visible = own[0] if own[0, 0, 0] else ~own[0]
            else:
                seen = own > MASKED * torch.finfo(own.dtype).min
                visible, bias = seen[0], own.masked_fill(~seen, 0.0)
        local = getattr(self.modules.attention[layer], "bias", None)
        if isinstance(local, Tensor) and local.dtype == torch.bool:  # GPT-Neo's own windows
            visible = visible & local[0, 0, :n, :n]
        if (visible & ~causal).any():
            raise InputError(
                f"architecture {self.name}: expected attention that looks back only, found layer "
                f"{layer} looking ahead"
            )
        has_bias = bias is not None and bool(bias.any())
        return (None if torch.equal(visible, causal) else visible), (bias if has_bias else None)

    def _bias(self, layer: int, given: dict[str, Any], n: int) -> Tensor | None:
        """What ALiBi adds to scaled scores."""
        found = given.get("alibi")
        if found is None:
            found = given.get("position_bias")
        if found is None:
            return None
        n_heads = self._n_heads
        # of BLOOM and Falcon [example head, 1, key], of MPT [head, 1, key] for its longest text
        bias = found.reshape(-1, n_heads, 1, found.shape[-1])[0, :, :, -n:]
        scaled = self.name == "FalconForCausalLM"
        return bias * self.modules.attention[layer].inv_norm_factor if scaled else bias

    def _rotation(self, layer: int, given: dict[str, Any], n: int) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines of each position, as wide as what they turn."""
        embedded = getattr(self.modules.attention[layer], "embed_positions", None)
        if isinstance(embedded, Tensor):  # GPT-J: sines, then cosines, of each plane once
            sin, cos = embedded[:n].to(self.model.dtype).chunk(2, dim=-1)
            return cos.repeat_interleave(2, dim=-1), sin.repeat_interleave(2, dim=-1)
        found = given.get("position_embeddings")
        if isinstance(found, Tensor) and found.is_complex():  # Llama 4: of each plane once
            cos, sin = (part.repeat_interleave(2, dim=-1) for part in (found.real, found.imag))
            return cos[0, :n], sin[0, :n]
        is_pair = isinstance(found, tuple) and len(found) == 2
        if found is None or not is_pair or given.get("alibi") is not None:  # Falcon has both
            return None
        cos, sin = (table[0, :n] for table in found)
        if self.name == "GptOssForCausalLM":  # of each plane once
            return torch.cat([cos, cos], dim=-1), torch.cat([sin, sin], dim=-1)
        return as_turned(self.modules.attention[layer], cos, sin)

    @property
    def _n_heads(self) -> int:
        cfg = self.model.config
        return int(getattr(cfg, "num_attention_heads", None) or cfg.n_heads)


@torch.no_grad()
def require_one_model(model: PreTrainedModel) -> None:
    """Check that a model run eagerly is the one that its library runs if nothing is said.

    Falcon's eager attention adds ALiBi's bias twice (transformers 5.23).

    Raises:
        InputError: it is another one.
    """
    cfg, tokens = model.config, torch.arange(8, device=model.device)[None]
    eager = model(input_ids=tokens, use_cache=False, return_dict=True).logits
    own = cfg._attn_implementation
    try:
        cfg._attn_implementation = "sdpa"
        usual = model(input_ids=tokens, use_cache=False, return_dict=True).logits
    finally:
        cfg._attn_implementation = own
    error = (eager - usual).abs().max().item()
    if not error <= TOLERANCE * max(1.0, usual.abs().max().item()):
        raise InputError(
            "expected a library that computes one model in all its ways, found that transformers "
            f"{transformers.__version__} computes another one with eager attention (its logits "
            f"differ by {error:z.2g} from those with sdpa): a study of it would be of no model"
        )
