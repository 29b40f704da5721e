"""The transformer as a textbook has it: each quantity by its definition, named as a hook.

It shares no code with the package, and nothing in it is done for speed.
"""

import math

import torch
from torch import Tensor

from mitool.models.transformer import ToyTransformer


def run(model: ToyTransformer, tokens: Tensor) -> dict[str, Tensor]:
    """Every activation by TransformerLens's name, the logits as ``unembed.hook_out``."""
    weights = dict(model.named_parameters())
    seen = {"hook_embed": weights["embed.W_E"][tokens]}
    seen["hook_pos_embed"] = weights["pos_embed.W_pos"][: tokens.shape[1]].expand_as(
        seen["hook_embed"]
    )
    x = seen["hook_embed"] + seen["hook_pos_embed"]
    for layer in range(model.cfg.n_layers):
        x = _block(model, layer, x, seen)
    x = _normalised(model, "ln_final", x)
    seen["unembed.hook_out"] = x @ weights["unembed.W_U"] + weights["unembed.b_U"]
    return seen


def _block(model: ToyTransformer, layer: int, x: Tensor, seen: dict[str, Tensor]) -> Tensor:
    at = f"blocks.{layer}."
    weights = dict(model.named_parameters())
    seen[at + "hook_resid_pre"] = x
    normalised = _normalised(model, at + "ln1", x)
    q, k, v = (
        torch.einsum("epm,hmd->ephd", normalised, weights[f"{at}attn.W_{name}"])
        + weights[f"{at}attn.b_{name}"]
        for name in "QKV"
    )
    scores = torch.einsum("eqhd,ekhd->ehqk", q, k) / math.sqrt(model.cfg.d_head)
    if model.cfg.attention_dir == "causal":
        future = torch.ones_like(scores).triu(diagonal=1).bool()
        scores = scores.masked_fill(future, -math.inf)
    pattern = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
    z = torch.einsum("ehqk,ekhd->eqhd", pattern, v)
    x = x + torch.einsum("eqhd,hdm->eqm", z, weights[at + "attn.W_O"]) + weights[at + "attn.b_O"]
    attention = {"q": q, "k": k, "v": v, "pattern": pattern, "z": z}
    seen |= {f"{at}attn.hook_{name}": value for name, value in attention.items()}
    if not model.cfg.attn_only:
        seen[at + "hook_resid_mid"] = x
        pre = _normalised(model, at + "ln2", x) @ weights[at + "mlp.W_in"]
        pre = pre + weights[at + "mlp.b_in"]
        post = _activation(model.cfg.act_fn, pre)
        seen |= {at + "mlp.hook_pre": pre, at + "mlp.hook_post": post}
        seen[at + "hook_mlp_out"] = post @ weights[at + "mlp.W_out"] + weights[at + "mlp.b_out"]
        x = x + seen[at + "hook_mlp_out"]
    seen[at + "hook_resid_post"] = x
    return x


def _normalised(model: ToyTransformer, name: str, x: Tensor) -> Tensor:
    kind, weights = model.cfg.normalization_type, dict(model.named_parameters())
    if kind == "none":
        return x
    if kind.startswith("LN"):
        x = x - x.mean(dim=-1, keepdim=True)
    x = x / ((x**2).mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    if kind in ("LN", "RMS"):
        x = x * weights[name + ".w"]
    return x + weights[name + ".b"] if kind == "LN" else x


def _activation(act_fn: str, x: Tensor) -> Tensor:
    if act_fn == "relu":
        return torch.where(x > 0, x, 0.0)
    if act_fn == "gelu":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    if act_fn == "gelu_new":
        return x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    if act_fn == "silu":
        return x / (1 + torch.exp(-x))
    return x * x.exp() / x.exp().sum(dim=-1, keepdim=True)
