"""Hugging Face folders: damaged, and put together of what does not belong together."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from mitool.core.errors import InputError, RunError
from mitool.models.pretrained import Pretrained, load_pretrained
from mitool.models.subject import open_model
from tests.analysis.attention.models import tiny_llama
from tests.fuzz.commands import accepted
from tests.fuzz.documents import changed, damaged, dumped
from tests.fuzz.profiles import fuzzed
from tests.fuzz.test_checkpoints import others

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FILES = (CONFIG, WEIGHTS, "tokenizer.json", "tokenizer_config.json")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is read."""
    folder = tiny_llama(tmp_path_factory.mktemp("sound") / "llama")
    load_pretrained(folder)
    return folder


def victim(sound: Path) -> Path:
    return Path(shutil.copytree(sound, sound.parent / "victim", dirs_exist_ok=True))


def read(folder: Path) -> None:
    """Open the folder: it is a model with all its weights, or refused in words."""
    model = accepted(lambda: open_model(str(folder)), InputError, RunError)
    if model is not None:
        assert isinstance(model, Pretrained)
        assert not any(weight.is_meta for weight in model.model.parameters())


@fuzzed(60, name=st.sampled_from(FILES), data=st.data())
def test_damaged_bytes(sound: Path, name: str, data: st.DataObject) -> None:
    folder = victim(sound)
    (folder / name).write_bytes(data.draw(damaged((sound / name).read_bytes())))
    read(folder)


@fuzzed(120, data=st.data())
def test_another_configuration(sound: Path, data: st.DataObject) -> None:
    folder = victim(sound)
    config: dict[str, Any] = json.loads((sound / CONFIG).read_text())
    (folder / CONFIG).write_bytes(dumped(data.draw(changed(config))))
    read(folder)


@fuzzed(40, name=st.sampled_from(FILES[2:]), data=st.data())
def test_another_tokenizer(sound: Path, name: str, data: st.DataObject) -> None:
    folder = victim(sound)
    (folder / name).write_bytes(dumped(data.draw(changed(json.loads((sound / name).read_text())))))
    read(folder)


@fuzzed(40, data=st.data())
def test_other_weights(sound: Path, data: st.DataObject) -> None:
    folder = victim(sound)
    weights = data.draw(others(load_file(sound / WEIGHTS)))
    save_file({name: held.contiguous().clone() for name, held in weights.items()}, folder / WEIGHTS)
    read(folder)
