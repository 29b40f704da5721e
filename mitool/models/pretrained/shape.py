"""The sizes of a Hugging Face model, whatever its configuration calls them."""

from typing import Any

from transformers import PreTrainedModel

from mitool.core.errors import InputError, first_few, plain
from mitool.models.shape import ModelShape

N_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
N_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
N_KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads")
D_MODEL = ("hidden_size", "n_embd", "d_model")
D_HEAD = ("head_dim",)
D_MLP = ("moe_intermediate_size", "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
N_CTX = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""Under which of its names a configuration has each size."""

USUAL_N_CTX = 2048
"""Tokens that a model without any limit (ALiBi) is taken to read."""


def shape_of(model: PreTrainedModel) -> ModelShape:
    """The sizes of a decoder.

    Raises:
        InputError: its configuration lacks one.
    """
    cfg = model.config
    n_heads, d_model = _required(cfg, N_HEADS), _required(cfg, D_MODEL)
    embedding: Any = model.get_input_embeddings()
    unembedding = unembedding_of(model)
    if unembedding is None:
        raise InputError(
            f"architecture {type(model).__name__}: expected a language model with an output for "
            "each token, found none"
        )
    return ModelShape(
        architecture=type(model).__name__,
        n_layers=_required(cfg, N_LAYERS),
        n_heads=n_heads,
        n_key_value_heads=_first(cfg, N_KEY_VALUE_HEADS) or n_heads,
        d_model=d_model,
        d_head=_first(cfg, D_HEAD) or d_model // n_heads,
        d_mlp=_first(cfg, D_MLP) or 4 * d_model,
        d_vocab=embedding.weight.shape[0],
        d_vocab_out=unembedding.weight.shape[0],
        n_ctx=_first(cfg, N_CTX) or USUAL_N_CTX,
    )


def unembedding_of(model: PreTrainedModel) -> Any:
    """The module that gives a logit for each token; None where a model has none."""
    found: Any = model
    return found.get_output_embeddings()


def _first(cfg: Any, names: tuple[str, ...]) -> int | None:
    found = (_held(cfg, name) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), None)


def _held(cfg: Any, name: str) -> Any:
    """A field of a configuration; None where it has none, or another one for each layer."""
    try:
        return getattr(cfg, name, None)
    except Exception:  # a configuration refuses in its own way to name one for all layers
        return None


def _required(cfg: Any, names: tuple[str, ...]) -> int:
    value = _first(cfg, names)
    if value is None:
        held = {name: _held(cfg, name) for name in names}
        found = [f"{name} {plain(str(own))}" for name, own in held.items() if own is not None]
        raise InputError(
            f"config.json: expected one of {', '.join(names)}, at least 1, found "
            f"{first_few(found) if found else 'none'}"
        )
    return value
