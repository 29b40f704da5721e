import pytest

from mitool.cli.checks import parse_check, require
from mitool.core.errors import CheckFailed, UsageError

CLAIMS = {
    "loss": 0.25,
    "epochs": 10,
    "op": "add",
    "ok": True,
    "grokked_at": None,
    "frequencies": [3, 7],
    "losses": [0.1, None, *[0.2] * 9],
    "seed0.loss": 0.1,
    "seed1.loss": 0.9,
    "scores.MLP1->logits": 2.0,
    "scores.input->L0H0<k>": -1.0,
    "scores.MLP1[3]": 0.5,
}


@pytest.mark.parametrize(
    "text",
    [
        "loss >= 0.25",
        "loss<=0.25",
        "loss < 1e0",
        " epochs  ==  10 ",
        "epochs != 11",
        "op == add",
        'op == "add"',
        "op != subtract",
        "ok == true",
        "grokked_at == null",
        "loss != null",
        "frequencies == [3, 7]",
        "frequencies > 2",
        "seed*.loss < 1",
        "*loss > 0",
        "scores.MLP1->logits > 1",
        "scores.m1->logits > 1",
        "scores.m*->logits > 1",
        "scores.mlp1->logits > 1",
        "scores.input->a0.h*<k> < 0",
        "scores.m1[3] == 0.5",
        "scores.MLP1->logits>1",
        "scores.input->L0H0<k> <= -1",
        "scores.input->L0H0<k><0",
        "scores.*->* > -2",
        "scores.MLP1[3] == 0.5",
    ],
)
def test_checks_that_are_met(text: str) -> None:
    require([parse_check(text)], CLAIMS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loss > 0.25", "check not met: loss > 0.25 (it is 0.25)"),
        ("losses < 0.15", "0.2 at 7, 0.2 at 8 and 2 more, of 11 values)"),
        ("losses > 0.05", "check not met: losses > 0.05 (it is null at 1, of 11 values)"),
        ("losses == [0.1]", "(it is [0.1, null, 0.2,"),
        ("grokked_at < 100", "grokked_at < 100 (it is null)"),
        ("op == subtract", '(it is "add")'),
        ("ok > 0", "(it is true)"),
        ("frequencies > 3", "(it is [3, 7])"),
        ("seed*.loss < 0.5", "(it is 0.9, seed1.loss)"),
    ],
)
def test_checks_that_are_not_met(text: str, message: str) -> None:
    with pytest.raises(CheckFailed) as failure:
        require([parse_check(text)], CLAIMS)
    assert message in str(failure.value)


def test_all_failures_are_named() -> None:
    with pytest.raises(CheckFailed, match="loss > 1.*; .*epochs > 99"):
        require([parse_check("loss > 1"), parse_check("epochs > 99")], CLAIMS)


@pytest.mark.parametrize("text", ["", "loss", "loss >", "> 3", "loss = 3", "loss >> 3", "loss > x"])
def test_what_is_no_check_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--check"):
        parse_check(text)


def test_an_unknown_claim_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no claim is named 'epoch': did you mean 'epochs'"):
        require([parse_check("epoch > 1")], CLAIMS)
