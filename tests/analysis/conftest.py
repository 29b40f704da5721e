"""What tests of analyses share."""

from collections.abc import Iterator

import pytest

from tests.huggingface.exactness import exactly_float64


@pytest.fixture
def exact_norms() -> Iterator[None]:
    """Norms, softmax and routers in float64: the library's own go by way of float32, whose
    rounding hides errors.
    """
    with exactly_float64():
        yield
