"""Reading a Hugging Face model: a folder, or a name on the Hub."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from mitool.core.errors import InputError, first_few, said
from mitool.core.memory import out_of_memory_is_an_error
from mitool.models import hub_files
from mitool.models.pretrained import adapter
from mitool.models.pretrained.configuration import read_description
from mitool.models.pretrained.hub import folder_on_hub
from mitool.models.pretrained.listening import listening
from mitool.models.pretrained.model import Pretrained
from mitool.models.pretrained.tokenizer_files import read_tokenizer
from mitool.models.pretrained.weight_files import opened_weights
from mitool.models.pretrained.weights import model_with


def load_pretrained(name: str | Path) -> Pretrained:
    """Read a Hugging Face model: a folder, which needs no network, or a name on the Hub.

    No code that comes with a model is run, and no pickle is read but its tensors. Every weight is
    one of the folder's: none is drawn at random.

    Raises:
        InputError: there is none, it cannot be downloaded, it is no decoder, or its files are
            damaged, incomplete or of different models.
        RunError: there is no room for its weights.
    """
    with (
        out_of_memory_is_an_error("take a smaller model or free some memory"),
        listening() as heard,
    ):
        found = _read(str(name))
    warned = [
        f"a library warns while the model is read: {said(UserWarning(text))}" for text in heard
    ]
    return Pretrained(found.name, found.model, found.tokenizer, (*found.notes, *warned))


def _read(name: str) -> Pretrained:
    folder = Path(name) if Path(name).is_dir() else folder_on_hub(name)
    adapter.require_base(folder)
    _require_config(folder)
    description = read_description(folder)
    description.config.name_or_path = name
    named = description.raw.get("transformers_weights")
    with opened_weights(folder, named) as stored:
        model, notes = model_with(str(folder), description, stored)
    if adapter.is_beside(folder):
        model, note = adapter.merged(folder, model)
        notes.append(note)
    tokenizer, of_tokenizer = read_tokenizer(folder, description.config)
    notes += of_tokenizer
    notes += _notes_on_tokens(len(tokenizer), _d_vocab(model))
    model.config.name_or_path = name
    model.train(False).requires_grad_(False)
    return Pretrained(name, model, tokenizer, (*description.notes, *notes))


def _require_config(folder: Path) -> None:
    """Check that the folder says what model it holds.

    Raises:
        InputError: it does not.
    """
    if (folder / hub_files.CONFIG).exists():
        return
    held = sorted(path.name for path in folder.iterdir())
    gguf = [name for name in held if name.endswith(".gguf")]
    if gguf:
        raise InputError(
            f"{folder}: expected a Hugging Face model, found quantised weights alone "
            f"({first_few(gguf)}); give the model that they were made from"
        )
    raise InputError(
        f"{folder}: expected {hub_files.CONFIG}, which says what model it is, found none beside "
        f"{first_few(held)}; download it, or save the model with save_pretrained()"
    )


def _d_vocab(model: PreTrainedModel) -> int:
    embedding: Any = model.get_input_embeddings()
    return int(embedding.weight.shape[0])


def _notes_on_tokens(n_tokens: int, d_vocab: int) -> list[str]:
    if n_tokens <= d_vocab:
        return []
    return [
        f"the tokenizer has {n_tokens:,} tokens and the model embeds {d_vocab:,}: a text with one "
        "of the others cannot be read"
    ]
