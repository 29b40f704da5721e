from dataclasses import fields

import pytest

from mitool.core.config import as_dict, build, field_hints, help_text, nearest, valid_range
from mitool.core.errors import UsageError
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.modadd import ModAdd


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p": 1}, "p: expected 2 <= p <= 65536, found 1"),
        ({"p": 0}, "p: expected 2 <= p <= 65536, found 0"),
        ({"p": "many"}, "p: expected a whole number, 2 <= p <= 65536, found 'many'"),
        ({"frac_train": 0.0}, "frac_train: expected 0 < frac_train < 1, found 0.0"),
        ({"frac_train": 1.5}, "frac_train: expected 0 < frac_train < 1, found 1.5"),
        ({"op": "ad"}, "op: expected one of add, subtract, multiply, square-sum, found 'ad'"),
        ({"q": 3}, "q: no such setting; known: frac_train, op, p"),
        ({"p": 1, "op": "x"}, "; "),
    ],
)
def test_build_names_the_field_the_range_and_what_was_found(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        build(ModAdd, values)
    assert message in str(error.value)


def test_model_settings_need_a_width_for_each_head() -> None:
    with pytest.raises(UsageError, match="multiple of n_heads = 4, found 130"):
        build(ModelSettings, {"d_model": 130, "n_heads": 4})
    assert build(ModelSettings, {"d_model": 130, "n_heads": 4, "d_head": 16}).d_head == 16


@pytest.mark.parametrize("settings", [ModAdd(p=7), ModelSettings(), TrainingSettings(lr=0.1)])
def test_settings_survive_the_way_through_a_dict(settings: object) -> None:
    assert build(type(settings), as_dict(settings)) == settings


@pytest.mark.parametrize("cls", [ModAdd, ModelSettings, TrainingSettings])
def test_every_setting_has_a_help_text_of_its_own(cls: type) -> None:
    hints = field_hints(cls)
    for field in fields(cls):
        text = help_text(field, hints[field.name])
        assert len(text) > 3
        assert text != field.name


def test_ranges_read_as_mathematics() -> None:
    hints = field_hints(TrainingSettings)
    assert valid_range("lr", hints["lr"]) == "0 < lr <= 1000"
    assert valid_range("epochs", hints["epochs"]) == "epochs >= 1"
    assert valid_range("optimizer", hints["optimizer"]) == "one of adamw, adam, sgd"
    assert valid_range("stop_on_grok", hints["stop_on_grok"]) == ""


def test_nearest_suggests_and_lists() -> None:
    assert nearest("modad", ["min", "modadd"]) == "did you mean 'modadd'? known: min, modadd"
    assert nearest("zzz", ["min"]) == "known: min"
