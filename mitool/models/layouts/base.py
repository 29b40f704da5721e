"""What a layout is: a table of names and axes, from which sizes and rearrangements follow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mitool.core.errors import InputError
from mitool.models.layouts.axes import AXES, Axes, generic, layer_of, numbered, rearranged


@dataclass(frozen=True)
class Weight:
    """Where a tensor of a layout belongs: TransformerLens's name, and the tensor's axes."""

    name: str
    axes: Axes


FORMATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

Known = Mapping[str, tuple[Weight, Tensor]]
"""By their names in a file, what its tensors are."""


@dataclass(frozen=True)
class Layout:
    """How a library names and shapes the weights of a transformer.

    Attributes:
        name: of the layout.
        weights: by the layout's own names, ``#`` standing for the number of a layer.
        inert: the ends of the names of weights that are left out, and for each the value by
            which it shows that it does nothing.
    """

    name: str
    weights: Mapping[str, Weight]
    inert: Mapping[str, float] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        return generic(key) in self.weights

    def own_name(self, name: str) -> str:
        """What the layout calls the weight that TransformerLens calls ``name``."""
        own = {weight.name: key for key, weight in self.weights.items()}[generic(name)]
        return numbered(own, layer_of(name))

    def known(self, tensors: Mapping[str, Tensor]) -> Known:
        """What each tensor is that the layout has a name for.

        Raises:
            InputError: a tensor holds something else than finite numbers.
        """
        known = {}
        for key, tensor in tensors.items():
            if not self.has(key):
                continue
            if tensor.dtype not in FORMATS:
                expected = ", ".join(map(str, FORMATS))
                raise InputError(f"{key}: expected one of {expected}, found {tensor.dtype}")
            if not tensor.isfinite().all():
                raise InputError(f"{key}: expected finite numbers, found NaN or infinite values")
            weight = self.weights[generic(key)]
            known[key] = Weight(numbered(weight.name, layer_of(key)), weight.axes), tensor
        return known

    def is_inert(self, key: str, tensor: Tensor) -> bool:
        """Whether a tensor is left out by its name.

        Raises:
            InputError: by its values it does something.
        """
        value = next((value for end, value in self.inert.items() if key.endswith(end)), None)
        if value is not None and not (tensor == value).all():
            raise InputError(
                f"{key}: expected {value:zg} everywhere, as where a {self.name} does not use its "
                "normalisation, found other values; toy transformers have no such normalisation"
            )
        return value is not None

    def sizes(self, known: Known) -> dict[str, int]:
        """The size of each axis that is one by itself in some tensor.

        Raises:
            InputError: two tensors contradict each other.
        """
        sizes: dict[str, int] = {}
        source: dict[str, str] = {}
        for key, (weight, tensor) in known.items():
            groups = weight.axes.groups
            if tensor.ndim != len(groups):
                raise InputError(
                    f"{key}: expected {len(groups)} axes ({weight.axes.text}), "
                    f"found shape {tuple(tensor.shape)}"
                )
            for word, size in _single(weight, tensor):
                if sizes.setdefault(word, size) != size:
                    raise InputError(
                        f"{key}: expected {word} {sizes[word]}, as in {source[word]}, "
                        f"found shape {tuple(tensor.shape)} for ({weight.axes.text})"
                        f"{_transposed(known)}"
                    )
                source.setdefault(word, key)
        return sizes

    def renamed(self, known: Known, sizes: Mapping[str, int]) -> dict[str, Tensor]:
        """The tensors by TransformerLens's names and in its shapes, copied: in float64 where one
        of them is, and else in float32, which holds every narrower format's numbers.

        Raises:
            InputError: a tensor's shape does not follow from ``sizes``.
        """
        is_double = any(tensor.dtype == torch.float64 for _, tensor in known.values())
        renamed = {}
        for key, (weight, tensor) in known.items():
            expected = weight.axes.shape(sizes)
            if tuple(tensor.shape) != expected:
                named = ", ".join(f"{word} {sizes[word]}" for word in weight.axes.words)
                raise InputError(
                    f"{key}: expected shape {expected} for ({weight.axes.text}) with {named}, "
                    f"found {tuple(tensor.shape)}"
                )
            wanted = AXES[generic(weight.name)]
            ordered = rearranged(tensor, weight.axes, wanted, sizes)
            renamed[weight.name] = ordered.double() if is_double else ordered.float()
        return renamed


def _single(weight: Weight, tensor: Tensor) -> list[tuple[str, int]]:
    """The words of a tensor that are an axis by themselves, and their sizes."""
    paired = zip(weight.axes.groups, tensor.shape, strict=True)
    return [(group[0], size) for group, size in paired if len(group) == 1]


def _transposed(known: Known) -> str:
    """A hint where one matrix contradicts the others and would not if it were transposed."""
    sound = {
        key: (weight, tensor)
        for key, (weight, tensor) in known.items()
        if tensor.ndim == len(weight.axes.groups)
    }
    counts = Counter(one for weight, tensor in sound.values() for one in _single(weight, tensor))
    sizes: dict[str, set[int]] = {}
    for word, size in counts:
        sizes.setdefault(word, set()).add(size)
    for key, (weight, tensor) in sound.items():
        found = _single(weight, tensor)
        if len(found) == tensor.ndim == 2:
            alone = {one for one in found if counts[one] == 1}
            others = {word: sizes[word] - {s for w, s in alone if w == word} for word, _ in found}
            turned = _single(weight, tensor.t())
            fits = [all(others[w] <= {s} for w, s in pairs) for pairs in (found, turned)]
            if fits == [False, True]:
                return f"; {key} would fit if it were transposed"
    return ""


def table(lines: Iterable[tuple[str, str, str]]) -> dict[str, Weight]:
    """A layout's weights from lines of own name, TransformerLens's name and axes."""
    return {own: Weight(name, Axes(axes)) for own, name, axes in lines}
