"""TransformerLens's ``HookedTransformer``."""

from mitool.models.layouts.axes import AXES
from mitool.models.layouts.base import Layout, Weight

HOOKED = Layout(
    "HookedTransformer",
    {name: Weight(name, axes) for name, axes in AXES.items()},
)
