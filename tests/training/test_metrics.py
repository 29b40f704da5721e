import math

import pytest
import torch

from mitool.core.config import build
from mitool.core.device import resolve
from mitool.models.inputs import Inputs, prepare
from mitool.settings import TrainingSettings
from mitool.tasks import NO_ANSWER
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.tasks.sort import Sort
from mitool.training.cadence import checkpoint_epochs
from mitool.training.data import Batch, TrainingData
from mitool.training.metrics import Evaluation, grokked_at, memorised_at, score, weight_norms
from mitool.training.optimizers import learning_rate, make_optimizer


def evaluation(epoch: int, test_loss: float, test: float = 1.0, train: float = 1.0) -> Evaluation:
    return Evaluation(
        epoch=epoch,
        step=epoch,
        train_loss=0.1,
        test_loss=test_loss,
        train_accuracy=train,
        test_accuracy=test,
        train_sequence_accuracy=train,
        test_sequence_accuracy=test,
        train_position_losses=[0.1],
        test_position_losses=[test_loss],
        train_position_accuracies=[train],
        test_position_accuracies=[test],
        weight_norms={},
        seconds=0.0,
    )


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9, 1e-5, 1e-5, 1e-5], 100),  # held from 100 to 300
        ([9, 9, 1e-5, 1e-5], None),  # held for 100 only
        ([1e-5, 1e-5, 9, 1e-5, 1e-5, 1e-5], 300),  # lost on the way
        ([1e-4, 1e-4, 1e-4], None),  # not below 1e-4
        ([], None),
    ],
)
def test_grokking_is_held_for_200_epochs(losses: list[float], expected: int | None) -> None:
    history = [evaluation(100 * index, loss) for index, loss in enumerate(losses)]
    assert grokked_at(history) == expected


def test_grokking_needs_every_test_example_right() -> None:
    assert grokked_at([evaluation(100 * i, 1e-6, test=0.999) for i in range(9)]) is None


def test_memorised_is_the_first_epoch_with_all_training_examples_right() -> None:
    history = [evaluation(i, 9.0, train=accuracy) for i, accuracy in enumerate([0.1, 0.9, 1, 0.9])]
    assert memorised_at(history) == 2
    assert memorised_at(history[:2]) is None


class _Parrot(torch.nn.Module):
    """Answers 0 with a logit of 2 against 0, at every position."""

    def forward(self, inputs: Inputs) -> torch.Tensor:
        logits = torch.zeros(inputs.n_examples, 1, 3)
        logits[:, :, 0] = 2.0
        return logits


def test_scores_worked_out_by_hand() -> None:
    task = Min(k=2, max_value=2, frac_train=0.5)
    data = TrainingData(task, TrainingSettings(), 0, 0, resolve("cpu"))
    assert data.train is not None
    right = (data.train.targets == 0).float().mean().item()
    # log(e^2 + 2) - 2 where the answer is 0, log(e^2 + 2) elsewhere
    log_total = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64).logsumexp(0).item()
    found = score(_Parrot(), task, [data.train])
    assert found.accuracy == pytest.approx(right)
    assert found.loss == pytest.approx(log_total - 2 * right)
    assert found.position_losses == [pytest.approx(found.loss)]
    assert found.position_accuracies == [pytest.approx(right)]


class _Sure(torch.nn.Module):
    """Answers 1, 0, 1 at the three answer positions of every example."""

    def forward(self, inputs: Inputs) -> torch.Tensor:
        logits = torch.eye(2, dtype=torch.float64)[[1, 0, 1]]
        return logits.expand(inputs.n_examples, 3, 2)


def test_scores_leave_out_positions_without_an_answer() -> None:
    none = NO_ANSWER
    targets = torch.tensor([[1, none, none], [0, none, 1]])
    tokens = torch.tensor([[0, 1, 0, 1]] * 2)
    task = Sort(length=3, max_value=3)  # right is what equals the target
    found = score(_Sure(), task, [Batch(prepare(tokens, (0, 1, 2)), targets)])
    right, wrong = math.log(math.e + 1) - 1, math.log(math.e + 1)
    assert found.loss == pytest.approx((2 * right + wrong) / 3)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.sequence_accuracy == 0.5
    assert found.position_losses == [pytest.approx((right + wrong) / 2), None, pytest.approx(right)]
    assert found.position_accuracies == [0.5, None, 1.0]


def test_weight_norms_are_of_trained_weights() -> None:
    model = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(model.weight, 3.0)
    model.bias.requires_grad_(False)
    assert weight_norms(model) == {"weight": pytest.approx(18**0.5)}


def test_checkpoints_are_about_a_hundred_by_default() -> None:
    linear = checkpoint_epochs(TrainingSettings(epochs=25_000))
    assert linear == {*range(0, 25_001, 250)}
    log = checkpoint_epochs(TrainingSettings(epochs=25_000, checkpoint_spacing="log"))
    assert {0, 1, 2, 25_000} <= log
    assert 80 <= len(log) <= 101
    assert checkpoint_epochs(TrainingSettings(epochs=7)) == set(range(8))


def test_the_cadence_of_checkpoints_is_an_option() -> None:
    assert checkpoint_epochs(TrainingSettings(epochs=10, checkpoint_every=0)) == set()
    assert checkpoint_epochs(TrainingSettings(epochs=10, checkpoint_every=4)) == {0, 4, 8, 10}


def test_warm_up_rises_linearly_from_zero() -> None:
    settings = TrainingSettings(lr=1.0, warmup=10)
    rates = [learning_rate(settings, step, 110) for step in (0, 1, 5, 10, 99)]
    assert rates == [0, 0.1, 0.5, 1, 1]
    assert learning_rate(TrainingSettings(lr=1.0), 0, 110) == 1.0


@pytest.mark.parametrize(("schedule", "quarter"), [("linear", 0.75), ("cosine", 0.8535534)])
def test_the_learning_rate_falls_to_0_after_the_warm_up(schedule: str, quarter: float) -> None:
    settings = build(TrainingSettings, {"lr": 2.0, "warmup": 10, "schedule": schedule})
    rates = [learning_rate(settings, step, 110) for step in (5, 10, 35, 60, 110)]
    assert rates == pytest.approx([1.0, 2.0, 2 * quarter, 1.0, 0.0])


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_optimisers_take_the_textbook_step(name: str) -> None:
    settings = TrainingSettings(optimizer=name, lr=0.1, weight_decay=0.5)
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    frozen = torch.nn.Parameter(torch.tensor([2.0]), requires_grad=False)
    optimizer = make_optimizer([weight, frozen], settings)
    weight.grad = torch.tensor([3.0])
    optimizer.step()
    # the first step of Adam is lr times the gradient's sign; AdamW also takes lr * decay * weight
    expected = {"adamw": 2 - 0.1 * 0.5 * 2 - 0.1, "adam": 2 - 0.1, "sgd": 2 - 0.1 * (3 + 0.5 * 2)}
    assert weight.item() == pytest.approx(expected[name])
    assert frozen.item() == 2.0


def test_minibatches_pass_over_every_training_example_once() -> None:
    settings = TrainingSettings(batch_size=4)
    data = TrainingData(ModAdd(p=5, frac_train=0.6), settings, 3, 3, resolve("cpu"))
    assert data.train is not None
    assert data.steps_per_epoch == 4
    batches = list(data.batches(0))
    assert [len(batch) for batch in batches] == [4, 4, 4, 3]
    seen = torch.cat([batch.inputs.index for batch in batches]).tolist()
    assert sorted(seen) == sorted(data.train.inputs.index.tolist())
    again = torch.cat([batch.inputs.index for batch in data.batches(0)]).tolist()
    other = torch.cat([batch.inputs.index for batch in data.batches(1)]).tolist()
    assert seen == again
    assert seen != other


def test_train_and_test_share_no_example() -> None:
    data = TrainingData(ModAdd(p=7), TrainingSettings(), 0, 0, resolve("cpu"))
    assert data.train is not None
    rows = [data.train, *data.test]
    pairs = [
        tuple(example)
        for batch in rows
        for example in batch.inputs.row_tokens[batch.inputs.index].tolist()
    ]
    assert len(pairs) == len(set(pairs)) == 49
