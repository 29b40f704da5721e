"""Models and pairs for the tests of interventions."""

from typing import Any, cast

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel

from mitool.analysis.interventions.run import Run, run
from mitool.models.decoder import Decoder
from mitool.models.decoder.toy import toy_decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.models.transformer import Block, ToyTransformer, TransformerConfig
from mitool.pairs.prompt_pairs import PromptPairs
from tests.huggingface.exactness import exactly_float64

N_POSITIONS, N_WORDS, N_PAIRS = 6, 11, 5

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "vocab_size": N_WORDS,
    "max_position_embeddings": 16,
}
GPT = {"vocab_size": N_WORDS, "n_positions": 16, "n_embd": 24, "n_layer": 2, "n_head": 4}
GROUPED = {"num_key_value_heads": 2}

Model = ToyTransformer | PreTrainedModel


def toy(**settings: Any) -> ToyTransformer:
    """A random toy in float64: two layers, every kind of weight that is not 0."""
    sizes = {"n_layers": 2, "n_heads": 3, "d_model": 12, "d_head": 4, "d_mlp": 10}
    words = {"d_vocab": N_WORDS, "d_vocab_out": N_WORDS, "n_ctx": N_POSITIONS}
    given = {"normalization_type": "LN", "biases": "all", "act_fn": "gelu", **settings}
    model = randomised(ToyTransformer(TransformerConfig(**{**sizes, **words, **given})))
    assert isinstance(model, ToyTransformer)
    return model


def linear() -> ToyTransformer:
    """Attention that looks everywhere alike, no norm and no MLP: logits are linear in the input."""
    model = toy(attn_only=True, normalization_type="none")
    for block in cast("list[Block]", list(model.blocks)):
        block.attn.W_Q.data.zero_()
        block.attn.b_Q.data.zero_()
    return model


def pretrained(kind: str, **settings: Any) -> PreTrainedModel:
    """A random Hugging Face model of a kind such as ``Llama``, in float64."""
    sizes = GPT if kind in ("GPT2", "GPTJ") else SIZES
    config = getattr(transformers, f"{kind}Config")(**{**sizes, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model = randomised(model)
    assert isinstance(model, PreTrainedModel)
    return model


def randomised(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        draw = torch.randn(weight.shape, generator=generator)
        weight.data = 0.3 * draw if weight.ndim > 1 else 1 + 0.3 * draw
    return model.double().eval().requires_grad_(False)


def pairs(
    n: int = N_PAIRS, differ: tuple[int, ...] = (1, 3), answers: tuple[int, ...] = (5,)
) -> PromptPairs:
    """Random pairs that differ at some positions."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randint(N_WORDS, shape, generator=generator)

    clean = draw(n, N_POSITIONS)
    corrupted = clean.clone()
    for place in differ:
        corrupted[:, place] = (clean[:, place] + 1 + draw(n) % (N_WORDS - 1)) % N_WORDS
    right = draw(n, len(answers), 1)
    return PromptPairs(clean, corrupted, answers, right, (right + 3) % N_WORDS, torch.arange(n))


def parts_of(model: Model) -> Decoder:
    """A model taken apart."""
    return toy_decoder(model) if isinstance(model, ToyTransformer) else decoder_of(model)


def both(model: Model, of: PromptPairs) -> tuple[Decoder, Run, Run]:
    """A decoder with its clean and its corrupted run, a Hugging Face model's own run in float64 to
    its end.
    """
    with exactly_float64():
        decoder = parts_of(model)
        clean, corrupted = (run(decoder, t, of.answer_positions) for t in (of.clean, of.corrupted))
    return decoder, clean, corrupted
