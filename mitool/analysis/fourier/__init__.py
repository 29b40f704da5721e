"""The grokked algorithm, measured: modular arithmetic as a sum of trig identities.

Definitions are those of Nanda et al. 2023, arXiv 2301.05217, in float64.
"""

from mitool.analysis.fourier.claims import claim_names
from mitool.analysis.fourier.result import FourierResult
from mitool.analysis.fourier.study import analyze_fourier

__all__ = ["FourierResult", "analyze_fourier", "claim_names"]
