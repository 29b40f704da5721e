"""A decoder as the parts that interventions work on, and what it is held against."""

from mitool.models.decoder.attention import HeadNorm, Letter, Projection
from mitool.models.decoder.decoder import Decoder, Read
from mitool.models.decoder.layer import Layer
from mitool.models.decoder.norm import Norm
from mitool.models.decoder.original import Observed, Original, Tables

__all__ = [
    "Decoder",
    "HeadNorm",
    "Layer",
    "Letter",
    "Norm",
    "Observed",
    "Original",
    "Projection",
    "Read",
    "Tables",
]
