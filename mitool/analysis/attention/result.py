"""The result of an analysis of attention: claims, arrays and verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.attention.attribution import DirectAttribution
from mitool.analysis.attention.scores import KINDS
from mitool.analysis.attention.study import AttentionStudy
from mitool.analysis.attention.verdicts import Evidence, OfAnswer, Scored, Written, verdict
from mitool.core.node_names import head_name
from mitool.core.numerals import share
from mitool.core.result import Claim, Result, number

OF_MODEL = (
    *("n_layers", "n_heads", "accuracy", "attention_to_answer_operand"),
    *(f"{kind}_score_by_chance" for kind in KINDS),
)
OF_HEAD = (
    *("ov_top1", "ov_raised", "copying_score", "qk_rank_correlation"),
    *(f"{kind}_score" for kind in KINDS),
    *("entropy", "direct_logit_attribution", "attention_to_answer_operand", "verdict"),
)
"""The claims on a model and on each of its heads; those on answers only where there are some."""

POOR = 0.5
"""Accuracy below which a reader is warned."""


@dataclass(frozen=True)
class AttentionResult(Result):
    """What an analysis of attention found."""

    study: AttentionStudy

    def arrays(self) -> Mapping[str, Tensor]:
        study, seen = self.study, self.study.observation
        found = {
            "mean_attention": seen.mean_attention,
            "entropy": seen.entropy,
            "first_token_attention": seen.first_token,
            "attention_by_token": seen.by_token,
            **_attributed(seen.attribution),
            **_on_itself(study),
            **{f"{kind}_score": kept.scores for kind, kept in study.kinds.items()},
            **{f"{kind}_by_position": kept.by_position for kind, kept in study.kinds.items()},
            **{f"pattern.{i}": shown.pattern for i, shown in enumerate(study.shown)},
        }
        if study.answer_operand is not None:
            found["attention_to_answer_operand"] = study.answer_operand.share
            found["attention_on_answer_operand"] = study.answer_operand.attention
        if study.answer_row is not None:
            found["qk_answer_row"] = study.answer_row.scores
        if study.composition is not None:
            names = ("q", "k", "v", "virtual_copying")
            found |= {f"composition.{name}": getattr(study.composition, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def head_names(self) -> list[str]:
        return head_names(self.study)

    @property
    def verdicts(self) -> list[str]:
        """A line for each head."""
        return [str(self.claims[f"{name}.verdict"]) for name in self.head_names]

    @property
    def conclusion(self) -> str | None:
        """The verdict on the head that adds most to the answer, where answers are known."""
        attribution = self.study.observation.attribution
        return None if attribution is None else self.verdicts[int(attribution.heads.argmax())]


def _on_itself(study: AttentionStudy) -> dict[str, Tensor]:
    own = study.on_itself
    if own is None:
        return {}
    return {
        "ov_top1": own.top1,
        "ov_raised": own.raised,
        "ov_eigenvalues": torch.view_as_real(own.eigenvalues),
        "copying_score": own.copying_score,
    }


def _attributed(found: DirectAttribution | None) -> dict[str, Tensor]:
    """What each part adds to the answer, by the names of arrays."""
    if found is None:
        return {}
    name = "direct_logit_attribution"
    return {
        name: found.heads,
        f"{name}.mlps": found.mlps,
        f"{name}.embed": found.embed,
        f"{name}.biases": found.biases,
    }


def head_names(study: AttentionStudy) -> list[str]:
    """``L0H0`` and so on."""
    return [head_name(*head) for head in study.weights.heads]


def claim_names(n_layers: int, n_heads: int) -> list[str]:
    """What the claims on a model of that shape will be called."""
    heads = [head_name(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    return [*OF_MODEL, *(f"{head}.{measure}" for head in heads for measure in OF_HEAD)]


def attention_result(
    study: AttentionStudy, subject: Mapping[str, Any], config: Mapping[str, Any]
) -> AttentionResult:
    """The result of a study, every measure as a claim."""
    per_head = _per_head(study)
    claims: dict[str, Claim] = {
        "n_layers": study.weights.W_Q.shape[0],
        "n_heads": study.weights.W_Q.shape[1],
    }
    if study.observation.accuracy is not None:
        claims["accuracy"] = study.observation.accuracy
    if study.answer_operand is not None:
        claims["attention_to_answer_operand"] = study.answer_operand.share.max().item()
    for kind, kept in study.kinds.items():
        claims[f"{kind}_score_by_chance"] = number(kept.chance)
    for (layer, head), name in zip(study.weights.heads, head_names(study), strict=True):
        own = {measure: number(values[layer, head].item()) for measure, values in per_head.items()}
        claims |= {f"{name}.{measure}": value for measure, value in own.items()}
        claims[f"{name}.verdict"] = verdict(name, _evidence(study, layer, head, own))
    return AttentionResult(subject, config, claims, study=study, warnings=_warnings(study))


def _per_head(study: AttentionStudy) -> dict[str, Tensor]:
    """Each measure [layer, head]; NaN where it is undefined for all heads."""
    row, attributed, own = study.answer_row, study.observation.attribution, study.on_itself
    found = {
        "ov_top1": None if own is None else own.top1,
        "ov_raised": None if own is None else own.raised,
        "copying_score": None if own is None else own.copying_score,
        "qk_rank_correlation": None if row is None else row.rank_correlation,
        **{f"{kind}_score": kept.scores for kind, kept in study.kinds.items()},
        "entropy": study.observation.entropy,
        "direct_logit_attribution": None if attributed is None else attributed.heads,
    }
    nothing = torch.full_like(study.observation.entropy, torch.nan)
    measures = {name: nothing if values is None else values for name, values in found.items()}
    if study.answer_operand is not None:
        measures["attention_to_answer_operand"] = study.answer_operand.share
    return measures


def _evidence(
    study: AttentionStudy, layer: int, head: int, own: Mapping[str, float | None]
) -> Evidence:
    kinds = {
        kind: Scored(score, kept.chance, kept.by_position[layer, head].item())
        for kind, kept in study.kinds.items()
        if (score := own[f"{kind}_score"]) is not None
    }
    entropy, top1, raised = own["entropy"], own["ov_top1"], own["ov_raised"]
    assert entropy is not None
    writes, to_answer, of = None, None, study.answer_operand
    if top1 is not None and raised is not None:
        writes = Written(top1, raised, own["copying_score"])
    if of is not None:
        at = of.share[layer, head].item(), of.attention[layer, head].item()
        to_answer = OfAnswer(*at, of.chance)
    return Evidence(
        to_answer=to_answer,
        kinds=kinds,
        kinds_on=study.kinds_on,
        rests_on_first=(
            study.observation.first_token[layer, head].item() if study.has_common_start else None
        ),
        entropy=entropy,
        top_places=study.top_places[study.weights.heads.index((layer, head))],
        writes=writes,
        by_embeddings=layer > 0,
        rank_correlation=own["qk_rank_correlation"],
        n_values=0 if study.answer_row is None else study.answer_row.n_values,
        attribution=own["direct_logit_attribution"],
        against="the wrong answer's" if study.has_wrong_answers else "the mean of all outputs",
    )


def _warnings(study: AttentionStudy) -> tuple[str, ...]:
    """Why measures are undefined, each once for all heads."""
    found = []
    accuracy, row = study.observation.accuracy, study.answer_row
    if accuracy is not None and accuracy < POOR:
        found.append(
            f"the model is right on {share(accuracy, 1)} of the answers: what its heads do may "
            "not be what the task asks for"
        )
    if any(study.values_cut):
        most = max(study.values_cut)
        found.append(
            f"the model cuts values at a largest size, in layer {study.values_cut.index(most)} for "
            f"{most:z.1%} of the tokens: OV circuits, which are linear, leave that out"
        )
    if row is None:
        found.append(
            "qk_rank_correlation is undefined: no answer is read at a token that is the same in "
            "all prompts"
        )
    elif row.rank_correlation is None:
        found.append("qk_rank_correlation is undefined: the outputs do not stand for numbers")
    if study.on_itself is None:
        found.append(
            "ov_top1, ov_raised and copying_score are undefined: the task does not say that its "
            "outputs are tokens (outputs_are_tokens), so that there is nothing a head could copy"
        )
    if study.observation.attribution is None:
        found.append("direct_logit_attribution is undefined: the prompts come without answers")
    found += [
        f"{kind}_score is undefined: no prompt has a token that such a head would look at"
        for kind, kept in study.kinds.items()
        if not kept.n_queries
    ]
    return tuple(found)
