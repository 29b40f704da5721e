import shutil
from pathlib import Path

import pytest

from tests.analysis.attention.models import tiny_llama
from tests.models.pretrained.folders import tiny_gpt2


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    tiny_llama(made / "llama")
    tiny_gpt2(made / "gpt2")
    return made


@pytest.fixture
def llama(_made: Path, tmp_path: Path) -> Path:
    """A Llama whose unembedding is its own."""
    return Path(shutil.copytree(_made / "llama", tmp_path / "llama"))


@pytest.fixture
def gpt2(_made: Path, tmp_path: Path) -> Path:
    """A GPT-2 whose unembedding is tied to its embedding."""
    return Path(shutil.copytree(_made / "gpt2", tmp_path / "gpt2"))
