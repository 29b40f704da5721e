"""Shapes in annotations, checked in the first calls of every test.

A check takes longer than many a call itself, and the thousandth step of a training has the shapes
of the first.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import beartype
from jaxtyping import config

MOST_CHECKED = 500
"""Arguments or results of calls that are checked in a test."""

_checked = 0


def check_again() -> None:
    """Begin to check, for another test."""
    global _checked
    _checked = 0
    config.update("jaxtyping_disable", False)


def first_calls(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose types are checked, the first times that any such function is called."""
    check = beartype(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        global _checked
        _checked += 1
        if _checked == MOST_CHECKED:
            config.update("jaxtyping_disable", True)
        return check(*args, **kwargs)

    return checked
