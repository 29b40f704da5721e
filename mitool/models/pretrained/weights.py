"""A model with the weights of its folder, each accounted for."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from mitool.core.errors import InputError, MitoolError, first_few, said
from mitool.core.memory import is_out_of_memory
from mitool.models.pretrained.configuration import Description
from mitool.models.pretrained.matching import (
    Faults,
    differing,
    formats_note,
    renamed,
    require_room,
    unembedding_name,
)
from mitool.models.pretrained.shape import N_LAYERS
from mitool.models.pretrained.weight_files import StoredWeight

EXPERT = re.compile(r"(.*\.experts\.)(\d+)\.(.+)")
"""The name of a weight of one expert: its mixture, its number, and the weight's own name."""

MIXTURE = re.compile(r"\.(\d+)\.(?:[^.]+\.)*experts\.")
"""What the name of a weight of a mixture of experts has in it: the number of its layer."""


def model_with(
    folder: str, description: Description, stored: Mapping[str, StoredWeight]
) -> tuple[PreTrainedModel, list[str]]:
    """The model of a folder, in float32 on the CPU with eager attention, and notes about it.

    Every weight of the model is one of the files', or is tied to one that is; every weight of the
    files is the model's, or what transformers or ``matching`` know to be a leftover.

    Raises:
        InputError: that is not so, or the model cannot be built.
        RunError: there is no room for it.
    """
    skeleton = _skeleton(folder, description, len(stored))
    weights, notes = renamed(stored, skeleton)
    require_room(folder, weights, skeleton)
    note = formats_note(folder, weights, skeleton)
    notes += [note] if note else []
    _require_once(folder, weights, skeleton.base_model_prefix)
    _require_every_expert(folder, weights, skeleton)
    model, found = _filled(folder, description, weights)
    shapes = {name: differing(held, own) for name, held, own in found["mismatched_keys"]}
    missing = {name for name in found["missing_keys"] if not _is_computed(model, name)}
    Faults(missing, found["unexpected_keys"], shapes).require_none(folder, model)
    _require_whole(folder, model)
    _require_finite(folder, model)
    return model, [*notes, *_notes_on_ties(model)]


def _skeleton(folder: str, description: Description, n_weights: int) -> PreTrainedModel:
    """The model without weights: their names and shapes."""
    text = description.config.get_text_config()
    n_layers = next((n for name in N_LAYERS if isinstance(n := getattr(text, name, None), int)), 0)
    if n_layers > n_weights:
        raise InputError(
            f"{folder}: expected the weights of {n_layers:,} layers by config.json, found "
            f"{n_weights} weights in all; give the config.json that belongs to them"
        )
    with _explained(folder, description), torch.device("meta"), no_init_weights():
        skeleton = description.model_class(description.config)
        skeleton.tie_weights()
        return skeleton


def _filled(
    folder: str, description: Description, weights: Mapping[str, StoredWeight]
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model as transformers fills it in, and what transformers says of the weights."""
    model_class: Any = description.model_class
    with _explained(folder, description), _nothing_excused(model_class):
        return model_class.from_pretrained(
            None,
            config=description.config,
            state_dict={name: held.value for name, held in weights.items()},
            dtype=torch.float32,
            attn_implementation="eager",
            experts_implementation="eager",
            ignore_mismatched_sizes=True,  # they are told of, and refused here
            output_loading_info=True,
            local_files_only=True,
        )


@contextlib.contextmanager
def _explained(folder: str, description: Description) -> Iterator[None]:
    """Turn whatever a model's code meets in an odd configuration or weight into one message."""
    try:
        yield
    except MitoolError:
        raise
    except Exception as failure:  # each model fails in its own way
        if is_out_of_memory(failure):
            raise
        raise InputError(
            f"{folder}: expected a {description.model_class.__name__} as config.json describes it; "
            f"transformers cannot build it from these files: {said(failure)}; restore config.json "
            "and the weights that belong to it"
        ) from failure


@contextlib.contextmanager
def _nothing_excused(model_class: type[PreTrainedModel]) -> Iterator[None]:
    """Have transformers tell of every weight that is missing, those too that it would excuse."""
    name = "_keys_to_ignore_on_load_missing"
    own = model_class.__dict__.get(name)
    had_own = name in model_class.__dict__
    setattr(model_class, name, None)
    try:
        yield
    finally:
        if had_own:
            setattr(model_class, name, own)
        else:
            delattr(model_class, name)


def _is_computed(model: PreTrainedModel, name: str) -> bool:
    """Whether a missing name is of a buffer that the model's class computes itself, and says so."""
    excused = model._keys_to_ignore_on_load_missing or ()
    return name not in dict(model.named_parameters()) and any(word in name for word in excused)


def _require_once(folder: str, weights: Mapping[str, StoredWeight], prefix: str) -> None:
    """Refuse weights that are there with and without the prefix that transformers overlooks.

    Raises:
        InputError: there are such.
    """
    if twice := [name for name in weights if f"{prefix}.{name}" in weights]:
        raise InputError(
            f"{folder}: expected each weight once, found {first_few(twice)} with and without "
            f"{prefix}. in front; save the model whole with save_pretrained()"
        )


def _require_every_expert(
    folder: str, weights: Mapping[str, StoredWeight], skeleton: PreTrainedModel
) -> None:
    """Check that each expert of a mixture has the weights that others have, in every layer that
    has a mixture.

    Raises:
        InputError: one lacks some; transformers puts experts together and cannot say which.
    """
    held: dict[str, dict[str, set[str]]] = {}
    for name in weights:
        if found := EXPERT.fullmatch(name):
            mixture, expert, part = found.groups()
            held.setdefault(mixture, {}).setdefault(expert, set()).add(part)
    if held:
        experts = sorted(set().union(*held.values()), key=int)
        for mixture in _mixtures_left_out(held, skeleton):
            held[mixture] = {expert: set() for expert in experts}
    parts = set().union(*(own for experts in held.values() for own in experts.values()))
    missing = [
        f"{mixture}{expert}.{part}"
        for mixture, experts in held.items()
        for expert, own in experts.items()
        for part in sorted(parts - own)
    ]
    if missing:
        raise InputError(
            f"{folder}: expected each expert's weights, found {len(missing)} missing "
            f"({first_few(missing)}); save the model whole with save_pretrained()"
        )


def _mixtures_left_out(held: Collection[str], skeleton: PreTrainedModel) -> list[str]:
    """The mixtures of layers that have none of their experts' weights, named as others are."""
    names = {name for name, _ in skeleton.named_parameters()}
    layers = {int(found[1]) for name in names if (found := MIXTURE.search(name))}
    of_files = {int(found[1]): name for name in held if (found := MIXTURE.search(name))}
    if not of_files:
        return []
    layer, like = next(iter(of_files.items()))
    return [
        like.replace(f".{layer}.", f".{other}.", 1) for other in sorted(layers - of_files.keys())
    ]


def _require_whole(folder: str, model: PreTrainedModel) -> None:
    """Check that there is a number for every weight.

    Raises:
        InputError: there is not.
    """
    named = (*model.named_parameters(), *model.named_buffers())
    if empty := [name for name, held in named if held.is_meta]:
        raise InputError(
            f"{folder}: expected a value for each weight, found none for {first_few(empty)}; save "
            "the model whole with save_pretrained()"
        )


def _require_finite(folder: str, model: PreTrainedModel) -> None:
    """Check that every weight is a number.

    Raises:
        InputError: one is NaN or infinite.
    """
    if odd := [name for name, held in model.named_parameters() if not held.isfinite().all()]:
        raise InputError(
            f"{folder}: expected finite weights, found NaN or infinite numbers in "
            f"{first_few(odd)}; restore the files"
        )


def _notes_on_ties(model: PreTrainedModel) -> Iterator[str]:
    """What is said where the files hold another unembedding than the configuration says."""
    name, embedding = unembedding_name(model), model.get_input_embeddings()
    is_tied = bool(getattr(model.config, "tie_word_embeddings", False))
    if not is_tied or name is None or model.get_parameter(name) is embedding.weight:
        return
    if name in (model._tied_weights_keys or {}):
        model.config.tie_word_embeddings = False  # lest anything ties them later
        yield (
            "config.json ties the unembedding to the embedding, and the files hold another "
            f"{name}, which is used"
        )
