"""The phases of grokking: where they end, and in what trainings they are not to be seen."""

from collections.abc import Sequence

import pytest

from mitool.analysis.fourier.phases import Phases, find_phases
from mitool.analysis.fourier.progress import Measures


def measures(
    epoch: int, excluded: float, squared_weights: float, accuracy: float = 1.0
) -> Measures:
    parts = dict.fromkeys(("train", "test", "all"), excluded)
    right = dict.fromkeys(parts, accuracy)
    return Measures(epoch, parts, right, parts, parts, {}, None, None, squared_weights, None, 0.0)


def history_of(
    excluded: Sequence[float], weights: Sequence[float] = (), accuracy: float = 1.0
) -> list[Measures]:
    """A checkpoint every 100 epochs; weights that are left out do not change."""
    weights = weights or [1.0] * len(excluded)
    return [
        measures(100 * i, e, w, accuracy)
        for i, (e, w) in enumerate(zip(excluded, weights, strict=True))
    ]


def test_phases_end_where_the_excluded_loss_turns_and_the_weights_settle() -> None:
    excluded = [4.0, 0.1, 0.01, 0.5, 3.0, 9.0, 8.0, 7.0, 7.0, 7.0, 7.0, 7.0]
    weights = [1.0, 3.0, 3.0, 2.5, 2.2, 2.0, 1.5, 1.1, 1.02, 1.01, 1.0, 1.0]
    history = history_of(excluded, weights)
    assert find_phases(history) == Phases(
        *(200, 500, 800),
        between={
            "memorisation_end": (0, 300),
            "circuit_formation_end": (400, 700),
            "cleanup_end": (700, 800),
        },
    )
    seen = {
        name: find_phases(part)
        for name, part in {
            "still cleaning up": history[:9],
            "may only have turned": history[:8],
            "still forming": history[:5],
            "still memorising": history[:3],
            "memorised before": history[2:],
        }.items()
    }
    ends = {
        name: (phases.memorisation_end, phases.circuit_formation_end, phases.cleanup_end)
        for name, phases in seen.items()
    }
    assert ends == {
        "still cleaning up": (200, 500, None),
        "may only have turned": (200, None, None),
        "still forming": (200, None, None),
        "still memorising": (None, None, None),
        "memorised before": (None, 500, 800),
    }
    assert "weights still shrink" in seen["still cleaning up"].why_not
    assert "still rises at the last" in seen["still forming"].why_not
    assert "is lowest at the last" in seen["still memorising"].why_not
    assert "at the first checkpoint" in seen["memorised before"].why_not


RISES_ON = [4.1, 3.7, 10.7, 16.4, 14.2, 14.7, 15.6, 16.6, 17.2, 12.3, 7.4, 8.3, 9.5, 10.7, 11.7]
RISES_ON += [12.4, 12.8, 13.1, 13.3, 13.5, 13.7, 14.0, 14.1]
"""Addition mod 59 with GELU and two layers, 70 % of all pairs: a spike at epoch 470 breaks the
circuit, which forms again, and the excluded loss rises to the end."""

NEVER_GROKKED = [4.1, 0.048, 0.0148, 0.007, 0.0025, 0.0012, 0.0011, 0.249, 0.07, 0.025, 0.008]
NEVER_GROKKED += [0.0027, 0.0016, 0.163, 0.1, 0.03, 0.012, 0.0075, 0.42, 0.244, 0.156, 0.09, 0.057]
"""The same with 30 % of all pairs, right on a third of them at the end: spikes alone."""


@pytest.mark.parametrize(
    ("excluded", "accuracy", "ends", "why"),
    [
        (RISES_ON, 1.0, (100, None, None), "rises again after its highest point"),
        (NEVER_GROKKED, 0.356, (None, None, None), "rises and falls back"),
        # a spike of one checkpoint is none of its turns
        ([4, 0.1, 0.01, 0.02, 9, 0.1, 0.5, 2, 4, 4.4, 4.3, 4.0, 3.9], 1.0, (200, 900, None), ""),
        (
            [4, 0.1, 0.01, 0.1, 1, 3, 5, 7, 7.0, 7.02, 7.0, 7.03, 7.02],
            1.0,
            (200, None, None),
            "about as high",
        ),
        # whatever its excluded loss does, a model that is wrong has formed no circuit
        (
            [4, 0.1, 0.01, 0.5, 3, 9, 8, 7, 7, 7],
            0.9,
            (200, None, None),
            "right on 90.0% of all pairs",
        ),
        ([4, 0.1, 0.01, 0.5, 3, 9, 8, 7, 7, 7], 1.0, (200, 500, None), "hardly shrink"),
    ],
)
def test_turns_that_do_not_last_are_none(
    excluded: list[float], accuracy: float, ends: tuple[int | None, ...], why: str
) -> None:
    found = find_phases(history_of(excluded, accuracy=accuracy))
    assert tuple(found.ends.values()) == ends
    assert why in found.why_not
    assert set(found.between) == {name for name, epoch in found.ends.items() if epoch is not None}
    for name, (first, last) in found.between.items():
        assert first <= (found.ends[name] or 0) <= last


def test_weights_that_grow_again_are_not_cleaned_up() -> None:
    excluded = [4, 0.1, 0.01, 0.5, 3, 9, 8, 7, 7, 7, 7, 7, 7]
    shrinks = [1, 3, 3, 3, 3, 3, 2, 1.01, 1.01, 1, 1, 1, 1]
    assert find_phases(history_of(excluded, shrinks)).cleanup_end == 700
    grows = [1, 3, 3, 3, 3, 3, 2, 1.01, 0.5, 0.5, 0.8, 1.2, 1]
    found = find_phases(history_of(excluded, grows))
    assert found.cleanup_end is None
    assert "weights still shrink" in found.why_not
