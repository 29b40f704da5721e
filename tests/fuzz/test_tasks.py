"""The parameters of tasks, models and trainings: at their bounds, inside and outside of them."""

import shutil
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from mitool import tasks
from mitool.core.config import field_hints
from mitool.settings import ModelSettings, TrainingSettings
from mitool.settings.superposition import PRESETS
from tests.fuzz.commands import Commands
from tests.fuzz.profiles import fuzzed

WORDS = st.sampled_from(
    ["", "nan", "inf", "-inf", "1e999", "1.5", "x", "1_0", "٣", "0x1", "9" * 5000]
)


def bounds(hint: object) -> list[Any]:
    """The bounds of a field."""
    info = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldInfo)), None)
    found = []
    for bound in info.metadata if info else ():
        match bound:
            case Ge(ge=value) | Gt(gt=value) | Le(le=value) | Lt(lt=value):
                found.append(value)
    return found


def values(cls: type, name: str) -> st.SearchStrategy[str]:
    """What may be typed for a field: at, beside, between and far from its bounds."""
    hint, plain = field_hints(cls)[name], get_type_hints(cls)[name]
    kinds = [kind for kind in get_args(plain) or (plain,) if kind is not type(None)]
    if get_origin(plain) is Literal:
        return st.one_of(st.sampled_from(get_args(plain)).map(str), WORDS)
    found: list[st.SearchStrategy[str]] = [WORDS]
    for bound in bounds(hint):
        found.append(st.sampled_from([bound - 1, bound, bound + 1, bound * 2]).map(str))
        found.append(st.sampled_from([bound - 1e-9, bound + 1e-9]).map(repr))
    if int in kinds:
        found += [st.integers(-1, 12).map(str), st.integers(-1, 12).map(str)]
        found.append(st.sampled_from([2**31, 2**63 - 1, 2**63, 10**30]).map(str))
    if float in kinds:
        found += [st.floats(0, 1).map(repr), st.floats().map(repr)]
    return st.one_of(found)


@st.composite
def typed(draw: st.DrawFn, classes: tuple[type, ...], most: int) -> list[str]:
    """Some options of settings, as they are typed."""
    words = []
    known = [(cls, field.name) for cls in classes for field in fields(cls)]
    for cls, name in draw(st.lists(st.sampled_from(known), min_size=1, max_size=most, unique=True)):
        option = f"--{name.replace('_', '-')}"
        plain = get_type_hints(cls)[name]
        if plain is bool:
            words.append(draw(st.sampled_from([option, option.replace("--", "--no-")])))
        elif get_origin(plain) is tuple:
            words += [option, draw(values(cls, name)), draw(st.floats(-1, 2).map(repr))]
        else:
            words.append(f"{option}={draw(values(cls, name))}")
    return words


SMALL = (
    "--d-model",
    "4",
    "--n-heads",
    "2",
    "--epochs",
    "1",
    "--batch-size",
    "8",
    "--eval-size",
    "8",
)
WHERE = ("--device", "cpu", "--threads", "1", "--format", "html", "--quiet")


@fuzzed(25, name=st.sampled_from(tasks.names()), data=st.data())
def test_a_task_takes_parameters_or_refuses_them(
    commands: Commands, name: str, data: st.DataObject
) -> None:
    """As far as the folder that cannot be written to: data, model and memory are ready by then."""
    (commands.folder / "file").touch()
    classes = (tasks.get(name), ModelSettings, TrainingSettings)
    words = data.draw(typed(classes, 3))
    commands.answered("train", name, *SMALL, *words, *WHERE, "-o", "file", codes=(1, 2))


@fuzzed(4, name=st.sampled_from(tasks.names()), data=st.data())
def test_a_task_is_trained_for_an_epoch_or_refused(
    commands: Commands, name: str, data: st.DataObject
) -> None:
    words = data.draw(typed((ModelSettings, TrainingSettings), 2))
    arguments = ("train", name, *SMALL, *words, "--epochs", "1", *WHERE, "-o", "trained")
    commands.answered(*arguments, codes=(0, 1, 2), keeping=(2,))
    shutil.rmtree(commands.folder / "trained", ignore_errors=True)


@fuzzed(4, experiment=st.sampled_from([*PRESETS]), data=st.data())
def test_toy_models_take_settings_or_refuse_them(
    commands: Commands, experiment: str, data: st.DataObject
) -> None:
    (commands.folder / "file").touch()
    classes = (type(PRESETS[experiment].settings),)
    words = data.draw(typed(classes, 3))
    commands.answered("superpose", experiment, *words, *WHERE[:-1], "-o", "file", codes=(1, 2))
