"""TransformerLens's ``HookedTransformer``, of which old versions save buffers too."""

from mitool.models.layouts.axes import AXES
from mitool.models.layouts.base import Layout, Weight

HOOKED = Layout(
    "HookedTransformer",
    {name: Weight(name, axes) for name, axes in AXES.items()},
    dropped=(".attn.mask", ".attn.IGNORE"),
)
