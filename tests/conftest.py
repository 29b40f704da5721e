"""Shapes in annotations are checked while the tests run, in the modules that carry them."""

from jaxtyping import install_import_hook

SHAPED = [
    "mitool.models",
    "mitool.training.data",
    "mitool.training.loss",
    "mitool.training.step",
]

install_import_hook(SHAPED, "beartype.beartype")
