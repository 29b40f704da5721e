"""Reports: figures of results, on one self-contained page and as images."""

from mitool.report.attention import attention_figures, attention_report
from mitool.report.browser import BrowserError, BrowserMissing, find_browser, require_browser
from mitool.report.circuits import circuit_figures, circuit_report
from mitool.report.figures import Figure
from mitool.report.fourier import fourier_figures, fourier_report
from mitool.report.images import write_images
from mitool.report.page import Report, render_page
from mitool.report.patching import patching_figures, patching_report
from mitool.report.superposition import superposition_figures, superposition_report
from mitool.report.training import seeds_figures, training_figures, training_report
from mitool.report.write import FORMATS, Written, write_report

__all__ = [
    "FORMATS",
    "BrowserError",
    "BrowserMissing",
    "Figure",
    "Report",
    "Written",
    "attention_figures",
    "attention_report",
    "circuit_figures",
    "circuit_report",
    "find_browser",
    "fourier_figures",
    "fourier_report",
    "patching_figures",
    "patching_report",
    "render_page",
    "require_browser",
    "seeds_figures",
    "superposition_figures",
    "superposition_report",
    "training_figures",
    "training_report",
    "write_images",
    "write_report",
]
