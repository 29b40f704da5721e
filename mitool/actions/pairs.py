"""The pairs that a command works on: a file's, made for the model, or its task's."""

from mitool.analysis.interventions.material import DRAWN, GivenPairs
from mitool.core.errors import UsageError
from mitool.models.subject import Studied, Subject
from mitool.pairs.generated import GENERATED, generated_pairs
from mitool.settings import MetricName


def pairs_of(
    subject: Studied,
    given: GivenPairs,
    task: str | None,
    metric: MetricName | None,
    n_pairs: int | None,
    seed: int,
) -> tuple[GivenPairs, MetricName | None]:
    """What ``--pairs`` and ``--task`` ask for, and the metric that it is judged by.

    Raises:
        InputError: the model's tokenizer cannot make the task's prompts.
        UsageError: both are given, the task is unknown, or the model has a task of its own.
    """
    if task is None:
        return given, metric
    if given is not None:
        raise UsageError("--pairs and --task: expected one of them; leave the other out")
    if isinstance(subject, Subject):
        raise UsageError(
            f"--task {task} makes texts for a pretrained model, and this checkpoint has the task "
            f"{subject.task.name} of its own: leave it out"
        )
    pairs = generated_pairs(task, subject, n_pairs or DRAWN, seed)
    return pairs, metric or GENERATED[task].metric
