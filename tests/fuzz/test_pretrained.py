"""Models that others made: random configurations of every architecture, random pairs of texts.

A study of one gives numbers that are the model's own, as plain hooks on it find them in float64, or
it is refused with a reason; never a traceback, never a number that is off.
"""

import pytest
from hypothesis import strategies as st

from tests.fuzz.profiles import fuzzed
from tests.huggingface.random_models import KINDS, OTHERS
from tests.huggingface.studies import STUDIES, study_and_compare


@fuzzed(
    60,
    times=40,
    kind=st.sampled_from([*KINDS, *OTHERS]),
    seed=st.integers(0, 10**6),
    study=st.sampled_from(sorted(STUDIES)),
    lengths=st.lists(st.integers(3, 10), min_size=1, max_size=3),
)
def test_numbers_are_the_models_own_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int, study: str, lengths: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("model")
    (reason,) = study_and_compare(kind, seed, [study], lengths, folder).values()
    assert reason is None or "architecture" in reason
