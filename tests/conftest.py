"""What tests run under: their order, checked shapes, and a core for each worker of pytest-xdist."""

import os

import pytest
from jaxtyping import install_import_hook

from tests import shapes

worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker and hasattr(os, "sched_setaffinity"):
    # before torch is loaded, which like `Device` takes as many threads as it has cores: two workers
    # that share cores wait for each other's threads; what a test starts stays on the core as well
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

install_import_hook(
    [
        "mitool.models",
        "mitool.training",
        "mitool.planted",
        "mitool.analysis.interventions",
        "mitool.analysis.circuits",
        "mitool.analysis.patching",
        "mitool.analysis.statistics",
        "mitool.analysis.monosemanticity",
        "mitool.analysis.superposition",
    ],
    f"{shapes.__name__}.{shapes.first_calls.__name__}",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, lest one worker is left with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    shapes.check_again()
