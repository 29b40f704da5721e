"""What a configuration of TransformerLens's must say for a toy transformer to be its equal."""

import math
from collections.abc import Iterable, Mapping
from typing import get_args

from mitool.core.errors import InputError
from mitool.settings import Activation, Normalization

EPS = 1e-5
"""What normalisations add to the variance."""

NO_SOFT_CAP = -1.0
"""TransformerLens's value for a soft cap that is not there."""

STATED = ("n_heads", "act_fn", "attention_dir")
"""Fields that say what the shapes of weights do not, and mean the same in both libraries."""


def require_features(config: Mapping[str, object], remedy: str) -> None:
    """Check each field of a configuration that is there.

    Raises:
        InputError: one has a value that no toy transformer can have; the message names the first
            such field and ends in ``remedy``.
    """
    for field, values in _known(config).items():
        if field not in config:
            continue
        found = config[field]
        if not isinstance(found, str | float | int | None) or found not in values:
            expected = " or ".join(dict.fromkeys(map(repr, values)))
            raise InputError(
                f"{field}: expected {expected}, which toy transformers have, "
                f"found {repr(found)[:80]}; {remedy}"
            )


def stated_by(config: Mapping[str, object]) -> dict[str, object]:
    """The settings of a toy transformer that a configuration says and that no shape shows.

    Raises:
        InputError: the configuration is of a model that is no toy transformer's equal.
    """
    require_features(config, "such a model cannot be converted")
    stated = {name: config[name] for name in STATED if name in config}
    if "normalization_type" in config:
        stated["normalization_type"] = config["normalization_type"] or "none"
    return stated


def _known(config: Mapping[str, object]) -> dict[str, Iterable[object]]:
    d_head = config.get("d_head")
    scale = math.sqrt(d_head) if isinstance(d_head, int) and 0 < d_head < 2**31 else None
    normalization = config.get("normalization_type")
    return {
        "positional_embedding_type": ["standard"],
        "gated_mlp": [False],
        "n_key_value_heads": [None, config.get("n_heads")],
        "attn_scores_soft_cap": [NO_SOFT_CAP, 0],
        "output_logits_soft_cap": [NO_SOFT_CAP, 0],
        "use_attn_scale": [True],
        "attn_scale": [-1, scale],
        "use_local_attn": [False],
        "parallel_attn_mlp": [False],
        "act_fn": get_args(Activation),
        "attention_dir": ["causal", "bidirectional"],
        "normalization_type": [None, *(kind for kind in get_args(Normalization) if kind != "none")],
        "final_rms": [False, normalization in ("RMS", "RMSPre")],
        "eps": [EPS],
    }
