"""The original grokking notebook (Nanda et al. 2023): TransformerLens's names, most matrices
transposed, no attention or unembedding biases, the mask saved as a buffer.

Its models are without normalisation; a variant has the weights of one, unused, at 1 and 0.
"""

from dataclasses import replace

from mitool.models.layouts.axes import Axes
from mitool.models.layouts.base import Layout
from mitool.models.layouts.hooked import HOOKED

TRANSPOSED = {
    "embed.W_E": "d_model d_vocab",
    **{f"blocks.#.attn.W_{which}": "n_heads d_head d_model" for which in "QKV"},
    "blocks.#.attn.W_O": "d_model (n_heads d_head)",
    "blocks.#.mlp.W_in": "d_mlp d_model",
    "blocks.#.mlp.W_out": "d_model d_mlp",
}
AS_THEY_ARE = ("pos_embed.W_pos", "blocks.#.mlp.b_in", "blocks.#.mlp.b_out", "unembed.W_U")

NOTEBOOK = Layout(
    "grokking-notebook",
    {name: replace(HOOKED.weights[name], axes=Axes(axes)) for name, axes in TRANSPOSED.items()}
    | {name: HOOKED.weights[name] for name in AS_THEY_ARE},
    inert={".w_ln": 1.0, ".b_ln": 0.0},
)
