"""Models and pairs for the tests of interventions."""

from typing import Any

import torch
import transformers
from mitool.analysis.interventions.decoder import Decoder
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module

from mitool.analysis.interventions.run import Run, run
from mitool.models.bridge import to_bridge
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.pairs import PromptPairs

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


def toy(**settings: Any) -> TransformerBridge:
    """A bridge of a random toy in float64: two layers, every kind of weight that is not 0."""
    sizes = {"n_layers": 2, "n_heads": 3, "d_model": 12, "d_head": 4, "d_mlp": 10}
    words = {"d_vocab": N_WORDS, "d_vocab_out": N_WORDS, "n_ctx": N_POSITIONS}
    given = {"normalization_type": "LN", "biases": "all", "act_fn": "gelu", **settings}
    return randomised(to_bridge(ToyTransformer(TransformerConfig(**{**sizes, **words, **given}))))


def pretrained(kind: str, **settings: Any) -> TransformerBridge:
    """A bridge of a random Hugging Face model of a kind such as ``Llama``, in float64."""
    sizes = GPT if kind in ("GPT2", "GPTJ") else SIZES
    config = getattr(transformers, f"{kind}Config")(**{**sizes, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config)
    architecture = type(model).__name__
    return randomised(build_bridge_from_module(model, architecture, hf_config=config))


def randomised(bridge: TransformerBridge) -> TransformerBridge:
    generator = torch.Generator().manual_seed(0)
    for weight in bridge.parameters():
        draw = torch.randn(weight.shape, generator=generator)
        weight.data = 0.3 * draw if weight.ndim > 1 else 1 + 0.3 * draw
    return bridge.double().eval().requires_grad_(False)


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


def both(bridge: TransformerBridge, of: PromptPairs) -> tuple[Decoder, Run, Run]:
    """A decoder with its clean and its corrupted run."""
    decoder = Decoder(bridge)
    clean, corrupted = (run(decoder, t, of.answer_positions) for t in (of.clean, of.corrupted))
    return decoder, clean, corrupted
