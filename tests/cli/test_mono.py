"""``mitool superpose mono`` on the command line."""

import json
from pathlib import Path

import pytest

from mitool.settings.monosemanticity import PRESETS
from tests.cli.conftest import Invoke

TINY = [
    *("--N", "16", "--m", "6", "--k", "24", "--eps", "0.1", "--log2-batch-size", "5"),
    *("--log2-training-steps", "6", "--threads", "1", "--format", "html"),
]
SWEPT = ["superpose", "mono", *TINY, "--sweep", "learning-rate=0.001,0.01"]


def test_a_preset_leaves_a_run_and_its_report(invoke: Invoke) -> None:
    done = invoke("superpose", "mono", "lr3", "--scale", "small", *TINY, "--json")
    assert done.exit_code == 0, done.stderr
    envelope = json.loads(done.stdout)
    folder = Path(envelope["subject"]["run"])
    assert folder.parent == Path("runs")
    assert folder.name.startswith("superpose-mono-LR3-small-N_16-m_6-k_24")
    for file in ("ckpt.safetensors", "report.html", "arrays.safetensors", "result.json"):
        assert (folder / file).is_file()
    assert envelope["command"] == "superpose mono"
    assert envelope["config"]["task"]["parameters"] == {"preset": "LR3", "scale": "small"}
    # of the preset, made smaller, but for what the options say
    assert envelope["config"]["training"]["decay"] == pytest.approx(0.03 * 8)
    assert envelope["config"]["model"]["N"] == 16
    assert envelope["claims"]["learning_rate"] == list(PRESETS["LR3"].axes["learning_rate"])
    assert len(envelope["claims"]["monosemantic_neurons"]) == 6
    page = (folder / "report.html").read_text()
    assert "divided by 2" in page
    assert "<select" in page


def test_options_replace_what_a_preset_says_and_sweeps(invoke: Invoke) -> None:
    done = invoke("superpose", "mono", "LR1", *TINY, "--learning-rate", "0.01", "--json", "-o", "a")
    claims = json.loads(done.stdout)["claims"]
    assert "learning_rate" not in claims
    assert len(claims["loss"]) == 1
    grid = ["--sweep", "decay=0,0.5", "--sweep", "half-period=8:24:8"]
    done = invoke("superpose", "mono", "LR1", *TINY, *grid, "--json", "-o", "b")
    claims = json.loads(done.stdout)["claims"]
    assert claims["decay"] == [0.0, 0.0, 0.5, 0.5]
    assert claims["half_period"] == [8, 16, 8, 16]


def test_a_run_is_redrawn_inspected_and_resumed(invoke: Invoke) -> None:
    first = json.loads(invoke(*SWEPT, "-o", "run", "--json").stdout)
    drawn = json.loads(
        invoke("superpose", "mono", "--from", "run", "--format", "html", "--json").stdout
    )
    assert drawn["claims"] == first["claims"] | {"run_ended": True}
    assert Path("run/mono/report.html").is_file()
    shown = json.loads(invoke("inspect", "run", "--json").stdout)
    assert shown["claims"]["kind"] == "monosemanticity"
    assert shown["claims"]["trained_weights"] == 2 * (6 * 24 + 24 + 24 * 16)
    assert not shown["subject"]["weights"]["learning_rate=0.01.W_E"]["trained"]
    assert invoke(*SWEPT, "-o", "run").exit_code == 2
    again = json.loads(invoke(*SWEPT, "-o", "run", "--resume", "--json").stdout)
    assert again["claims"] == first["claims"]


def test_the_published_table_is_listed(invoke: Invoke) -> None:
    done = invoke("superpose", "mono", "--list")
    assert done.exit_code == 0
    for name in PRESETS:
        assert name in done.stdout
    assert "--decay 0.03 --initial-bias -1.0" in done.stdout
    listed = json.loads(invoke("superpose", "mono", "--list", "--json").stdout)
    assert listed["subject"]["presets"]["K0"]["sweep"] == {"k": [2**i for i in range(4, 12)]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["LR9"], "no preset named 'LR9': did you mean 'LR"),
        (["--sweep", "learning-rate"], "--sweep: expected SETTING=VALUES"),
        (["--sweep", "learning-rat=0.1"], "did you mean 'learning_rate'"),
        (["--sweep", "k=0,4"], "k: expected 1 <= k <= 65536, found '0'"),
        (["--sweep", "k=4", "--sweep", "k=8"], "k is given twice"),
        (["--sweep", "k=4", "--k", "8"], "k is given twice: sweep it, or give one value"),
        (["--sweep", "log2_training_steps=4,5"], "expected one of"),
        (["--N", "0"], "N: expected 1 <= N <= 65536, found 0"),
        (["--check", "losses < 1"], "no claim is named 'losses'"),
        (["--from", "run", "--N", "8"], "cannot be given with --N"),
        (["--from", "run", "--eps", "0.1", "--seed", "1"], "cannot be given with --seed, --eps"),
        (["LR1", "--from", "run"], "cannot be given with PRESET"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_message(
    invoke: Invoke, arguments: list[str], message: str
) -> None:
    done = invoke("superpose", "mono", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_checks_hold_for_every_model(invoke: Invoke) -> None:
    assert invoke(*SWEPT, "-o", "a", "--check", "loss > 0").exit_code == 0
    assert invoke(*SWEPT, "-o", "b", "--check", "monosemantic_neurons > 1000").exit_code == 4
