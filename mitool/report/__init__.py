"""Reports: figures of results, on one self-contained page and as images.

The names load on first use: the page of a training needs none of the analyses, which load
TransformerLens.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitool.report.attention import attention_figures, attention_report
    from mitool.report.browser import BrowserError, BrowserMissing, find_browser, require_browser
    from mitool.report.circuits import circuit_figures, circuit_report
    from mitool.report.figures import Figure
    from mitool.report.formats import Formats
    from mitool.report.fourier import fourier_figures, fourier_report
    from mitool.report.images import write_images
    from mitool.report.index import IndexResult, gather, render_index, write_index
    from mitool.report.monosemanticity import monosemanticity_figures, monosemanticity_report
    from mitool.report.page import Report, render_page
    from mitool.report.patching import patching_figures, patching_report
    from mitool.report.superposition import superposition_figures, superposition_report
    from mitool.report.sweep import sweep_figures, sweep_report
    from mitool.report.training import seeds_figures, training_figures, training_report
    from mitool.report.write import FORMATS, Written, write_report

_HOMES = {
    "attention_figures": "mitool.report.attention",
    "attention_report": "mitool.report.attention",
    "BrowserError": "mitool.report.browser",
    "BrowserMissing": "mitool.report.browser",
    "find_browser": "mitool.report.browser",
    "require_browser": "mitool.report.browser",
    "circuit_figures": "mitool.report.circuits",
    "circuit_report": "mitool.report.circuits",
    "Figure": "mitool.report.figures",
    "Formats": "mitool.report.formats",
    "fourier_figures": "mitool.report.fourier",
    "fourier_report": "mitool.report.fourier",
    "write_images": "mitool.report.images",
    "IndexResult": "mitool.report.index",
    "gather": "mitool.report.index",
    "render_index": "mitool.report.index",
    "write_index": "mitool.report.index",
    "monosemanticity_figures": "mitool.report.monosemanticity",
    "monosemanticity_report": "mitool.report.monosemanticity",
    "Report": "mitool.report.page",
    "render_page": "mitool.report.page",
    "patching_figures": "mitool.report.patching",
    "patching_report": "mitool.report.patching",
    "superposition_figures": "mitool.report.superposition",
    "superposition_report": "mitool.report.superposition",
    "sweep_figures": "mitool.report.sweep",
    "sweep_report": "mitool.report.sweep",
    "seeds_figures": "mitool.report.training",
    "training_figures": "mitool.report.training",
    "training_report": "mitool.report.training",
    "FORMATS": "mitool.report.write",
    "Written": "mitool.report.write",
    "write_report": "mitool.report.write",
}

__all__ = [
    "FORMATS",
    "BrowserError",
    "BrowserMissing",
    "Figure",
    "Formats",
    "IndexResult",
    "Report",
    "Written",
    "attention_figures",
    "attention_report",
    "circuit_figures",
    "circuit_report",
    "find_browser",
    "fourier_figures",
    "fourier_report",
    "gather",
    "monosemanticity_figures",
    "monosemanticity_report",
    "patching_figures",
    "patching_report",
    "render_index",
    "render_page",
    "require_browser",
    "seeds_figures",
    "superposition_figures",
    "superposition_report",
    "sweep_figures",
    "sweep_report",
    "training_figures",
    "training_report",
    "write_images",
    "write_index",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mitool.report' has no attribute {name!r}")
