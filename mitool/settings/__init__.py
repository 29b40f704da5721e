"""Settings: the type, bounds and help of every parameter, once, at its field."""

from mitool.settings.analyses import (
    SIZES,
    Ablation,
    AttentionSettings,
    Between,
    Bos,
    CircuitSettings,
    Direction,
    FourierSettings,
    Level,
    MethodName,
    MetricName,
    PatchSettings,
    Selection,
)
from mitool.settings.conversion import (
    ConversionSettings,
    StatedModel,
)
from mitool.settings.models import (
    Activation,
    AttentionDir,
    Biases,
    ModelSettings,
    Normalization,
    Positional,
    Shuffle,
    TrainingSettings,
)
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.settings.superposition import OutputActivation, SuperpositionSettings

__all__ = [
    "SIZES",
    "Ablation",
    "Activation",
    "AttentionDir",
    "AttentionSettings",
    "Between",
    "Biases",
    "Bos",
    "CircuitSettings",
    "ConversionSettings",
    "Direction",
    "FourierSettings",
    "Level",
    "MethodName",
    "MetricName",
    "ModelSettings",
    "MonosemanticitySettings",
    "Normalization",
    "OutputActivation",
    "PatchSettings",
    "Positional",
    "Selection",
    "Shuffle",
    "StatedModel",
    "SuperpositionSettings",
    "TrainingSettings",
]
