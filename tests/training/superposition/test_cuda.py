"""Models of superposition on a CUDA device end where they do on the CPU."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitool.core.device import available, resolve
from tests.training.runs import same
from tests.training.superposition.families import config, run

pytestmark = pytest.mark.skipif("cuda:0" not in available(), reason="there is no CUDA device")


def test_the_same_examples_give_nearly_the_same_weights(tmp_path: Path) -> None:
    host = config()
    cuda = replace(host, device=resolve("cuda"))
    expected, found = run(host, tmp_path / "host"), run(cuda, tmp_path / "cuda")
    for name, weight in expected.items():
        torch.testing.assert_close(weight, found[name], rtol=1e-3, atol=1e-4)
    assert same(found, run(cuda, tmp_path / "again"))
