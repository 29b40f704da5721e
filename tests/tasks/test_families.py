import pytest
import torch

from mitool.core.errors import UsageError
from mitool.tasks import Split, Task
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd

OPERATIONS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "square-sum": lambda a, b: a * a + b * b,
}
SMALL_TASKS = [
    *(ModAdd(p=5, op=op) for op in OPERATIONS),
    ModAdd(p=2),
    Min(k=1, max_value=3),
    Min(k=3, max_value=2, op="max"),
]


@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("p", [2, 5, 6])
def test_modadd_lists_every_pair_once_with_its_answer(p: int, op: str) -> None:
    examples = ModAdd(p=p, op=op).examples()
    rows = zip(examples.tokens.tolist(), examples.targets[:, 0].tolist(), strict=True)
    assert list(rows) == [([a, b, p], OPERATIONS[op](a, b) % p) for a in range(p) for b in range(p)]


@pytest.mark.parametrize(("op", "best"), [("min", min), ("max", max)])
def test_min_lists_every_tuple_once_with_its_answer(op: str, best: object) -> None:
    assert callable(best)
    examples = Min(k=3, max_value=2, op=op).examples()
    operands = [(a, b, c) for a in range(3) for b in range(3) for c in range(3)]
    assert examples.tokens.tolist() == [[*o, 3] for o in operands]
    assert examples.targets[:, 0].tolist() == [best(o) for o in operands]


@pytest.mark.parametrize("task", SMALL_TASKS, ids=repr)
def test_examples_fit_the_sizes_that_the_task_gives(task: Task) -> None:
    examples = task.examples()
    assert examples.tokens.shape == (task.n_examples, task.n_ctx)
    assert examples.targets.shape == (task.n_examples, len(task.answer_positions))
    assert examples.tokens.min() >= 0
    assert examples.tokens.max() < task.d_vocab
    assert examples.targets.min() >= 0
    assert examples.targets.max() < task.d_vocab_out


@pytest.mark.parametrize("task", SMALL_TASKS, ids=repr)
def test_samples_are_examples_and_follow_the_generator(task: Task) -> None:
    listed = {
        tuple(row): answer.tolist()
        for row, answer in zip(
            task.examples().tokens.tolist(), task.examples().targets, strict=True
        )
    }
    first = task.sample(50, torch.Generator().manual_seed(1))
    again = task.sample(50, torch.Generator().manual_seed(1))
    assert torch.equal(first.tokens, again.tokens)
    for row, answer in zip(first.tokens.tolist(), first.targets, strict=True):
        assert listed[tuple(row)] == answer.tolist()


def test_grids_list_operands_row_by_row() -> None:
    assert ModAdd(p=7).grid_shape == (7, 7)
    assert Min(k=2, max_value=4).grid_shape == (5, 5)
    assert Min(k=3, max_value=4).grid_shape is None


def test_min_of_too_many_tuples_is_a_stream() -> None:
    task = Min(k=8, max_value=199)
    assert task.n_examples is None
    assert task.split(0) is None
    assert len(task.sample(10, torch.Generator().manual_seed(0))) == 10
    with pytest.raises(UsageError, match="task min is a stream"):
        task.examples()


def test_the_split_is_the_published_shuffle() -> None:
    train, test = Split(0.3, seed=598).indices(113 * 113)
    torch.manual_seed(598)
    order = torch.randperm(113 * 113)
    assert len(train) == 3830
    assert torch.equal(train, order[:3830])
    assert torch.equal(test, order[3830:])


@pytest.mark.parametrize("frac", [0.1, 0.2])
def test_a_split_without_training_examples_names_the_valid_range(frac: float) -> None:
    with pytest.raises(UsageError, match=r"0.25 <= frac_train < 1, found 0\.\d"):
        ModAdd(p=2, frac_train=frac).split(0).indices(4)


def test_published_settings_are_the_defaults() -> None:
    task = ModAdd()
    assert (task.p, task.op, task.frac_train, task.n_examples) == (113, "add", 0.3, 12769)
    model, training = ModAdd.model, ModAdd.training
    assert (model.n_layers, model.n_heads, model.d_model, model.act_fn) == (1, 4, 128, "relu")
    assert (model.normalization_type, model.biases, model.init_scale) == ("none", "none", 0.8)
    assert (training.epochs, training.lr, training.weight_decay) == (25_000, 1e-3, 1.0)
    assert (training.optimizer, training.betas, training.batch_size) == ("adamw", (0.9, 0.98), None)
    assert (Min().k, Min().max_value, Min().frac_train, Min().d_vocab) == (2, 199, 0.8, 201)
    assert (Min.model.n_heads, Min.model.d_model, Min.model.attn_only) == (1, 32, True)
    assert (Min.model.positional, Min.training.epochs) == ("zero", 4_000)


@pytest.mark.parametrize(
    "task", [Min(max_value=9), Min(k=3, max_value=5, op="max"), Min(k=1, max_value=9)]
)
def test_min_is_corrupted_at_the_operand_that_is_the_answer(task: Min) -> None:
    pairs = task.pairs(500, torch.Generator().manual_seed(0))
    clean, corrupted = (side.tokens[:, : task.k] for side in (pairs.clean, pairs.corrupted))
    (row, place) = (clean != corrupted).nonzero().unbind(dim=1)
    assert row.tolist() == list(range(500))
    for tokens, side in ((clean, pairs.clean), (corrupted, pairs.corrupted)):
        assert torch.equal(tokens[row, place], side.targets[:, 0])
    met = set(pairs.corrupted.targets[:, 0].tolist())
    assert met >= set(range(1, task.max_value))  # the ends are no answer of some pairs
