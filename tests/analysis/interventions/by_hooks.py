"""A model run part by part through its own modules, each given an input of its own by hooks.

A toy runs as the bridge that transformer-lens makes of it, a Hugging Face model as it is. No weight
is read but where a sum has to be told apart by heads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mitool.models.bridge import to_bridge
from mitool.models.decoder.toy import ToyOriginal
from mitool.models.transformer import ToyTransformer
from tests.huggingface.exactness import exactly_float64
from tests.huggingface.parts import head_writes
from tests.huggingface.places import Block, Places, Projection, places_of
from tests.huggingface.runs import Hook, attached

Of = Mapping[Projection, Tensor]
"""Queries, keys and values [example, pos, all heads] as they are projected."""

Given = tuple[tuple[Any, ...], dict[str, Any]]
"""What a block is called with besides the stream."""


@dataclass
class ByHooks:
    """A model and where its parts are.

    Attributes:
        given: by the number of examples and of positions, what each block is called with besides
            the stream.
    """

    model: nn.Module
    places: Places
    has_mlp: bool = True
    given: dict[tuple[int, int], list[Given]] = field(default_factory=dict)

    @classmethod
    def of(cls, original: Any) -> "ByHooks":
        """The model that a decoder was taken from."""
        if isinstance(original, ToyOriginal):
            bridge = to_bridge(original.model)
            places = _places_of_bridge(bridge, original.model)
            return cls(bridge, places, not original.model.cfg.attn_only)
        model = cast("PreTrainedModel", original.model)
        return cls(model, places_of(model))

    @property
    def n_layers(self) -> int:
        return len(self.places.blocks)

    @property
    def group(self) -> int:
        """How many heads share keys and values."""
        return self.places.n_heads // self.places.n_key_value_heads

    @property
    def is_parallel(self) -> bool:
        return self.places.blocks[0].parallel

    def logits(self, tokens: Tensor, hooks: Sequence[Hook] = ()) -> Tensor:
        """A run of the whole model."""
        settings = {"use_cache": False} if isinstance(self.model, PreTrainedModel) else {}
        with exactly_float64(), attached(hooks):
            found = self.model(tokens, **settings)
        return cast("Tensor", getattr(found, "logits", found))

    def unembed(self, x: Tensor) -> Tensor:
        """Logits at every position of the stream after the last block."""
        tokens = torch.zeros(x.shape[:2], dtype=torch.int64)
        last = self.places.blocks[-1].whole
        return self.logits(tokens, [Hook(last, "output", lambda _: x)])

    def projected(self, layer: int, streams: Tensor) -> Of:
        """What a layer's attention projects of each stream [stream, example, pos, d_model]."""
        block, kept = self.places.blocks[layer], dict[str, Tensor]()
        hooks = [Hook(m, "output", _keep(kept, str(id(m)))) for m in _maps(block)]
        self._run_block(layer, streams.flatten(0, 1), hooks)
        found = {name: kept[str(id(block.projection(name)))] for name in block.columns}
        return {
            name: found[name][..., own].unflatten(0, streams.shape[:2])
            for name, own in block.columns.items()
        }

    def z(self, layer: int, x: Tensor, projected: Of) -> Tensor:
        """Each head's ``z`` [example, pos, head, d_head].

        Args:
            x: what the block reads, of which nothing comes to ``z``.
            projected: of each query head, keys and values too, [example, pos, head, d_head].
        """
        block, kept, found = self.places.blocks[layer], dict[str, Tensor](), []
        for own in range(self.group):
            heads = slice(own, None, self.group)
            each: Of = {n: p if n == "q" else p[:, :, heads] for n, p in projected.items()}
            hooks = [Hook(module, "output", _put(block, module, each)) for module in _maps(block)]
            self._run_block(layer, x, [*hooks, Hook(block.o, "input", _keep(kept, "z"))])
            found.append(kept["z"].unflatten(-1, (-1, self.places.d_head))[:, :, heads])
        return torch.stack(found, dim=3).flatten(2, 3)  # of each group, one head after another

    def attn_raw(self, layer: int, x: Tensor, z: Tensor) -> Tensor:
        """What the map from ``z`` returns."""
        block, kept = self.places.blocks[layer], dict[str, Tensor]()
        hooks = [
            Hook(block.o, "input", lambda _: z.flatten(-2)),
            Hook(block.o, "output", _keep(kept, "out")),
        ]
        self._run_block(layer, x, hooks)
        return kept["out"]

    def writes(self, layer: int, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """What each head writes [head, example, pos, d_model], and what attention does besides."""
        block = self.places.blocks[layer]
        raw, each = self.attn_raw(layer, x, z), head_writes(self.places, layer, z.flatten(-2))
        norm, bias = block.attn_after, raw - each.sum(dim=0)
        if norm is None:
            return each * block.multiplier, bias * block.multiplier
        with exactly_float64():
            out, constant = norm(raw), norm(torch.zeros_like(raw))
            scale = ((out - constant) / self._after(layer, raw)).nan_to_num(0.0)  # of nothing
        passed = self._after(layer, each) * scale
        besides = self._after(layer, bias) * scale + constant
        return passed * block.multiplier, besides * block.multiplier

    def linearly(self, layer: int, z: Tensor) -> Tensor:
        """What each head writes of ``z`` that was divided by the scale of the norm after attention
        already.
        """
        each = head_writes(self.places, layer, z.flatten(-2))
        return self._after(layer, each) * self.places.blocks[layer].multiplier

    def _after(self, layer: int, x: Tensor) -> Tensor:
        """The linear map that the norm after attention is but for its scale."""
        norm = self.places.blocks[layer].attn_after
        if norm is None:
            return x
        large = 1e7 * torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(0)).double()
        with torch.no_grad(), exactly_float64():
            is_centred = torch.allclose(norm(large + 1e7), norm(large), rtol=0, atol=1e-9)
            own = large - large.mean() if is_centred else large
            weight = (norm(large) - norm(0 * large)) * own.square().mean().sqrt() / own
        return (x - x.mean(dim=-1, keepdim=True) if is_centred else x) * weight

    def mlp(self, layer: int, x: Tensor) -> Tensor:
        """What the MLP writes for a stream that it reads."""
        block, kept = self.places.blocks[layer], dict[str, Tensor]()
        hooks = [Hook(block.mlp_after or block.mlp, "output", _keep(kept, "out"))]
        if not block.parallel:
            hooks.append(Hook(block.mlp_reads, "input", x.view_as))
        self._run_block(layer, x, hooks)
        return kept["out"].view(x.shape) * block.multiplier

    def _run_block(self, layer: int, x: Tensor, hooks: Sequence[Hook]) -> None:
        n = x.shape[0], x.shape[1]
        if n not in self.given:
            self.given[n] = self._observed(*n)
        with exactly_float64(), attached(hooks):
            args, kwargs = self.given[n][layer]
            self.places.blocks[layer].whole(x, *args, **kwargs)

    def _observed(self, n_examples: int, n_positions: int) -> list[Given]:
        found: list[Given] = []

        def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            named = {name: x for name, x in kwargs.items() if name != "hidden_states"}
            found.append((args[1:], named))

        handles = [
            block.whole.register_forward_pre_hook(keep, with_kwargs=True)
            for block in self.places.blocks
        ]
        with torch.no_grad():
            self.logits(torch.zeros(n_examples, n_positions, dtype=torch.int64))
        for handle in handles:
            handle.remove()
        return found


def _maps(block: Block) -> list[nn.Module]:
    """The modules that make queries, keys and values, each once."""
    return list(dict.fromkeys((block.q, block.k, block.v)))


def _keep(kept: dict[str, Tensor], name: str) -> Any:
    def keep(x: Tensor) -> Tensor:
        kept[name] = x
        return x.clone()  # some code changes it in place

    return keep


def _put(block: Block, module: nn.Module, projected: Of) -> Callable[[Tensor], Tensor]:
    """Have a module project these queries, keys or values of each head that it projects to."""

    def put(old: Tensor) -> Tensor:
        new = old.clone()
        for name, columns in block.columns.items():
            if block.projection(name) is module:
                new[..., columns] = projected[name]
        return new

    return put


def _places_of_bridge(bridge: Any, model: ToyTransformer) -> Places:
    cfg, nothing, has_mlp = model.cfg, nn.Identity(), not model.cfg.attn_only
    columns = torch.arange(cfg.n_heads * cfg.d_head).view(cfg.n_heads, cfg.d_head)
    blocks = [
        Block(
            whole=block,
            attn=block.attn,
            attn_norm=block.ln1,
            q=block.attn.q.original_component,
            k=block.attn.k.original_component,
            v=block.attn.v.original_component,
            o=block.attn.o.original_component,
            attn_after=None,
            mlp_norm=block.ln2 if has_mlp else None,
            mlp_in=None,
            mlp=block.mlp if has_mlp else nothing,
            mlp_after=None,
            parallel=False,
            stream_norms={},
            multiplier=1.0,
            columns=dict.fromkeys(("q", "k", "v"), columns),
        )
        for block in bridge.blocks
    ]
    return Places(tuple(blocks), None, None, cfg.n_heads, cfg.n_heads, cfg.d_head)
