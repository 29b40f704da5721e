"""Any models of superposition: what is measured of all of them."""

from dataclasses import replace

from mitool.analysis.superposition.experiments.base import any_models, no_claims
from mitool.analysis.superposition.experiments.intro import INTRO

TRAIN = replace(INTRO, name="train", claims=no_claims, require=any_models)
