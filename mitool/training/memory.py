"""How much memory a run will take, so that one that cannot fit fails before it starts."""

import torch

from mitool.core.device import GIB, Device
from mitool.core.errors import RunError
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import TrainingSettings
from mitool.tasks import Task


def require_memory(
    task: Task, cfg: TransformerConfig, settings: TrainingSettings, device: Device
) -> None:
    """Check that examples, weights, optimiser and a step's activations fit into free memory.

    Raises:
        RunError: they do not.
    """
    needed = data_bytes(task) + weight_bytes(cfg) + step_bytes(task, cfg, settings)
    needed *= 2 if device.dtype == "float64" else 1
    require_free(needed, device, "take a smaller task, or fewer examples a step with --batch-size")


def require_free(needed: int, device: Device, remedy: str) -> None:
    """Check that so many bytes are free.

    Raises:
        RunError: they are not; the message ends in ``remedy``.
    """
    free = device.free_memory()
    if needed > free:
        raise RunError(
            f"training needs about {needed / GIB:z.1f} GiB and {free / GIB:z.1f} GiB is free: "
            f"{remedy}"
        )


def data_bytes(task: Task) -> int:
    """Bytes of all examples: tokens, targets and rows in int64, and copies while splitting."""
    return 8 * 4 * (task.n_examples or 0) * (task.n_ctx + len(task.answer_positions))


def weight_bytes(cfg: TransformerConfig) -> int:
    """Bytes of the weights, their gradients and the optimiser's two averages in float32."""
    with torch.device("meta"):
        model = ToyTransformer(cfg)
    return 4 * 4 * sum(parameter.numel() for parameter in model.parameters())


def step_bytes(task: Task, cfg: TransformerConfig, settings: TrainingSettings) -> int:
    """Bytes of a step's activations and their gradients in float32, roughly."""
    frac_train = getattr(task, "frac_train", 1.0)
    n_train = int((task.n_examples or 0) * frac_train) or settings.batch_size or 1
    batch = min(n_train, settings.batch_size or n_train)
    n_answers = len(task.answer_positions)
    heads = cfg.n_heads * cfg.d_head
    per_position = 4 * cfg.d_model + 4 * heads + 2 * cfg.n_heads * cfg.n_ctx
    per_position += 0 if cfg.attn_only else 2 * cfg.d_mlp
    positions = (cfg.n_layers - 1) * cfg.n_ctx + n_answers
    logits = 6 * n_answers * cfg.d_vocab_out
    return 4 * batch * (positions * per_position + logits)
