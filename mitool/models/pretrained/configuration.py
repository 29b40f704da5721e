"""What ``config.json`` says a model is, and whether it is one that can be read here."""

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from mitool.core.errors import InputError, first_few, plain, quoted, said
from mitool.core.strict_json import kind
from mitool.models import hub_files
from mitool.models.pretrained.shape import N_LAYERS

QUANTISED = "quantization_config"
"""The field that says how weights were packed into few bits."""

RUNTIME = frozenset(
    (
        *("_attn_implementation", "_attn_implementation_internal", "attn_implementation"),
        *("_experts_implementation", "_experts_implementation_internal", "experts_implementation"),
        *("return_dict", "use_cache", "output_attentions", "output_hidden_states", "torchscript"),
        *("output_router_logits", "gradient_checkpointing", "auto_map", "configuration_files"),
        *("fusion_config", "distributed_config", "device_map", "transformers_weights"),
        QUANTISED,
    )
)
"""Fields that say how a program is to run a model rather than what it computes: left out."""

RECURRENT = ("linear", "mamba", "conv", "recurrent", "ssm", "hybrid", "lstm", "rwkv")
"""What the names of layers contain that carry a state from token to token."""

SENSES = ("vision_config", "audio_config")
"""What the configuration of a model has that reads other things than text."""

LARGEST = 2**63
MOST_LAYERS = 10_000
"""Beyond what the numbers of a configuration can be."""

LISTS_OF_LAYERS = ("layer_types", "layers_block_type")

LANGUAGE_HEADS = ("CausalLM", "ConditionalGeneration", "PreTraining", "TextGeneration")
"""What an architecture is for, by its name, whose output is a score for each next token."""

BIDIRECTIONAL = "use_bidirectional_attention"
"""The setting by which some decoders, such as Gemma 3, become encoders."""

BOTH_WAYS = ("xlnet", "xlm", "reformer")
"""Types of models whose tokens see those after them, or which are no plain decoders."""


@dataclass(frozen=True)
class Description:
    """What a folder says of its model.

    Attributes:
        config: the configuration, without what says how to run the model.
        model_class: of transformers; the model's own language head.
        raw: what ``config.json`` holds.
        notes: what a user is to know of how it was read.
    """

    config: PreTrainedConfig
    model_class: type[PreTrainedModel]
    raw: Mapping[str, Any]
    notes: tuple[str, ...]


def read_description(folder: Path) -> Description:
    """Read ``config.json`` and find the model's class; no weights are read for it.

    Raises:
        InputError: it is missing or damaged, transformers knows no such model, or the model is no
            decoder with attention heads whose weights are plain numbers.
    """
    path = folder / hub_files.CONFIG
    raw = _read(path)
    _require_plain_weights(path, raw)
    model_type = _model_type(path, raw)
    _require_few_layers(path, raw)
    config = _as_transformers_reads(path, raw)
    _require_decoder(path, raw, config, model_type)
    if config.sub_configs.get("text_config") and _class_of(config).config_class is not type(config):
        config = config.get_text_config()
    return Description(config, _class_of(config), raw, tuple(_notes(path, raw, config)))


def _read(path: Path) -> dict[str, Any]:
    """The document; Python's ``Infinity`` and ``NaN`` in it are looked at later."""
    value = hub_files.read_json(path, "a JSON document, the configuration of a Hugging Face model")
    if not isinstance(value, dict):
        raise InputError(
            f"{path}: expected the configuration of a Hugging Face model, a JSON object; found "
            f"{kind(value)}; restore the file"
        )
    return value


def _model_type(path: Path, raw: Mapping[str, Any]) -> str:
    """The model's type, which transformers knows.

    Raises:
        InputError: it has none, or an unknown one.
    """
    found = raw.get("model_type")
    if not isinstance(found, str) or not found:
        shown = "none" if found is None else quoted(str(found))
        raise InputError(
            f"{path}: expected a model_type, such as llama or gpt2, found {shown}; give the folder "
            "of a Hugging Face model as save_pretrained() writes it"
        )
    if found in CONFIG_MAPPING:
        return found
    if "auto_map" in raw:
        raise InputError(
            f"{path}: the model_type {quoted(found)} is unknown to transformers "
            f"{transformers.__version__}, and the model brings code of its own (auto_map), which "
            "mitool never runs; give a model that transformers itself knows"
        )
    raise InputError(
        f"{path}: the model_type {quoted(found)} is unknown to transformers "
        f"{transformers.__version__}; if a newer one knows it, pip install --upgrade transformers, "
        "else give another model"
    )


def _require_few_layers(path: Path, raw: Mapping[str, Any]) -> None:
    """Refuse a number of layers for which transformers alone would need more than there is."""
    for fields in (raw, *(held for held in raw.values() if isinstance(held, dict))):
        for name in N_LAYERS:
            if isinstance(n := fields.get(name), int) and n > MOST_LAYERS:
                raise InputError(
                    f"{path}: expected at most {MOST_LAYERS:,} layers, found {str(n)[:20]} "
                    f"({name}); restore the file"
                )


def _as_transformers_reads(path: Path, raw: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration as transformers reads the file without the fields of ``RUNTIME``."""
    with tempfile.TemporaryDirectory() as scratch:
        cleaned = Path(scratch) / hub_files.CONFIG
        cleaned.write_text(json.dumps(_without_runtime(raw)), encoding="utf-8")
        try:
            config = AutoConfig.from_pretrained(
                scratch, trust_remote_code=False, attn_implementation="eager"
            )
        except Exception as failure:  # each model checks its own fields in its own way
            reason = said(failure).replace(str(cleaned), str(path)).replace(scratch, str(path))
            raise InputError(
                f"{path}: expected the configuration of a {raw['model_type']}; found: {reason}; "
                "restore the file"
            ) from failure
    return config


def _without_runtime(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_runtime(held) for key, held in value.items() if key not in RUNTIME}


def _class_of(config: PreTrainedConfig) -> type[PreTrainedModel]:
    found: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    return found[0] if isinstance(found, tuple) else found


def _require_plain_weights(path: Path, raw: Mapping[str, Any]) -> None:
    """Refuse a model whose weights are packed into few bits.

    Raises:
        InputError: it is one.
    """
    nested = [held for held in raw.values() if isinstance(held, dict)]
    found = next((d[QUANTISED] for d in (raw, *nested) if d.get(QUANTISED)), None)
    if found is None:
        return
    fields = found if isinstance(found, dict) else {}
    bits = [name for name in ("load_in_4bit", "load_in_8bit") if fields.get(name)]
    how = str(fields.get("quant_method") or next(iter(bits), "an unnamed method"))
    raise InputError(
        f"{path}: expected weights in float32, float16 or bfloat16, found quantised ones "
        f"(quantization_config: {plain(how[:40])}); give the model that they were made from"
    )


def _require_decoder(
    path: Path, raw: Mapping[str, Any], config: PreTrainedConfig, model_type: str
) -> None:
    """Refuse what predicts no next token, and what has other than attention in its layers.

    Raises:
        InputError: it is such a model.
    """
    listed = raw.get("architectures")
    architecture = plain(str(listed[0])) if isinstance(listed, list) and listed else ""
    what = f"model_type {model_type}" + (f", architecture {architecture}" if architecture else "")
    text = config.get_text_config()
    if getattr(config, "is_encoder_decoder", False) or getattr(text, "is_encoder_decoder", False):
        raise InputError(
            f"{path}: expected a decoder alone, found an encoder with a decoder ({what}); give a "
            "model of which each token sees those before it, such as GPT-2 or Llama"
        )
    if senses := [name for name in SENSES if getattr(config, name, None) is not None]:
        raise InputError(
            f"{path}: expected a model of text alone, found one that reads more ({what}, "
            f"{', '.join(senses)}); give its language model, saved by itself"
        )
    is_known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    if getattr(text, BIDIRECTIONAL, None) in (True, "all"):
        raise InputError(
            f"{path}: expected a decoder, whose tokens see those before them alone; found "
            f"attention in both directions ({what}, {BIDIRECTIONAL}); give one such as GPT-2 or "
            "Llama"
        )
    if not is_known or _is_both_ways(text, model_type):
        raise InputError(
            f"{path}: expected a decoder, which predicts each next token; found a model of another "
            f"kind ({what}); give one such as GPT-2 or Llama"
        )
    head = architecture.partition("For")[2]
    if head and not any(word in head for word in LANGUAGE_HEADS):
        raise InputError(
            f"{path}: expected a language head, which scores each next token; found another "
            f"({architecture}); give the language model that it was made from"
        )
    if _is_recurrent(text, _class_of(config)):
        raise InputError(
            f"{path}: expected attention heads in each layer; found a recurrent model ({what}), "
            "which has none in some or all of its layers; give a transformer"
        )


def _is_both_ways(config: PreTrainedConfig, model_type: str) -> bool:
    """Whether a token sees those after it, as in an encoder such as BERT, which is a decoder only
    where it says so.
    """
    if getattr(config, "is_causal", None) is False:
        return True
    is_encoder = type(config) in MODEL_FOR_MASKED_LM_MAPPING or model_type == "bert-generation"
    return model_type in BOTH_WAYS or (is_encoder and not getattr(config, "is_decoder", True))


def _is_recurrent(config: PreTrainedConfig, model_class: type[PreTrainedModel]) -> bool:
    found = (getattr(config, name, None) for name in LISTS_OF_LAYERS)
    layers = next((names for names in found if isinstance(names, list | tuple) and names), None)
    if layers is None:
        return bool(getattr(model_class, "_is_stateful", False))
    others = [str(layer) for layer in layers if not str(layer).endswith("_sliding")]
    return any(word in layer for layer in others for word in RECURRENT)


def _notes(path: Path, raw: Mapping[str, Any], config: PreTrainedConfig) -> Iterator[str]:
    """What is odd about the file and does no harm.

    Raises:
        InputError: a number that the model uses is none.
    """
    odd = [name for name, value in raw.items() if _is_odd(value)]
    known = getattr(type(config), "__dataclass_fields__", {})
    if used := [name for name in odd if name in known]:
        raise InputError(
            f"{path}: expected finite numbers of 64 bits, found NaN, Infinity or larger ones for "
            f"{first_few(used)}; restore the file, or write what the model was trained with"
        )
    if odd:
        yield (
            f"config.json holds NaN, Infinity or numbers as large for {first_few(odd)}; the "
            f"configuration of a {config.model_type} has no such field, and they are not used"
        )
    if "auto_map" in raw:
        yield (
            f"the model brings code of its own (auto_map), which was not run: transformers' own "
            f"{config.model_type} was used"
        )


def _is_odd(value: Any) -> bool:
    """Whether a value is or holds a number that is not finite, or none of 64 bits."""
    if isinstance(value, int):
        return abs(value) >= LARGEST
    if isinstance(value, float):
        return not math.isfinite(value)
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_is_odd(part) for part in held)
