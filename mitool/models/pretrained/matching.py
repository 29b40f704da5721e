"""Whether the weights of a folder are those of its model: all of them, no others, of its shapes."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from transformers import PreTrainedModel

from mitool.core.device import GIB, HOST, Device
from mitool.core.errors import InputError, RunError, first_few, plain
from mitool.models.pretrained.shape import unembedding_of
from mitool.models.pretrained.weight_files import StoredWeight
from mitool.storage.state_keys import unwrapped

FLOATS = ("float64", "float32", "float16", "bfloat16")
READ_INTO = "float32"
BYTES = 4
"""The formats of weights that are read, and the one that they are read into."""

PACKED = re.compile(
    r"(^|\.)(qweight|qzeros|g_idx|SCB|scales|absmax|quant_map|weight_packed|weight_scale(_inv)?"
    r"|\w+_blocks|\w+_scales|quant_state[\w.]*)$"
)
"""Names of weights that were packed into few bits."""

INV_FREQ = re.compile(r"(^|\.)inv_freq$")
POSITIONS = re.compile(r"(^|\.)position_ids$")
MASK = re.compile(r"(^|\.)(bias|causal_mask)$")
MASKED = re.compile(r"(^|\.)masked_bias$")
"""What files of old hold that is computed from the configuration: the frequencies of rotary
embeddings, the numbers of positions, causal masks, and the score of what a mask hides.
"""

HEAD_OF_CLASSES = re.compile(r"^(score|classifier|qa_outputs|classification_head)\.")
"""Names of the weights of a head that scores no tokens."""

MORE = 1.5
"""How many times the numbers that its files hold a model has, if it is another's."""


def renamed(
    stored: Mapping[str, StoredWeight], skeleton: PreTrainedModel
) -> tuple[dict[str, StoredWeight], list[str]]:
    """The weights by the names that the model knows, without what is no weight.

    Args:
        stored: by their names in the files.
        skeleton: the model without weights.

    Returns:
        The weights, and what a user is to know of their names.
    """
    expected = skeleton.state_dict().keys()
    found = None if stored.keys() <= expected else unwrapped(stored, expected)
    names: Mapping[str, str] = {name: name for name in stored}
    notes = []
    if found is not None and (found.prefix or found.wrappers):
        names = found.names
        old, new = next((old, new) for old, new in names.items() if old != new)
        notes.append(f"the weights' {found.note}: {plain(old)} is {plain(new)}")
    weights = {
        names[name]: held
        for name, held in stored.items()
        if names[name] in expected or not _is_computed(names[name], held)
    }
    return weights, notes


def formats_note(
    folder: str, weights: Mapping[str, StoredWeight], skeleton: PreTrainedModel
) -> str | None:
    """What is said of the formats of a model's weights, if anything.

    Raises:
        InputError: they are packed into few bits, or are no real numbers.
    """
    own = skeleton.state_dict()
    odd = [
        f"{name} in {held.format}"
        for name, held in weights.items()
        if PACKED.search(name)
        or (held.format not in FLOATS and not (name in own and not own[name].is_floating_point()))
    ]
    if odd:
        raise InputError(
            f"{folder}: expected weights in float32, float16 or bfloat16, found quantised or other "
            f"ones ({first_few(odd)}); give the model that they were made from"
        )
    formats = sorted({held.format for held in weights.values()} & set(FLOATS) - {READ_INTO})
    if not formats:
        return None
    return f"the weights are stored in {' and '.join(formats)}, and were read into {READ_INTO}"


def require_room(
    folder: str, weights: Mapping[str, StoredWeight], skeleton: PreTrainedModel
) -> None:
    """Check that the model can be held, before there is memory taken for it.

    Raises:
        InputError: it cannot, and its configuration asks for much more than its files hold.
        RunError: it cannot.
    """
    own = {id(held): held for held in (*skeleton.parameters(), *skeleton.buffers())}
    asked = sum(held.numel() for held in own.values())
    free = Device(str(HOST)).free_memory()
    if asked * BYTES <= free:
        return
    held = sum(math.prod(weight.shape) for weight in weights.values())
    if asked > MORE * held:
        shapes = [f"{name}: {how}" for name, how in misshapen(weights, skeleton)]
        found = f" ({first_few(shapes)})" if shapes else ""
        raise InputError(
            f"{folder}: expected {asked:,} numbers by the sizes in config.json, found {held:,} in "
            f"the files{found}; give the config.json that belongs to the weights"
        )
    raise RunError(
        f"{folder}: its weights take {asked * BYTES / GIB:z.1f} GiB in {READ_INTO}, and "
        f"{free / GIB:z.1f} GiB are free; take a smaller model or free some memory"
    )


def misshapen(
    weights: Mapping[str, StoredWeight], skeleton: PreTrainedModel
) -> Iterator[tuple[str, str]]:
    """The names of weights whose shape is not the model's, and how the two differ."""
    own = skeleton.state_dict()
    for name, held in weights.items():
        if name in own and held.shape != (shape := tuple(own[name].shape)):
            yield name, differing(held.shape, shape)


def differing(in_file: Collection[int], in_config: Collection[int]) -> str:
    """Two shapes for a message."""
    shapes = (" x ".join(map(str, shape)) or "one number" for shape in (in_file, in_config))
    return "{} in the file, {} by config.json".format(*shapes)


@dataclass(frozen=True)
class Faults:
    """In what the weights of the files and of the model differ, by the names of the model.

    Attributes:
        missing: of the model, and in no file.
        unexpected: in the files, and none of the model's.
        misshapen: of another shape; how they differ, by name.
    """

    missing: Collection[str]
    unexpected: Collection[str]
    misshapen: Mapping[str, str]

    def require_none(self, folder: str, model: PreTrainedModel) -> None:
        """Refuse a model that would not be the one that was saved.

        Raises:
            InputError: there are faults.
        """
        counted = {
            "missing": sorted(self.missing),
            "unexpected": sorted(self.unexpected),
            "of another shape": [f"{name}: {how}" for name, how in sorted(self.misshapen.items())],
        }
        found = [
            f"{len(names)} {how} ({first_few(names)})" for how, names in counted.items() if names
        ]
        if found:
            raise InputError(
                f"{folder}: expected the weights of the {type(model).__name__} that config.json "
                f"describes, found {', '.join(found)}; {self._remedy(model)}"
            )

    def _remedy(self, model: PreTrainedModel) -> str:
        """What to do, and what may be the cause."""
        if any(HEAD_OF_CLASSES.search(name) for name in self.unexpected):
            return "it has a head that scores classes: give the language model it was made from"
        unembedding = unembedding_name(model)
        if {*self.missing} == {unembedding} and not self.unexpected and not self.misshapen:
            return (
                "config.json does not tie the unembedding to the embedding: write "
                '"tie_word_embeddings": true there if the model does, else save it whole'
            )
        return "save it whole with save_pretrained(), and the config.json that belongs to it"


def unembedding_name(model: PreTrainedModel) -> str | None:
    """The name of the weight that makes logits of the residual stream."""
    head = unembedding_of(model)
    weight = None if head is None else head.weight
    named = model.named_parameters(remove_duplicate=False)
    names = [name for name, parameter in named if parameter is weight]
    return names[-1] if names else None


def _is_computed(name: str, held: StoredWeight) -> bool:
    """Whether a tensor that is none of the model's holds what the configuration says anyway."""
    shape = held.shape
    if INV_FREQ.search(name) or (POSITIONS.search(name) and held.format not in FLOATS):
        return True
    if MASKED.search(name):
        return math.prod(shape) == 1
    is_square = len(shape) in (2, 4) and shape[-1] == shape[-2] and math.prod(shape[:-2]) == 1
    is_mask = is_square and (len(shape) == 4 or held.format not in FLOATS)
    return bool(MASK.search(name)) and is_mask
