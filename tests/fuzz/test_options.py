"""Options whose values are a text with a syntax of their own."""

from functools import partial

import pytest
from hypothesis import strategies as st

from mitool.cli.train import MOST_SEEDS, parse_seeds
from mitool.core.config import build
from mitool.core.device import resolve
from mitool.core.errors import RunError, UsageError
from mitool.settings import SuperpositionSettings
from mitool.settings.spread import importances, n_listed, sparsities
from tests.fuzz.commands import Commands, accepted, bounded
from tests.fuzz.profiles import fuzzed

LONG = "9" * 5000
SEEDS = st.one_of(
    st.lists(
        st.one_of(
            st.integers(0, 30).map(str), st.sampled_from(["0-4", "3-1", "0-99999", LONG, "-1"])
        ),
        max_size=4,
    ).map(",".join),
    st.text("0123456789,- ", max_size=12),
    st.text(max_size=8),
)
DEVICES = st.one_of(
    st.sampled_from(["auto", "cpu", "cpu:0", "cuda:", f"cuda:{LONG}", "cuda:٣", "mps:1", "meta"]),
    st.text("acdupms:0123456789", max_size=9),
    st.text(max_size=6),
)
NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "0.9", ".5", "1e-300", "1e300", "1e999", "1e-999", LONG, "", "nan"]),
    st.floats(0, 2).map(str),
)
SPREADS = st.one_of(
    st.tuples(NUMBERS, st.sampled_from(["..", ",", "^i", "^", "...", ""]), NUMBERS).map("".join),
    st.tuples(NUMBERS, st.just("^i")).map("".join),
    st.lists(NUMBERS, max_size=4).map(",".join),
    st.text("0123456789.,^ie- ", max_size=10),
    st.text(max_size=5),
)
FORMATS = st.one_of(
    st.lists(st.sampled_from(["html", " html", "pdf", "", "HTML", "svg"]), max_size=3).map(
        ",".join
    ),
    st.text(max_size=6),
)
PROMPTS = st.one_of(
    st.lists(st.sampled_from([*"01234", "=", "5", "x"]), max_size=5).map(" ".join),
    st.text(max_size=8),
)
QUICK = ("--format", "html", "--quiet", "--overwrite")


@fuzzed(60, text=SEEDS)
def test_any_text_is_seeds_or_refused(text: str) -> None:
    seeds = accepted(lambda: parse_seeds(text), UsageError)
    if seeds is not None:
        assert len(set(seeds)) == len(seeds) <= MOST_SEEDS
        again = ",".join(map(str, seeds))
        assert parse_seeds(again) == seeds


def test_seeds_are_at_most_so_many_in_all() -> None:
    ranges = ",".join(f"{i * 10_000}-{i * 10_000 + 9_999}" for i in range(1000))
    with bounded(5), pytest.raises(UsageError, match="at most 10000 seeds"):
        parse_seeds(ranges)


@fuzzed(40, text=DEVICES)
def test_any_text_is_a_device_or_refused(text: str) -> None:
    accepted(lambda: resolve(text), UsageError, RunError)


@fuzzed(80, text=SPREADS, n=st.integers(1, 20))
def test_any_text_is_a_spread_of_values_or_refused(text: str, n: int) -> None:
    for field, values_of in (("importance", importances), ("sparsity", sparsities)):
        settings = {"n_features": n, "n_hidden": 1, "n_instances": n, field: text}
        if accepted(partial(build, SuperpositionSettings, settings), UsageError) is not None:
            listed = n_listed(text) or n
            values = values_of(text, listed if field == "importance" else n)
            assert len(values) in (n, listed)
            assert all(0 <= value < float("inf") for value in values)


TRAINED = ("--epochs", "1", "--p", "3", "--d-model", "4", "--n-heads", "1")


@fuzzed(
    5,
    option=st.one_of(
        st.tuples(st.just("--seeds"), SEEDS.filter(lambda text: "-" not in text)),
        st.tuples(st.just("--device"), DEVICES.filter(lambda text: "cuda" not in text)),
        st.tuples(st.just("--format"), FORMATS),
        st.tuples(st.just("--dtype"), st.text(max_size=8)),
        st.tuples(st.just("--threads"), st.integers(-2, 2).map(str)),
        st.tuples(st.sampled_from(["--seed", "--split-seed"]), st.integers(-1, 2**64).map(str)),
    ),
)
def test_a_training_takes_an_option_or_refuses_it(
    commands: Commands, option: tuple[str, str]
) -> None:
    if "\x00" not in option[1]:
        words = (*QUICK, *TRAINED, f"{option[0]}={option[1]}")
        commands.answered("train", "modadd", *words, "-o", "trained", codes=(0, 1, 2))


@fuzzed(
    4,
    option=st.sampled_from(["--importance", "--sparsity"]),
    text=SPREADS,
    n=st.integers(1, 3),
)
def test_toy_models_take_an_option_or_refuse_it(
    commands: Commands, option: str, text: str, n: int
) -> None:
    if "\x00" not in text:
        sizes = ("--n-features", "3", "--n-hidden", "1", "--n-instances", str(n), "--steps", "1")
        words = (*QUICK, *sizes, "--batch-size", "2", f"{option}={text}", "-o", "toy")
        commands.answered("superpose", "train", *words, codes=(0, 2))


@fuzzed(4, prompts=st.lists(PROMPTS, min_size=1, max_size=2))
def test_prompts_are_looked_at_or_refused(commands: Commands, prompts: list[str]) -> None:
    words = [f"--prompt={prompt}" for prompt in prompts if "\x00" not in prompt]
    commands.answered("analyze", "attn", "modadd", *words, *QUICK, "-o", "attn", codes=(0, 2))


@fuzzed(
    4,
    texts=st.lists(
        st.tuples(st.sampled_from(["k", "reg", "learning-rate", "x"]), SPREADS).map("=".join),
        min_size=1,
        max_size=2,
    ),
)
def test_a_sweep_of_neurons_takes_values_or_refuses_them(
    commands: Commands, texts: list[str]
) -> None:
    words = [f"--sweep={text}" for text in texts if "\x00" not in text]
    (commands.folder / "file").touch()
    commands.answered(
        "superpose",
        "mono",
        *words,
        "--N",
        "4",
        "--m",
        "2",
        "-o",
        "file",
        "--device",
        "cpu",
        "--format",
        "html",
        codes=(1, 2),
    )
