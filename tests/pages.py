"""Commands that pages and examples show, with their trainings cut short."""

import shlex

from mitool.sweeps.grid import parse_values

SHORT = {
    "train": ["--epochs", "2"],
    "superpose": ["--steps", "2"],
    "superpose mono": ["--log2-training-steps", "1"],
}


def short_of(words: list[str]) -> list[str]:
    """The command with its trainings cut short, unless a check says how they must end."""
    if words[0] != "sweep":
        is_whole = {"--check", "--from", "--list"} & set(words)
        shorter = SHORT.get(" ".join(words[:2]), SHORT.get(words[0], []))
        return [*words, *([] if is_whole else shorter)]
    name, base, *options = words
    return [name, shlex.join(short_of(shlex.split(base))), *map(two_of, options)]


def two_of(option: str) -> str:
    """The first two values of an axis of a sweep; any other option as it is."""
    axis, equals, values = option.partition("=")
    is_axis = axis.replace("-", "_").isidentifier() and equals
    return f"{axis}={','.join(parse_values(values, axis)[:2])}" if is_axis else option
