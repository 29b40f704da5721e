"""What decides a run, and whether two runs are the same."""

from dataclasses import dataclass, replace
from typing import Any

from mitool.core.config import as_dict
from mitool.core.device import Device
from mitool.core.errors import MOST_SHOWN, UsageError, first_few
from mitool.models.transformer import TransformerConfig
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks import Task, record_of
from mitool.training.sessions import WHERE

FREE_TO_CHANGE = frozenset(
    {"epochs", "checkpoint_every", "checkpoint_spacing", "stop_test_loss", "stop_on_grok", "file"}
)
"""Training settings that a resumed run may change, and where the file of its task lies: they leave
the weights of an epoch alone.

Of ``epochs`` this holds where the learning rate does not fall towards the last of them.
"""

WORTH_MORE = 10**7
"""Operations of a step from which on more than one thread pays (``benchmarks/threads.py``): at 9
million two take as long as one, at 22 million 0.96 of it, at 100 million 0.83.
"""


@dataclass(frozen=True)
class RunConfig:
    """All that decides the weights of a run."""

    task: Task
    model: ModelSettings
    training: TrainingSettings
    device: Device
    seed: int = 0
    split_seed: int | None = None

    @property
    def data_seed(self) -> int:
        """The seed of the division into training and test: the run's own by default."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def free_to_change(self) -> frozenset[str]:
        """The settings that a resumed run may change."""
        falls = self.training.schedule != "constant"
        return FREE_TO_CHANGE - {"epochs"} if falls else FREE_TO_CHANGE

    @property
    def work(self) -> int:
        """Floating-point operations of a step, about: six for each token and weight of a product,
        two forward and four backward.
        """
        cfg = TransformerConfig.for_task(self.model, self.task)
        of_attention = 4 * cfg.d_model * cfg.n_heads * cfg.d_head
        of_mlp = 0 if cfg.attn_only else 2 * cfg.d_model * cfg.d_mlp
        weights = cfg.n_layers * (of_attention + of_mlp) + cfg.d_model * cfg.d_vocab_out
        n_examples, split = self.task.n_examples, self.task.split(self.data_seed)
        n_trained = int(n_examples * split.frac_train) if n_examples and split else 0
        batch_size = self.training.batch_size or n_trained
        return 6 * weights * batch_size * cfg.n_ctx

    def sized(self) -> "RunConfig":
        """The same on one thread, where steps are too small for more to pay."""
        if self.work >= WORTH_MORE:
            return self
        return replace(self, device=replace(self.device, threads=1))

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON values, as ``config.json`` holds it."""
        return {
            "task": record_of(self.task),
            "model": as_dict(self.model),
            "training": as_dict(self.training),
            "device": self.device.describe(),
            "seed": self.seed,
            "split_seed": self.data_seed,
        }


def require_same(saved: dict[str, Any], asked: dict[str, Any], free: frozenset[str]) -> None:
    """Check that a run is resumed with the settings that it was started with.

    Args:
        free: those that it may change, beside where it computes (``sessions.WHERE``).

    Raises:
        UsageError: a setting differs that decides the weights; all of them are named.
    """
    differences = []
    for name in sorted(saved.keys() | asked.keys()):
        was, now = saved.get(name), asked.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            differences += [
                _difference(key, was.get(key), now.get(key))
                for key in sorted(was.keys() | now.keys())
                if was.get(key) != now.get(key) and key not in free | WHERE
            ]
        elif was != now:
            differences.append(_difference(name, was, now))
    if differences:
        raise UsageError(
            f"--resume: the run was started with other settings ({first_few(differences, '; ')}); "
            "resume with those, or choose another --out"
        )


def _difference(name: str, was: object, now: object) -> str:
    name, before, asked = (str(part)[:MOST_SHOWN] for part in (name, was, now))
    return f"{name} was {before}, asked {asked}"
