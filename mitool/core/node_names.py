"""What heads, MLPs and edges between them are called, in the two spellings that are read.

mitool says ``L0H1`` for head 1 of layer 0, ``MLP0`` for the MLP of layer 0 and ``L0H1->MLP2`` for
an edge, as the field does in prose. Files of circuits keep the names of the EAP-IG code (Hanna et
al. 2024, arXiv 2403.17806): ``a0.h1``, ``m0`` and ``a0.h1->m2``. Whatever reads a name takes both.
"""

import re

from mitool.core.wildcards import LONGEST

NUMBER = r"(?:\d|[*?]|\[[^\]]*\])+"
"""Digits, or what stands for them in a pattern."""

HEAD = re.compile(rf"(?<!\w)(?:a({NUMBER})\.h|L({NUMBER})(H|KV))({NUMBER})(?!\w)", re.IGNORECASE)
MLP = re.compile(rf"(?<!\w)(?:mlp|m)({NUMBER})(?!\w)", re.IGNORECASE)


def head_name(layer: int, head: int, mark: str = "H") -> str:
    """Such as ``L0H1``, or with another mark ``L0KV1``: heads that share a key and a value."""
    return f"L{layer}{mark}{head}"


def mlp_name(layer: int) -> str:
    """Such as ``MLP0``."""
    return f"MLP{layer}"


def spelled(text: str) -> str:
    """A text with the names of nodes in it as mitool spells them, whatever their capitals: of
    ``a0.h*->m1`` it makes ``L0H*->MLP1``. A text that is longer than any name is left as it is.
    """
    if len(text) > LONGEST:
        return text
    with_heads = HEAD.sub(lambda m: f"L{m[1] or m[2]}{(m[3] or 'H').upper()}{m[4]}", text)
    return MLP.sub(r"MLP\1", with_heads)


def published(name: str) -> str:
    """The name of a node or an edge, in either spelling, as files of circuits have it: of
    ``L0H1->MLP2`` it makes ``a0.h1->m2``.
    """
    ours = spelled(name)
    with_heads = re.sub(r"\bL(\d+)H(\d+)\b", r"a\1.h\2", ours)
    return re.sub(r"\bMLP(\d+)\b", r"m\1", with_heads)
