"""Other words that toy transformers are written in, brought to the words of the layouts.

A name is understood part by part, and only where each part is a word that is known: what else
stands in a name may be what makes the weight another one.
"""

from mitool.models.layouts.bridge import BRIDGE
from mitool.models.layouts.hooked import HOOKED

CONTAINERS = {
    "blocks": "", "block": "", "layers": "", "layer": "", "h": "", "resblocks": "",
    "transformer_blocks": "", "transformer_layers": "", "decoder_layers": "", "encoder_layers": "",
    "attn_blocks": "attn", "attn_layers": "attn", "attention_blocks": "attn", "attns": "attn",
    "attention_layers": "attn", "mlp_blocks": "mlp", "mlp_layers": "mlp", "mlps": "mlp",
}  # fmt: skip
"""What layers are called, and the part of a block that such layers are by themselves."""

PARTS = {
    "attn": ("attn", "attention", "self_attn", "self_attention", "mha", "attn_block"),
    "mlp": ("mlp", "ffn", "ff", "feed_forward", "feedforward", "mlp_block"),
    "ln1": ("ln1", "ln_1", "norm1", "norm_1", "attn_norm", "attn_ln", "ln_attn"),
    "ln2": ("ln2", "ln_2", "norm2", "norm_2", "mlp_norm", "mlp_ln", "ln_mlp", "ffn_norm"),
    "ln_final": ("ln_final", "ln_f", "final_ln", "final_norm", "norm_final", "norm_f", "ln_out"),
    "embed": ("embed", "embedding", "tok_embed", "token_embed", "token_embedding", "tok_emb"),
    "pos_embed": ("pos_embed", "pos_embedding", "positional_embedding", "position_embedding",
                  "pos_emb", "pos_encoding"),
    "unembed": ("unembed", "unembedding", "lm_head"),
}  # fmt: skip

LINEAR = {
    "attn": {"q": "q", "k": "k", "v": "v", "o": "o", "out": "o", "to_out": "o", "out_proj": "o"}
    | {form.format(one): one for one in "qkvo" for form in ("{}_proj", "proj_{}", "w{}", "w_{}",
                                                            "to_{}")}
    | {"query": "q", "key": "k", "value": "v", "query_proj": "q", "key_proj": "k",
       "value_proj": "v"},
    "mlp": {"in": "in", "out": "out", "fc1": "in", "fc2": "out", "fc_in": "in", "fc_out": "out",
            "linear1": "in", "linear2": "out", "up_proj": "in", "down_proj": "out", "up": "in",
            "down": "out", "proj_in": "in", "proj_out": "out", "lin1": "in", "lin2": "out"},
}  # fmt: skip
"""What linear maps are called that are modules of torch, with ``weight`` and ``bias``."""

PART_OF = {word: part for part, words in PARTS.items() for word in words}
NORMS = ("ln", "norm")
"""What the one normalisation of a layer is called that is attention or an MLP alone."""

NORMS_OF = {"attn": "ln1", "mlp": "ln2"}
OF_LAYERS = ("attn", "mlp", "ln1", "ln2")
LEAVES = {
    leaf: part for *_, part, leaf in (name.split(".") for name in HOOKED.weights) if "_" in leaf
}
"""By the last word of a name of TransformerLens's, the part that has it."""


def meant(name: str) -> str | None:
    """The layouts' name for a name in other words; None where it is not understood."""
    words = name.split(".")
    numbers = [word for word in words if word.isascii() and word.isdecimal()]
    if len(words) > 6 or len(numbers) > 1 or not all(words):
        return None
    layer, part = None, None
    if numbers:
        place = words.index(numbers[0])
        if place != 1 or words[0] not in CONTAINERS:
            return None
        layer, part, words = numbers[0], CONTAINERS[words[0]] or None, words[2:]
    if words and words[0] in PART_OF:
        part, words = PART_OF[words[0]], words[1:]
    elif words and words[0] in NORMS and part in NORMS_OF:
        part, words = NORMS_OF[part], words[1:]
    found = _leaf(part, words)
    if found is None:
        return None
    at = f"blocks.{layer or 0}." if found.split(".")[0] in OF_LAYERS else ""
    is_placed = bool(at) or layer is None
    made = f"{at}{found}"
    return made if is_placed and (HOOKED.has(made) or BRIDGE.has(made)) else None


def _leaf(part: str | None, words: list[str]) -> str | None:
    """The rest of a name, given the part that it belongs to."""
    match words:
        case [leaf] if leaf in LEAVES and part in (None, LEAVES[leaf]):
            return f"{LEAVES[leaf]}.{leaf}"
        case ["weight" | "bias" | "w" | "b" as leaf] if part is not None:
            return f"{part}.{leaf}"
        case [linear, "weight" | "bias" as leaf] if part in LINEAR:
            own = LINEAR[part].get(linear.lower())
            return f"{part}.{own}.{leaf}" if own else None
    return None
