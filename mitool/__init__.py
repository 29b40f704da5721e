"""Mechanistic interpretability of small models: train them, look inside, intervene.

The public names load on first use, so that ``import mitool`` is instant.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mitool.version import __version__

if TYPE_CHECKING:
    from mitool.analysis.attention import AttentionResult, analyze_attention
    from mitool.analysis.circuits import CircuitFiles, CircuitResult, analyze_circuit
    from mitool.analysis.fourier import FourierResult, analyze_fourier
    from mitool.analysis.monosemanticity import (
        MonosemanticityResult,
        engineer_monosemanticity,
        restudy_monosemanticity,
    )
    from mitool.analysis.patching import PatchResult, patch
    from mitool.analysis.superposition import SuperpositionResult, restudy, superpose
    from mitool.conversion import ConversionResult, convert
    from mitool.device import Device, resolve
    from mitool.errors import MitoolError
    from mitool.models.bridge import from_bridge, to_bridge
    from mitool.models.pretrained import Pretrained, load_pretrained
    from mitool.models.transformer import ToyTransformer, TransformerConfig
    from mitool.pair_prompts import generated_pairs
    from mitool.planted import plant
    from mitool.planted.base import Planted
    from mitool.settings import (
        AttentionSettings,
        CircuitSettings,
        ConversionSettings,
        FourierSettings,
        ModelSettings,
        MonosemanticitySettings,
        PatchSettings,
        SuperpositionSettings,
        TrainingSettings,
    )
    from mitool.subject import Subject, load
    from mitool.tasks import Task
    from mitool.training import RunConfig, TrainResult, train, train_seeds
    from mitool.training.monosemanticity import MonosemanticityConfig
    from mitool.training.superposition import SuperpositionConfig

_HOMES = {
    "load_pretrained": "mitool.models.pretrained",
    "Planted": "mitool.planted.base",
    "Pretrained": "mitool.models.pretrained",
    "AttentionSettings": "mitool.settings",
    "analyze_attention": "mitool.analysis.attention",
    "AttentionResult": "mitool.analysis.attention",
    "CircuitFiles": "mitool.analysis.circuits",
    "CircuitResult": "mitool.analysis.circuits",
    "CircuitSettings": "mitool.settings",
    "ConversionResult": "mitool.conversion",
    "ConversionSettings": "mitool.settings",
    "Device": "mitool.device",
    "MitoolError": "mitool.errors",
    "FourierResult": "mitool.analysis.fourier",
    "FourierSettings": "mitool.settings",
    "ModelSettings": "mitool.settings",
    "MonosemanticityConfig": "mitool.training.monosemanticity",
    "MonosemanticityResult": "mitool.analysis.monosemanticity",
    "MonosemanticitySettings": "mitool.settings",
    "PatchResult": "mitool.analysis.patching",
    "PatchSettings": "mitool.settings",
    "RunConfig": "mitool.training",
    "Subject": "mitool.subject",
    "SuperpositionConfig": "mitool.training.superposition",
    "SuperpositionResult": "mitool.analysis.superposition",
    "SuperpositionSettings": "mitool.settings",
    "Task": "mitool.tasks",
    "ToyTransformer": "mitool.models.transformer",
    "TrainResult": "mitool.training",
    "TrainingSettings": "mitool.settings",
    "TransformerConfig": "mitool.models.transformer",
    "analyze_circuit": "mitool.analysis.circuits",
    "analyze_fourier": "mitool.analysis.fourier",
    "convert": "mitool.conversion",
    "engineer_monosemanticity": "mitool.analysis.monosemanticity",
    "from_bridge": "mitool.models.bridge",
    "generated_pairs": "mitool.pair_prompts",
    "load": "mitool.subject",
    "patch": "mitool.analysis.patching",
    "plant": "mitool.planted",
    "resolve": "mitool.device",
    "restudy": "mitool.analysis.superposition",
    "restudy_monosemanticity": "mitool.analysis.monosemanticity",
    "superpose": "mitool.analysis.superposition",
    "to_bridge": "mitool.models.bridge",
    "train": "mitool.training",
    "train_seeds": "mitool.training",
}

__all__ = [
    "AttentionResult",
    "AttentionSettings",
    "CircuitFiles",
    "CircuitResult",
    "CircuitSettings",
    "ConversionResult",
    "ConversionSettings",
    "Device",
    "FourierResult",
    "FourierSettings",
    "MitoolError",
    "ModelSettings",
    "MonosemanticityConfig",
    "MonosemanticityResult",
    "MonosemanticitySettings",
    "PatchResult",
    "PatchSettings",
    "Planted",
    "Pretrained",
    "RunConfig",
    "Subject",
    "SuperpositionConfig",
    "SuperpositionResult",
    "SuperpositionSettings",
    "Task",
    "ToyTransformer",
    "TrainResult",
    "TrainingSettings",
    "TransformerConfig",
    "__version__",
    "analyze_attention",
    "analyze_circuit",
    "analyze_fourier",
    "convert",
    "engineer_monosemanticity",
    "from_bridge",
    "generated_pairs",
    "load",
    "load_pretrained",
    "patch",
    "plant",
    "resolve",
    "restudy",
    "restudy_monosemanticity",
    "superpose",
    "to_bridge",
    "train",
    "train_seeds",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mitool' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
