"""The settings by which weights of other libraries are read."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings.models import (
    Activation,
    AttentionDir,
    Biases,
    Normalization,
    Positional,
    Shuffle,
)
from mitool.settings.seeds import MOST_SEED


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class StatedModel:
    """What the shapes of a model's weights do not say; None leaves it to what else there is."""

    n_heads: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="Heads per block, which a TransformerBridge's shapes do not say; "
            "left out: the task's preset",
        ),
    ] = None
    act_fn: Annotated[
        Activation | None, Field(description="Activation of the MLPs; left out: the task's preset")
    ] = None
    normalization_type: Annotated[
        Normalization | None,
        Field(
            description="Normalisation, which LNPre and RMSPre have no weights of; "
            "left out: what the weights are of, or none"
        ),
    ] = None
    biases: Annotated[
        Biases | None, Field(description="Biases that are trained; left out: those that are not 0")
    ] = None
    positional: Annotated[
        Positional | None,
        Field(description="Positional embedding; left out: zero where it is 0 or not there"),
    ] = None
    attention_dir: Annotated[
        AttentionDir | None, Field(description="Direction of attention; left out: the task's")
    ] = None


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class ConversionSettings(StatedModel):
    """How a state dict is read, and what the model is tried on."""

    rename: Annotated[
        list[str] | None,
        Field(
            description="FROM=TO, repeatable: what TransformerLens calls the weight that the file "
            "calls FROM, where # is a layer's number and *, ? and [..] are wildcards; an empty TO "
            "leaves it out; left out: names as they are found"
        ),
    ] = None
    index: Annotated[
        int | None,
        Field(
            description="Which of several state dicts in the file, from 0; -1 is the last; "
            "left out: there is one"
        ),
    ] = None

    split: Annotated[
        Shuffle | None,
        Field(
            description="Shuffle before the division into training and test: torch.randperm or "
            "random.shuffle; left out: torch"
        ),
    ] = None
    split_seed: Annotated[
        int | None, Field(ge=0, le=MOST_SEED, description="Seed of that shuffle; left out: 0")
    ] = None
    eval_size: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Examples that a stream task draws; left out: 2048"),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=MOST_SEED, description="Seed of the examples of a stream task")
    ] = 0
