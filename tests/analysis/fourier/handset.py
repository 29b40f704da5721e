"""A model whose weights are set by hand to the trig algorithm.

One head copies the first operand's cosines and sines to the answer position and another the
second's. The MLP multiplies: silu(u) + silu(-u) = u tanh(u / 2), which is u^2 / 2 to a part in
10^9 for the small u used here, so four neurons make each product,
x y = ((x + y)^2 - (x - y)^2) / 4. The unembedding reads cos w(a + b) and sin w(a + b) out.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from mitool.analysis.fourier.form import CyclicForm, cyclic_form
from mitool.core.config import as_dict
from mitool.core.version import __version__
from mitool.models.subject import Subject
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.tasks.modadd import ModAdd

SMALL = 1e-4
HARD = 1e4

Terms = dict[int, tuple[float, float]]
"""For each frequency: the amplitude of its embedding, and its coefficient in the logits."""


def trig_model(task: ModAdd, terms: Terms, bias: float = 0.0) -> ToyTransformer:
    """Logits ``sum_k coefficient_k cos w_k(a + b - c)``, and ``bias`` at the output of phase 0."""
    form = cyclic_form(task)
    n_terms = len(terms)
    width = 2 * n_terms
    cfg = TransformerConfig(
        n_layers=1,
        n_heads=2,
        d_model=3 + 4 * width,
        d_head=width + 2,
        d_mlp=16 * n_terms,
        act_fn="silu",
        biases="all",
        d_vocab=task.d_vocab,
        d_vocab_out=task.d_vocab_out,
        n_ctx=3,
    )
    model = ToyTransformer(cfg).double()
    weights = {name: torch.zeros_like(w) for name, w in model.state_dict().items()}
    # the stream: 3 for positions, then a token's waves, copies of a's and of b's, waves of a + b
    own, of_a, of_b, of_sum = (slice(3 + i * width, 3 + (i + 1) * width) for i in range(4))
    weights["pos_embed.W_pos"][:, :3] = torch.eye(3)
    sizes = torch.tensor([amplitude for amplitude, _ in terms.values()]).repeat_interleave(2)
    weights["embed.W_E"][form.operands, own] = _waves(form.phases_a, form, terms) * sizes
    for head, (position, place) in enumerate(((0, of_a), (1, of_b))):
        weights["blocks.0.attn.W_Q"][head, 2, -1] = HARD
        weights["blocks.0.attn.W_K"][head, position, -1] = 1.0
        weights["blocks.0.attn.W_V"][head, own, :width] = torch.eye(width).double()
        weights["blocks.0.attn.W_O"][head, :width, place] = torch.eye(width).double()
    if task.op == "subtract":
        weights["blocks.0.attn.W_O"][1, 1:width:2, of_b] *= -1  # the sine of -b
    _multiply(weights, terms, of_a.start, of_b.start, of_sum.start)
    outputs = torch.zeros_like(weights["unembed.W_U"][of_sum])
    coefficients = torch.tensor([c for _, c in terms.values()]).repeat_interleave(2)
    outputs[:, form.outputs] = (_waves(torch.arange(form.order), form, terms) * coefficients).T
    weights["unembed.W_U"][of_sum] = outputs
    weights["unembed.b_U"][form.outputs[0]] = bias
    model.load_state_dict(weights)
    return model


def _waves(phases: Tensor, form: CyclicForm, terms: Terms) -> Tensor:
    """cos k1, sin k1, cos k2, .. of each phase."""
    angles = 2 * math.pi * phases[:, None].double() * torch.tensor(list(terms)) / form.order
    return torch.stack([angles.cos(), angles.sin()], dim=-1).flatten(1)


def _multiply(weights: dict[str, Tensor], terms: Terms, a: int, b: int, total: int) -> None:
    neuron = 0
    for index, (amplitude, _) in enumerate(terms.values()):
        cos, sin = 2 * index, 2 * index + 1
        # cos(a + b) = cos cos - sin sin; sin(a + b) = sin cos + cos sin
        for x, y, into, sign in (
            (cos, cos, cos, 1),
            (sin, sin, cos, -1),
            (sin, cos, sin, 1),
            (cos, sin, sin, 1),
        ):
            for with_y, outer in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                weights["blocks.0.mlp.W_in"][a + x, neuron] = outer * SMALL / amplitude
                weights["blocks.0.mlp.W_in"][b + y, neuron] = outer * with_y * SMALL / amplitude
                weights["blocks.0.mlp.W_out"][neuron, total + into] = sign * with_y / (2 * SMALL**2)
                neuron += 1


def subject_of(model: ToyTransformer, task: ModAdd, split_seed: int | None = 0) -> Subject:
    """A subject as a checkpoint would give it."""
    metadata = Metadata(
        kind="transformer",
        model=as_dict(model.cfg),
        task=TaskRecord(task.name, as_dict(task)),
        training={},
        split=None
        if split_seed is None
        else {"method": "torch", "frac_train": task.frac_train, "seed": split_seed},
        seed=0,
        step=0,
        epoch=0,
        version=__version__,
    )
    return Subject(Path("handset.safetensors"), model, task, metadata)


def exact_logits(task: ModAdd, terms: Terms, bias: float) -> Tensor:
    """The logits of the covered pairs by the definition of the algorithm [pair, phase]."""
    form = cyclic_form(task)
    rows = []
    for phase_a in form.phases_a.tolist():
        for phase_b in form.phases_b.tolist():
            rows.append(
                [
                    sum(
                        coefficient
                        * math.cos(2 * math.pi * k * (phase_a + phase_b - c) / form.order)
                        for k, (_, coefficient) in terms.items()
                    )
                    + (bias if c == 0 else 0.0)
                    for c in range(form.order)
                ]
            )
    return torch.tensor(rows, dtype=torch.float64)
