"""A model by its name on the Hub, without a network: the Hub's client is stood in for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mitool.core.errors import InputError
from mitool.models.pretrained import load_pretrained

NAME = "owner/model"
SHARDS = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]


class Hub:
    """What the Hub has, what its cache has, and what was asked for."""

    def __init__(self, folder: Path, files: list[str], cached: bool) -> None:
        self.folder, self.files, self.cached = folder, files, cached
        self.wanted: list[str] | None = None
        self.asked = 0

    def model_info(self, *_: Any, **__: Any) -> SimpleNamespace:
        self.asked += 1
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in self.files])

    def snapshot(self, name: str, **options: Any) -> str:
        assert name == NAME
        if options.get("local_files_only") and not self.cached:
            raise FileNotFoundError("not in the cache")
        self.wanted = options.get("allow_patterns", self.wanted)
        return str(self.folder)


def hub_of(
    monkeypatch: pytest.MonkeyPatch, folder: Path, files: list[str], *, cached: bool = False
) -> Hub:
    hub = Hub(folder, files, cached)
    monkeypatch.setattr("mitool.models.pretrained.hub.snapshot_download", hub.snapshot)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", hub.model_info)
    return hub


@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (["model.safetensors", "pytorch_model.bin", "tf_model.h5"], {"model.safetensors"}),
        (["pytorch_model.bin", "onnx/model.onnx"], {"pytorch_model.bin"}),
        (
            ["model.safetensors.index.json", *SHARDS, "model.q4.gguf", "pytorch_model.bin"],
            {"model.safetensors.index.json", *SHARDS},
        ),
    ],
)
def test_one_kind_of_weights_is_downloaded(
    llama: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], weights: set[str]
) -> None:
    texts = ["config.json", "tokenizer.json", "merges.txt"]
    hub = hub_of(monkeypatch, llama, [*files, *texts, "modeling_evil.py", "old/config.json"])
    model = load_pretrained(NAME)
    assert set(hub.wanted or ()) == {*weights, *texts}
    assert (model.name, model.model.config.name_or_path) == (NAME, NAME)


def test_what_is_in_the_cache_is_not_asked_for(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = hub_of(monkeypatch, llama, [], cached=True)
    load_pretrained(NAME)
    assert hub.asked == 0
    (llama / "model.safetensors").unlink()
    with pytest.raises(InputError, match="expected weights"):
        load_pretrained(NAME)
    assert hub.asked == 1


def test_a_network_that_is_not_there_has_its_remedy(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_of(monkeypatch, llama, [])

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service\nnot known.")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    with pytest.raises(
        InputError, match=r"\(Name or service not known\); where there is a network"
    ):
        load_pretrained(NAME)
