"""Shapes in annotations are checked while the tests run, in the modules that carry them."""

from jaxtyping import install_import_hook

install_import_hook(
    [
        "mitool.models",
        "mitool.training",
        "mitool.planted",
        "mitool.analysis.interventions",
        "mitool.analysis.circuits",
        "mitool.analysis.patching",
        "mitool.analysis.statistics",
    ],
    "beartype.beartype",
)
