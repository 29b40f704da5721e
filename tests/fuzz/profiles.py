"""How many cases the fuzz tests try: a slice in `make test`, always the same, and at least ten
thousand in `make fuzz`, other ones each time.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

PROFILE = "MITOOL_FUZZ"
"""The variable of the environment that names the profile."""

SLICE, NIGHTLY = "slice", "nightly"
TIMES = 10
"""As many cases in `make fuzz` as in `make test`."""

LEAST_CASES = 10_000
"""Cases that `make fuzz` is to have tried."""

COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile(
    SLICE, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), **COMMON
)
settings.register_profile(NIGHTLY, print_blob=True, **COMMON)

Test = Callable[..., None]

tried: dict[str, int] = {}
"""Cases that have been tried to their end, by test."""


def profile() -> str:
    """The profile that is asked for: the slice, if nothing is said."""
    return os.environ.get(PROFILE, SLICE)


def fuzzed(
    cases: int, *, times: int = TIMES, **strategies: SearchStrategy[Any]
) -> Callable[[Test], Test]:
    """Try a test on so many cases, drawn for its arguments, and count them; nightly on so many
    times as many.
    """

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            test(*arguments, **named)
            tried[test.__name__] = tried.get(test.__name__, 0) + 1

        name = profile()
        n_cases = cases * (times if name == NIGHTLY else 1)
        chosen = settings(settings.get_profile(name), max_examples=n_cases)
        return chosen(given(**strategies)(counted))

    return decorate
