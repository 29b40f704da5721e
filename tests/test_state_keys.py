"""Names of weights without what wrappers add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitool.storage.state_keys import unwrapped

TOY = [
    "embed.W_E",
    *(f"blocks.{n}.{part}" for n in range(2) for part in ("attn.W_Q", "mlp.W_in")),
    "unembed.W_U",
]
GENERIC = {"embed.W_E", "blocks.#.attn.W_Q", "blocks.#.mlp.W_in", "unembed.W_U"}
LLAMA = {
    "model.embed_tokens.weight",
    *(f"model.layers.{n}.self_attn.q_proj.weight" for n in range(3)),
    "model.norm.weight",
    "lm_head.weight",
}


@pytest.mark.parametrize("expected", [GENERIC, set(TOY)])
@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "net.",
        "lm.",
        "module._orig_mod.",
        "a.b.c.",
        "module.net.",
    ],
)
def test_a_prefix_of_all_names_is_removed(prefix: str, expected: set[str]) -> None:
    found = unwrapped([prefix + name for name in TOY], expected)
    assert found is not None
    assert list(found.names.values()) == TOY
    assert found.prefix == prefix
    assert found.note == f"names are read without '{prefix}'"


def test_names_as_expected_stay_as_they_are() -> None:
    found = unwrapped(TOY, GENERIC)
    assert found is not None
    assert (found.prefix, found.wrappers, found.note, found.n_matched) == (None, (), None, 6)
    assert found.names == {name: name for name in TOY}


def test_wrappers_in_the_middle_of_some_names_are_removed() -> None:
    names = [name.replace("blocks.1.", "blocks.1._orig_mod.module.") for name in TOY]
    found = unwrapped([f"model.{name}" for name in names], GENERIC)
    assert found is not None
    assert list(found.names.values()) == TOY
    assert found.note == "names are read without 'model.' and 'module.' and '_orig_mod.'"


@pytest.mark.parametrize("old", ["model.language_model.", "language_model.model.", ""])
def test_the_part_of_a_model_that_is_the_language_model_is_found(old: str) -> None:
    names = {name.replace("model.", old, 1): name for name in LLAMA}
    head = "language_model." if old.startswith("language_model") else ""
    names = {head * (name == "lm_head.weight") + old: name for old, name in names.items()}
    found = unwrapped(names, LLAMA)
    assert found is not None
    assert found.names == names


def test_other_names_keep_their_place() -> None:
    names = ["model.loss.weight", *(f"model.{name}" for name in TOY), "metric.total"]
    found = unwrapped(names, GENERIC)
    assert found is not None
    assert list(found.names.values()) == ["loss.weight", *TOY, "metric.total"]


@pytest.mark.parametrize("names", [[], ["fc.weight", "fc.bias"], ["W_E"]])
def test_nothing_is_found_where_no_name_is_expected(names: list[str]) -> None:
    assert unwrapped(names, GENERIC) is None


def test_two_names_never_become_one() -> None:
    both = [*TOY, *(f"module.{name}" for name in TOY)]
    found = unwrapped(both, GENERIC)
    assert found is not None
    assert found.names == {name: name for name in both}


def test_of_two_whole_models_one_keeps_its_prefix() -> None:
    names = [f"{part}.{name}" for part in ("student", "ema") for name in TOY]
    found = unwrapped(names, GENERIC)
    assert found is not None
    assert found.prefix == "student."
    assert list(found.names.values()) == [*TOY, *names[6:]]


def test_a_prefix_of_a_few_names_is_kept() -> None:
    found = unwrapped([*TOY[1:], "ema.embed.W_E"], GENERIC)
    assert found is not None
    assert found.names["ema.embed.W_E"] == "ema.embed.W_E"


PARTS = st.lists(st.sampled_from(["module", "_orig_mod", "model", "0", "ema", "x"]), max_size=4)


@given(
    st.lists(st.tuples(PARTS, st.sampled_from(TOY)).map(lambda p: ".".join([*p[0], p[1]]))),
    st.sampled_from([GENERIC, LLAMA, set(TOY)]),
)
def test_each_name_has_one_of_its_own(names: list[str], expected: set[str]) -> None:
    found = unwrapped(names, expected)
    if found is not None:
        assert list(found.names) == list(dict.fromkeys(names))
        assert len(set(found.names.values())) == len(found.names)
