"""The toy transformer that computes what another library's state dict computes.

Most of its settings follow from the weights. What those cannot say comes from an option, from
the file or from the task's preset, in this order, and may not contradict what they show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from mitool.core.config import as_dict, build
from mitool.core.errors import InputError, first_few
from mitool.models.features import stated_by
from mitool.models.layouts import Hooked, to_hooked
from mitool.models.layouts.renames import parsed
from mitool.models.transformer import ToyTransformer, TransformerConfig, with_weights
from mitool.settings import Biases, StatedModel
from mitool.storage.state_dict import HYPER_PARAMETERS, StateFile
from mitool.tasks import Task

PRESET = ("act_fn", "attention_dir", "init_scale")
"""Settings that no weight shows, and that are the task's own where nothing else says them."""

NORMALIZATIONS = {"": ("none", "LNPre", "RMSPre"), "w": ("RMS",), "wb": ("LN",)}
"""The normalisations that have these weights, the likeliest first."""


@dataclass(frozen=True)
class Foreign:
    """A model made from another library's weights.

    Attributes:
        layout: the name of the layout that the weights came in.
        warnings: what was left out or taken for granted.
    """

    model: ToyTransformer
    layout: str
    warnings: tuple[str, ...]


def toy_transformer(
    file: StateFile, task: Task, options: StatedModel, rename: Sequence[str] = ()
) -> Foreign:
    """Make the toy transformer of a state dict that was trained on ``task``.

    Args:
        rename: what its weights are called, each ``FROM=TO``.

    Raises:
        UsageError: one of ``rename`` is no such pair, fits nothing, or makes two names one.
        InputError: the weights are not whole, or contradict each other, the task or what is
            stated; or they are of a model that no toy transformer is the equal of.
    """
    stated = _stated(file, options)
    hints = _present(as_dict(build(StatedModel, stated_by(file.arguments), InputError)))
    n_heads = (hints | stated).get("n_heads", task.model.n_heads)
    hooked = to_hooked(file.weights, n_heads, parsed(rename))
    notes = [*file.notes, *hooked.notes, *_direction(stated, hooked, task)]
    if hooked.heads_are_stated and "n_heads" not in hints | stated:
        notes.append(
            f"a {hooked.layout}'s weights do not show how many heads there are: taken to be "
            f"{n_heads}, the task's preset; --n-heads says otherwise"
        )
    weights = _fitted_to(task, hooked, notes)
    values = {name: getattr(task.model, name) for name in PRESET} | {
        **{"d_mlp": 4 * hooked.sizes["d_model"], "attn_only": hooked.attn_only},
        **dict(hooked.sizes),
        **{"d_vocab_out": task.d_vocab_out, "n_ctx": task.n_ctx},
    }
    possible_values = _possible(hooked)
    notes += _hinted(hints, stated, possible_values)
    for name, possible in possible_values.items():
        value = stated.setdefault(name, possible[0])
        if value not in possible:
            expected = " or ".join(map(str, possible))
            raise InputError(
                f"{name}: stated as {value}, but the weights of the {hooked.layout} are those of "
                f"{expected}; leave it out, or state that"
            )
    cfg = build(TransformerConfig, values | stated, InputError)
    return Foreign(with_weights(cfg, _completed(cfg, weights)), hooked.layout, tuple(notes))


def _stated(file: StateFile, options: StatedModel) -> dict[str, Any]:
    """What the options and the file say, checked against each other."""
    names = as_dict(StatedModel()).keys()
    settings = {name: file.settings[name] for name in names & file.settings.keys()}
    in_file = as_dict(build(StatedModel, stated_by(file.config) | settings, InputError))
    asked = as_dict(options)
    for name in names:
        if None not in (asked[name], in_file[name]) and asked[name] != in_file[name]:
            raise InputError(
                f"{name}: stated as {asked[name]}, but the file's own configuration says "
                f"{in_file[name]}; leave it out, or state that"
            )
    stated = {name: asked[name] if in_file[name] is None else in_file[name] for name in names}
    scale = {name: file.settings[name] for name in ("init_scale",) if name in file.settings}
    return _present(stated) | scale


def _present(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _hinted(
    hints: Mapping[str, Any], stated: dict[str, Any], possible: Mapping[str, tuple[Any, ...]]
) -> list[str]:
    """Take a module's arguments where nothing else is stated and the weights allow it; returns
    what there is to say of them.
    """
    taken, notes = [], []
    for name, value in hints.items():
        said = f"the file's {HYPER_PARAMETERS} say {value}"
        if name in stated and stated[name] != value:
            notes.append(f"{name} is {stated[name]}, as stated, though {said}")
        elif name not in stated and value not in possible.get(name, (value,)):
            notes.append(f"{name} is {possible[name][0]}, as the weights show, though {said}")
        elif name not in stated:
            stated[name] = value
            taken.append(f"{name} {value}")
    if taken:
        notes.insert(0, f"settings are those of the file's {HYPER_PARAMETERS}: {first_few(taken)}")
    return notes


def _direction(stated: dict[str, Any], hooked: Hooked, task: Task) -> list[str]:
    """Take the direction of attention from the masks where nothing is stated; returns what there
    is to say of it. A mask may lie in a file unused, and does not forbid what is stated.
    """
    found = hooked.attention_dir
    if found is None or found == stated.get("attention_dir", task.model.attention_dir):
        return []
    if "attention_dir" in stated:
        return [f"attention_dir is {stated['attention_dir']}, as stated, but masks are {found}"]
    stated["attention_dir"] = found
    return [
        f"attention_dir is {found}, as the file's masks show, not {task.model.attention_dir} as in "
        "the task's preset; --attention-dir says otherwise"
    ]


def _possible(hooked: Hooked) -> dict[str, tuple[Any, ...]]:
    """The values that the weights leave for each setting, the likeliest first."""
    weights = hooked.weights
    norms = "".join(kind for kind in "wb" if any(name.endswith(f".{kind}") for name in weights))
    if norms not in NORMALIZATIONS:
        raise InputError("ln_final.w: missing; expected it beside ln_final.b")
    used = {name for name, weight in weights.items() if ".b_" in name and weight.any()}
    kinds = get_args(Biases)
    least = "none" if not used else "mlp" if all(".mlp." in name for name in used) else "all"
    positions = weights.get("pos_embed.W_pos")
    if positions is None:
        positional: tuple[str, ...] = ("zero",)
    else:
        positional = ("learned",) if positions.any() else ("zero", "learned")
    return {
        "n_heads": (hooked.sizes["n_heads"],),
        "normalization_type": NORMALIZATIONS[norms],
        "biases": kinds[kinds.index(least) :],
        "positional": positional,
    }


def _fitted_to(task: Task, hooked: Hooked, notes: list[str]) -> dict[str, Tensor]:
    """The weights without outputs and positions that the task has not; ``notes`` says which.

    Leaving out the positions behind an example's end is exact, and so is leaving out outputs for
    all others: it is what a softmax over the task's outputs alone sees.
    """
    _require_fit(task, hooked.sizes)
    weights = dict(hooked.weights)
    if (found := hooked.sizes["d_vocab_out"]) > task.d_vocab_out:
        names = [*task.vocabulary, *map(str, range(task.d_vocab, found))][task.d_vocab_out : found]
        listed = ", ".join(map(repr, names if len(names) < 9 else [names[0], "..", names[-1]]))
        notes.append(
            f"dropped: {len(names)} of {found} outputs ({listed}), which are no answers of task "
            f"{task.name}; losses are those without them"
        )
        for name in {"unembed.W_U", "unembed.b_U"} & weights.keys():
            weights[name] = weights[name][..., : task.d_vocab_out].contiguous()
    if (found := hooked.sizes.get("n_ctx", task.n_ctx)) > task.n_ctx:
        notes.append(
            f"dropped: the last {found - task.n_ctx} of {found} positions: examples of task "
            f"{task.name} have {task.n_ctx} tokens"
        )
        weights["pos_embed.W_pos"] = weights["pos_embed.W_pos"][: task.n_ctx]
    return weights


def _require_fit(task: Task, sizes: Mapping[str, int]) -> None:
    """Check that the weights have the task's tokens, and at least its outputs and positions."""
    given = ", ".join(f"--{k.replace('_', '-')} {v}" for k, v in as_dict(task).items())
    for size in ("d_vocab", "d_vocab_out", "n_ctx"):
        expected = getattr(task, size)
        found = sizes.get(size, expected)
        if found < expected or (found > expected and size == "d_vocab"):
            raise InputError(
                f"expected {size} {expected}, which the task has, found weights for {found}; give "
                f"the options of task {task.name} that it was trained with (they are {given})"
            )


def _completed(cfg: TransformerConfig, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights, and zeros for biases and positions that are not there."""
    with torch.device("meta"):
        whole = ToyTransformer(cfg).state_dict()
    like = weights["embed.W_E"]
    absent = {
        name: like.new_zeros(value.shape)
        for name, value in whole.items()
        if name not in weights and (".b_" in name or name == "pos_embed.W_pos")
    }
    return dict(weights) | absent
