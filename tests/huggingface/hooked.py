"""The oracle of Hugging Face models: what their own modules hold, and what of it follows.

It uses torch and transformers only, so that it has nothing in common with what it is to test.
Models are run in float64 to the end, under ``exactly_float64``.
"""

from tests.huggingface.edges import eap_scores, logit_difference, reader_gradients
from tests.huggingface.exactness import exactly_float64
from tests.huggingface.one_token import (
    one_token_scores,
    one_token_writes,
    scale_after_attention,
)
from tests.huggingface.parts import direct_attribution, stream_parts, uncapped_logits
from tests.huggingface.places import places_of
from tests.huggingface.runs import Activations, activations, logits_of, patched_logits

__all__ = [
    "Activations",
    "activations",
    "direct_attribution",
    "eap_scores",
    "exactly_float64",
    "logit_difference",
    "logits_of",
    "one_token_scores",
    "one_token_writes",
    "patched_logits",
    "places_of",
    "reader_gradients",
    "scale_after_attention",
    "stream_parts",
    "uncapped_logits",
]
