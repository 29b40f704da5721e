"""TransformerLens's native ``TransformerBridge``: linear maps as torch has them, heads merged.

The number of heads is in no shape.
"""

from mitool.models.layouts.base import Layout, table

LINES = [
    ("embed.weight", "embed.W_E", "d_vocab d_model"),
    ("pos_embed.weight", "pos_embed.W_pos", "n_ctx d_model"),
    ("blocks.#.attn.q.weight", "blocks.#.attn.W_Q", "(n_heads d_head) d_model"),
    ("blocks.#.attn.k.weight", "blocks.#.attn.W_K", "(n_heads d_head) d_model"),
    ("blocks.#.attn.v.weight", "blocks.#.attn.W_V", "(n_heads d_head) d_model"),
    ("blocks.#.attn.o.weight", "blocks.#.attn.W_O", "d_model (n_heads d_head)"),
    ("blocks.#.attn.q.bias", "blocks.#.attn.b_Q", "(n_heads d_head)"),
    ("blocks.#.attn.k.bias", "blocks.#.attn.b_K", "(n_heads d_head)"),
    ("blocks.#.attn.v.bias", "blocks.#.attn.b_V", "(n_heads d_head)"),
    ("blocks.#.attn.o.bias", "blocks.#.attn.b_O", "d_model"),
    ("blocks.#.mlp.in.weight", "blocks.#.mlp.W_in", "d_mlp d_model"),
    ("blocks.#.mlp.in.bias", "blocks.#.mlp.b_in", "d_mlp"),
    ("blocks.#.mlp.out.weight", "blocks.#.mlp.W_out", "d_model d_mlp"),
    ("blocks.#.mlp.out.bias", "blocks.#.mlp.b_out", "d_model"),
    *(
        (f"{norm}.{own}", f"{norm}.{name}", "d_model")
        for norm in ("blocks.#.ln1", "blocks.#.ln2", "ln_final")
        for own, name in (("weight", "w"), ("bias", "b"))
    ),
    ("unembed.weight", "unembed.W_U", "d_vocab_out d_model"),
    ("unembed.bias", "unembed.b_U", "d_vocab_out"),
]

BRIDGE = Layout("TransformerBridge", table(LINES))
