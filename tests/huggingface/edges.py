"""Edge attribution patching by plain hooks: gradients at every reader, and edges' scores."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.huggingface.exactness import exactly_float64
from tests.huggingface.parts import Parts, StreamParts, stream_parts
from tests.huggingface.places import PROJECTIONS, Places, Projection, places_of
from tests.huggingface.random_models import Pair
from tests.huggingface.runs import Hook, Logits, Recording, Stream, Tokens, recorded

WHOLE_NORMS = {"q": "q_norm", "k": "k_norm"}
NORMED_AS_A_WHOLE = ("olmo2", "olmo3", "olmoe")
"""Architectures in which one norm goes over the queries (or keys) of all heads together."""

Sharing = Literal["slices", "copies"]
"""What each head reads where one norm goes over all heads' queries, or keys, together.

``slices``: each head its own slice of the projection, so that what it reads is in the norm's scale
for all heads. ``copies``: each head a whole projection of its own, from which it takes its slice
after the norm; then what it reads touches no other head. Over all heads both have the same sum.
"""

PairMetric = Callable[[Float[Tensor, " d_vocab"], Pair], Float[Tensor, ""]]


def logit_difference(logits: Float[Tensor, " d_vocab"], pair: Pair) -> Float[Tensor, ""]:
    """logit(right) - logit(wrong)."""
    return logits[pair.right] - logits[pair.wrong]


def reader_gradients(
    model: PreTrainedModel,
    tokens: Tokens,
    metric: Callable[[Logits], Tensor],
    sharing: Sharing = "slices",
) -> dict[str, Stream]:
    """The gradient of a metric at the residual stream, as each reader by itself reads it.

    Readers are ``a0.h1<q>``, each query head's queries, keys and values, of which it has a copy of
    its own where heads share them; ``m0``, the MLPs; and ``logits``, the final norm. Each gradient
    is taken back through the reader's own projection and through the norm that it reads through,
    whose scale changes along.

    Args:
        metric: of the logits of every position; it is summed over whatever it returns.
    """
    places = places_of(model)
    normed: list[dict[str, Tensor]] = [{} for _ in places.blocks]
    hooks = [
        Hook(places.blocks[0].whole, "input", lambda x: x.detach().requires_grad_()),
        *_of_whole_norms(model, places, normed),
    ]
    with torch.enable_grad():
        run = recorded(model, tokens, hooks)
        wanted = [*run.z, *run.mlp_raw, run.resid_post[-1]]
        found = torch.autograd.grad(metric(run.logits).sum(), wanted, retain_graph=True)
        n = len(places.blocks)
        gradients: dict[str, Stream] = {}
        for layer in range(n):
            at_z = found[layer]
            for letter in PROJECTIONS:
                by_head = _at_projection(places, run, layer, letter, at_z)
                if sharing == "slices" and letter in normed[layer]:
                    by_head = _in_slices(places, run, layer, letter, at_z, normed[layer][letter])
                for head, own in enumerate(by_head):
                    gradients[f"a{layer}.h{head}<{letter}>"] = _back(
                        run.projected[layer][letter], run.attn_reads[layer], own
                    )
            gradients[f"m{layer}"] = _back(
                run.mlp_raw[layer], run.mlp_reads[layer], found[n + layer]
            ).view(*tokens.shape, -1)
    return {**gradients, "logits": found[-1]}


def _back(output: Tensor, stream: Tensor, gradient: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(output, stream, gradient, retain_graph=True)
    return found


def _at_projection(
    places: Places, run: Recording, layer: int, letter: Projection, at_z: Tensor
) -> Iterator[Tensor]:
    """The gradient at a projection's output by way of each head's z alone."""
    output = run.projected[layer][letter]
    own = torch.zeros(output.shape[-1], dtype=output.dtype)
    own[places.blocks[layer].columns[letter].flatten()] = 1.0  # of modules that make all three
    for head in range(places.n_heads):
        yield _back(run.z[layer], output, _only(at_z, places, head)) * own


def _only(at_z: Tensor, places: Places, head: int) -> Tensor:
    columns = slice(head * places.d_head, (head + 1) * places.d_head)
    masked = torch.zeros_like(at_z)
    masked[..., columns] = at_z[..., columns]
    return masked


def _of_whole_norms(
    model: PreTrainedModel, places: Places, normed: list[dict[str, Tensor]]
) -> Iterator[Hook]:
    if model.config.model_type not in NORMED_AS_A_WHOLE:
        return
    for block, kept in zip(places.blocks, normed, strict=True):
        for letter, name in WHOLE_NORMS.items():
            yield Hook(block.attn.get_submodule(name), "output", _keeping(kept, letter))


def _keeping(kept: dict[str, Tensor], name: str) -> Callable[[Tensor], Tensor]:
    def keep(x: Tensor) -> Tensor:
        kept[name] = x
        return x.clone()

    return keep


def _in_slices(
    places: Places, run: Recording, layer: int, letter: Projection, at_z: Tensor, normed: Tensor
) -> Iterator[Tensor]:
    """The gradient at each head's slice of a projection's output that is normed as a whole.

    Heads that share keys have a copy each, and the norm goes over all copies.
    """
    block, projected = places.blocks[layer], run.projected[layer][letter].detach()
    norm = block.attn.get_submodule(WHOLE_NORMS[letter])
    columns = block.columns[letter]
    group_of = torch.arange(places.n_heads) // (places.n_heads // len(columns))
    copied = columns[group_of].flatten()
    behind = [
        _back(run.z[layer], normed, _only(at_z, places, head))[..., columns[group]]
        for head, group in enumerate(group_of.tolist())
    ]
    copies = projected[..., copied].requires_grad_()
    weight = norm.weight
    assert isinstance(weight, nn.Parameter)
    with exactly_float64():
        out = torch.func.functional_call(norm, {"weight": weight[copied]}, (copies,))
    at_copies = _back(out, copies, torch.cat(behind, dim=-1)).unflatten(-1, (places.n_heads, -1))
    for head, group in enumerate(group_of.tolist()):
        own = torch.zeros_like(projected)
        own[..., columns[group]] = at_copies[..., head, :]
        yield own


def eap_scores(
    model: PreTrainedModel,
    pairs: Sequence[Pair],
    metric: PairMetric = logit_difference,
    sharing: Sharing = "slices",
) -> dict[str, float]:
    """The decrease of a metric, to first order, were each edge to carry the corrupted run's part.

    For an edge such as ``a0.h1->m1`` or ``input->a1.h0<k>`` it is the sum over positions of
    (clean write - corrupted write) . gradient at the reader in the clean run, mean over pairs. A
    write is what the writer has in the stream where the reader reads it: through the norms in
    between, which each run has as they are in it. The metric is read at the last position.
    """
    total: dict[str, float] = {}
    for pair in pairs:
        for edge, score in _scores_of_pair(model, pair, metric, sharing):
            total[edge] = total.get(edge, 0.0) + score / len(pairs)
    return total


def _scores_of_pair(
    model: PreTrainedModel, pair: Pair, metric: PairMetric, sharing: Sharing
) -> Iterator[tuple[str, float]]:
    def judge(logits: Logits) -> Tensor:
        return metric(logits[0, -1], pair)

    gradients = reader_gradients(model, pair.clean[None], judge, sharing)
    clean = stream_parts(model, pair.clean[None])
    corrupted = stream_parts(model, pair.corrupted[None])
    for reader, gradient in gradients.items():
        before, after = (_read_by(reader, found) for found in (clean, corrupted))
        for writer, write in before.items():
            if is_writer(writer):
                score = ((write - after[writer]) * gradient).sum().item()
                yield f"{writer}->{reader}", score


def _read_by(reader: str, parts: StreamParts) -> Parts:
    if reader == "logits":
        return parts.final
    layer = int(reader.partition(".")[0][1:])
    return (parts.attn_reads if reader.startswith("a") else parts.mlp_reads)[layer]


def is_writer(part: str) -> bool:
    """Whether a part of the stream is one that edges start from, rather than a bias."""
    return not (part.endswith(".bias") or part.startswith("n"))
