"""What all tests run under: checked shapes, and a core for each worker of pytest-xdist.

Shapes in annotations are checked while the tests run, in the modules that carry them.
"""

import os

from jaxtyping import install_import_hook

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
    "beartype.beartype",
)
