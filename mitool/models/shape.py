"""How many of what a decoder has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelShape:
    """A decoder's sizes, by TransformerLens's names.

    Attributes:
        architecture: what kind of model it is: a class of Hugging Face transformers, or
            ``ToyTransformer``.
        n_key_value_heads: fewer than ``n_heads`` where heads share keys and values.
        d_mlp: the width inside an MLP; of a mixture of experts, inside one expert.
        n_ctx: the most tokens that the model is made to read.
    """

    architecture: str
    n_layers: int
    n_heads: int
    n_key_value_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    d_vocab_out: int
    n_ctx: int
