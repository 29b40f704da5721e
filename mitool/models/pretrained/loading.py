"""Reading a Hugging Face model: a folder, or a name on the Hub."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mitool.errors import InputError
from mitool.models.bridge import silenced
from mitool.models.pretrained.model import Pretrained

CONFIG = "config.json"
"""The file of a model on the Hub that says what it is."""


def load_pretrained(name: str | Path) -> Pretrained:
    """Read a Hugging Face model: a folder, which needs no network, or a name on the Hub.

    No code that comes with a model is run, and no pickle is read but its tensors.

    Raises:
        InputError: there is none, it cannot be downloaded, or transformers reads none such.
    """
    is_folder = Path(name).is_dir()
    try:
        with silenced():
            if not is_folder:
                _require_on_hub(str(name))
            model = AutoModelForCausalLM.from_pretrained(
                str(name), dtype=torch.float32, attn_implementation="eager"
            )
            tokenizer = AutoTokenizer.from_pretrained(str(name))
    except Exception as failure:  # whatever transformers meets on the way
        raise InputError(_reason(str(name), failure, is_folder)) from failure
    model.eval().requires_grad_(False)
    return Pretrained(str(name), model, tokenizer)


def _require_on_hub(name: str) -> None:
    """Fail at once where the Hub cannot be reached, rather than after a minute of attempts."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if not isinstance(try_to_load_from_cache(name, CONFIG), str):
        HfApi().model_info(name, timeout=10)


def _reason(name: str, failure: Exception, is_folder: bool) -> str:
    found = str(failure).strip().splitlines()
    reason = found[0] if found else type(failure).__name__
    if is_folder:
        return f"{name}: expected a Hugging Face model that transformers reads; found: {reason}"
    return (
        f"{name}: no such file or folder, and no model of that name could be had from the Hugging "
        f"Face Hub ({reason}); where there is a network, `hf download {name} --local-dir DIR`, and "
        "give DIR"
    )
