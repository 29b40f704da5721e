"""Mechanistic interpretability of small models: train them, look inside, intervene.

The names below are stable, and load on first use, so that ``import mitool`` is instant; what lies
beneath them may change from version to version.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from mitool.core.version import __version__

os.environ.setdefault("MKL_CBWR", "AUTO")
"""Has MKL, which torch computes products with, give the same bits with any number of threads; it is
read at the first product.
"""

if TYPE_CHECKING:  # each by its own name, which is how a type checker sees it exported
    from mitool.api.catalogue import Tasks as Tasks
    from mitool.api.catalogue import list_tasks as list_tasks
    from mitool.api.conversion import ConvertedModel as ConvertedModel
    from mitool.api.conversion import convert as convert
    from mitool.api.finding import Analysis as Analysis
    from mitool.api.finding import Finding as Finding
    from mitool.api.finding import Page as Page
    from mitool.api.loading import ToyModels as ToyModels
    from mitool.api.loading import load as load
    from mitool.api.model import Model as Model
    from mitool.api.planting import PlantedModel as PlantedModel
    from mitool.api.planting import plant as plant
    from mitool.api.superposition import monosemanticity as monosemanticity
    from mitool.api.superposition import superpose as superpose
    from mitool.api.sweep import sweep as sweep
    from mitool.api.training import Run as Run
    from mitool.api.training import Runs as Runs
    from mitool.api.training import train as train
    from mitool.api.training import train_seeds as train_seeds
    from mitool.core.config import FROZEN as FROZEN
    from mitool.core.errors import InputError as InputError
    from mitool.core.errors import MitoolError as MitoolError
    from mitool.core.errors import RunError as RunError
    from mitool.core.errors import UsageError as UsageError
    from mitool.settings import AttentionSettings as AttentionSettings
    from mitool.settings import CircuitSettings as CircuitSettings
    from mitool.settings import ConversionSettings as ConversionSettings
    from mitool.settings import FourierSettings as FourierSettings
    from mitool.settings import ModelSettings as ModelSettings
    from mitool.settings import MonosemanticitySettings as MonosemanticitySettings
    from mitool.settings import PatchSettings as PatchSettings
    from mitool.settings import SuperpositionSettings as SuperpositionSettings
    from mitool.settings import TrainingSettings as TrainingSettings
    from mitool.tasks import NO_ANSWER as NO_ANSWER
    from mitool.tasks import Examples as Examples
    from mitool.tasks import Pairs as Pairs
    from mitool.tasks import Split as Split
    from mitool.tasks import Task as Task

STABLE = {
    "Analysis": "mitool.api.finding",
    "AttentionSettings": "mitool.settings",
    "CircuitSettings": "mitool.settings",
    "ConversionSettings": "mitool.settings",
    "ConvertedModel": "mitool.api.conversion",
    "Examples": "mitool.tasks",
    "FROZEN": "mitool.core.config",
    "Finding": "mitool.api.finding",
    "FourierSettings": "mitool.settings",
    "InputError": "mitool.core.errors",
    "MitoolError": "mitool.core.errors",
    "Model": "mitool.api.model",
    "ModelSettings": "mitool.settings",
    "MonosemanticitySettings": "mitool.settings",
    "NO_ANSWER": "mitool.tasks",
    "Page": "mitool.api.finding",
    "Pairs": "mitool.tasks",
    "PatchSettings": "mitool.settings",
    "PlantedModel": "mitool.api.planting",
    "Run": "mitool.api.training",
    "RunError": "mitool.core.errors",
    "Runs": "mitool.api.training",
    "Split": "mitool.tasks",
    "SuperpositionSettings": "mitool.settings",
    "Task": "mitool.tasks",
    "Tasks": "mitool.api.catalogue",
    "ToyModels": "mitool.api.loading",
    "TrainingSettings": "mitool.settings",
    "UsageError": "mitool.core.errors",
    "convert": "mitool.api.conversion",
    "list_tasks": "mitool.api.catalogue",
    "load": "mitool.api.loading",
    "monosemanticity": "mitool.api.superposition",
    "plant": "mitool.api.planting",
    "superpose": "mitool.api.superposition",
    "sweep": "mitool.api.sweep",
    "train": "mitool.api.training",
    "train_seeds": "mitool.api.training",
}
"""Every stable name, and the module that it is of."""

__all__ = ["__version__", *STABLE]


def __getattr__(name: str) -> Any:
    if name in STABLE:
        return getattr(importlib.import_module(STABLE[name]), name)
    raise AttributeError(f"module 'mitool' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*STABLE, "__version__"])
