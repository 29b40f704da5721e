"""The tensors of a file by the names of a layout, whatever wrappers and others call them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mitool.core.errors import UsageError, first_few, quoted
from mitool.models.layouts.bridge import BRIDGE
from mitool.models.layouts.hooked import HOOKED
from mitool.models.layouts.renames import Rename, applied, require_used
from mitool.models.layouts.synonyms import meant
from mitool.storage.state_keys import is_expected, unwrapped, without_numbers

KNOWN = {*HOOKED.weights, *BRIDGE.weights}


@dataclass(frozen=True)
class Named:
    """Tensors by the names of a layout, as far as they are known.

    Attributes:
        tensors: by their new names.
        notes: which names are read as which.
    """

    tensors: Mapping[str, Tensor]
    notes: tuple[str, ...]


def named(tensors: Mapping[str, Tensor], renames: Sequence[Rename] = ()) -> Named:
    """Bring the names of a file to those of the layouts; what a user says comes first.

    Raises:
        UsageError: a ``--rename`` fits none of the names, or makes two of them one.
    """
    first = applied(renames, {name: name for name in tensors})
    bare, notes = _bare([name for name in tensors if name not in first])
    chosen = first | applied(renames, bare)
    used = {rename for rename, _ in chosen.values()}
    require_used(renames, used, dict.fromkeys([*tensors, *bare.values()]))
    left_out = [name for name, (_, new) in chosen.items() if not new]
    stated = {name: new for name, (_, new) in chosen.items() if new}
    others = {name: new for name, new in bare.items() if name not in chosen}
    understood, said = _understood(others, set(stated.values()))
    new_names = stated | understood
    _require_distinct(new_names)
    whole = {new_names[name]: tensor for name, tensor in tensors.items() if name in new_names}
    if left_out:
        notes.append(f"left out, as --rename says: {first_few(left_out)}")
    return Named(whole, (*notes, *_listed(stated), *said))


def _bare(names: list[str]) -> tuple[dict[str, str], list[str]]:
    """Names without what wrappers add, by those of the file."""
    rests = (".".join(name.split(".")[start:]) for name in names for start in range(8))
    expected = KNOWN | {without_numbers(rest) for rest in rests if meant(rest)}
    found = unwrapped(names, expected)
    if found is None:
        return {name: name for name in names}, []
    return dict(found.names), [found.note] if found.note else []


def _understood(
    names: Mapping[str, str], taken: set[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names in other words brought to the layouts', unless two would become one."""
    new = {
        name: bare if is_expected(bare, KNOWN) else meant(bare) or bare
        for name, bare in names.items()
    }
    counts = Counter([*new.values(), *taken])
    changed = {
        bare: new[name]
        for name, bare in names.items()
        if new[name] != bare and counts[new[name]] < 2
    }
    found = {name: changed.get(bare, bare) for name, bare in names.items()}
    return found, _listed(changed)


def _listed(names: Mapping[str, str]) -> tuple[str, ...]:
    """Which names are read as which, those of a kind once."""
    kinds = {
        f"{without_numbers(old)} as {without_numbers(new)}": None
        for old, new in names.items()
        if old != new
    }
    return (f"read: {first_few(list(kinds))}",) if kinds else ()


def _require_distinct(names: Mapping[str, str]) -> None:
    old_names: dict[str, str] = {}
    for name, new in names.items():
        if new in old_names:
            raise UsageError(
                f"--rename: {quoted(old_names[new])} and {quoted(name)} would both be "
                f"{quoted(new)}; rename one of them only, or leave one out with an empty TO"
            )
        old_names[new] = name
