"""Pretrained language models: a Hugging Face folder, or a name on the Hub, read and checked."""

from mitool.models.pretrained.loading import load_pretrained
from mitool.models.pretrained.model import Pretrained

__all__ = ["Pretrained", "load_pretrained"]
