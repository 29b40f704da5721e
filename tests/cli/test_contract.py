"""The contract of the command line: streams, envelope, exit codes, errors."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitool.cli.main import app
from tests.cli.conftest import QUICK, Invoke, Shell, mitool

ENVELOPE = {
    *("mitool", "command", "command_line", "subject", "config", "claims", "report"),
    *("artifacts", "seconds", "finished", "warnings", "checks"),
}
TRAIN_CLAIMS = {
    *("epochs", "train_loss", "test_loss", "train_accuracy", "test_accuracy"),
    *("grokked_at", "seconds_training", "steps_per_second"),
}


@pytest.mark.parametrize(
    "arguments",
    [
        ["tasks"],
        ["doctor"],
        ["train", "modadd", *QUICK],
        ["inspect", "RUN"],
        ["analyze", "attn", "RUN", "--format", "html"],
        ["analyze", "fourier", "RUN", "--format", "html"],
        ["convert", "RUN", "--to", "bridge"],
    ],
    ids=" ".join,
)
def test_json_is_one_document_on_stdout(
    invoke: Invoke, tmp_path: Path, arguments: list[str]
) -> None:
    invoke("train", "modadd", *QUICK, "-o", "given")
    arguments = [word.replace("RUN", "given") for word in arguments]
    done = invoke(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document.keys() == ENVELOPE
    assert document["command"] == " ".join(
        arguments[: 2 if arguments[0] in ("train", "analyze") else 1]
    )
    if arguments[0] == "train":
        assert document["claims"].keys() >= TRAIN_CLAIMS
        folder = tmp_path / document["subject"]["run"]
        written = json.loads((folder / "result.json").read_text())
        assert written == {k: v for k, v in document.items() if k != "checks"}
        assert [Path(path).name for path in document["artifacts"]] == [
            "ckpt.safetensors",
            "report.html",
        ]
        assert document["claims"]["grokked_at"] is None
        assert any("memorised_at is undefined" in warning for warning in document["warnings"])


def test_without_json_stdout_is_a_table_and_nothing_else(invoke: Invoke) -> None:
    done = invoke("train", "modadd", *QUICK)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {row[0] for row in rows} >= TRAIN_CLAIMS
    assert "epoch" in done.stderr
    assert "writing" in done.stderr
    quiet = invoke("train", "modadd", *QUICK, "--quiet", "--overwrite")
    assert [line.split()[0] for line in quiet.stdout.splitlines()] == [row[0] for row in rows]
    assert set(quiet.stderr.split("\n")[:-1]) == {
        line for line in done.stderr.split("\n") if line.startswith("Warning")
    }


def test_quiet_and_json_and_no_color_have_no_escape_codes(shell: Shell) -> None:
    done = shell("train", "modadd", *QUICK, env={"NO_COLOR": "1"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr


def test_a_check_gates(invoke: Invoke) -> None:
    met = invoke("train", "modadd", *QUICK, "-o", "a", "--check", "epochs == 6")
    assert met.exit_code == 0
    missed = invoke("train", "modadd", *QUICK, "-o", "b", "--check", "test_loss < 0", "--json")
    assert missed.exit_code == 4
    assert "check not met: test_loss < 0" in missed.stderr
    assert json.loads(missed.stdout)["claims"]["epochs"] == 6
    unread = invoke("train", "modadd", *QUICK, "-o", "c", "--check", "nonsense")
    assert unread.exit_code == 2
    assert not Path("c").exists()


BAD_USAGE = {
    "p = 1": (["modadd", "--p", "1"], "2 <= p <= 65536"),
    "p = 0": (["modadd", "--p", "0"], "2 <= p <= 65536"),
    "p of letters": (["modadd", "--p", "x"], "--p"),
    "frac 0": (["modadd", "--frac-train", "0"], "0 < frac_train < 1"),
    "frac 1.5": (["modadd", "--frac-train", "1.5"], "0 < frac_train < 1"),
    "frac nan": (["modadd", "--frac-train", "nan"], "0 < frac_train < 1"),
    "frac too small": (["modadd", "--p", "2", "--frac-train", "0.1"], "0.25 <= frac_train < 1"),
    "d_model": (["modadd", "--d-model", "130"], "multiple of n_heads = 4, found 130"),
    "task": (["modad"], "did you mean 'modadd'"),
    "op": (["modadd", "--op", "divide"], "add"),
    "activation": (["modadd", "--act-fn", "tanh"], "gelu_new"),
    "option": (["modadd", "--epoch", "3"], "--epochs"),
    "device": (["modadd", "--device", "tpu"], "cuda:INDEX"),
    "dtype": (["modadd", "--dtype", "float16"], "float32"),
    "threads": (["modadd", "--threads", "4096"], "expected 1 to"),
    "format": (["modadd", "--format", "pdf"], "html, png"),
    "seeds": (["modadd", "--seeds", "4-0"], "rising ranges"),
    "too many seeds": (["modadd", "--seeds", "0-99999999999"], "at most 10000 seeds"),
    "a seed beyond torch's": (["modadd", "--seed", str(2**64)], "9223372036854775807"),
    "overwrite and resume": (["modadd", "--overwrite", "--resume"], "exclude each other"),
    "seeds of letters": (["modadd", "--seeds", "a-b"], "such as 0-4"),
    "output is a file": (["modadd", "-o", "file"], "found the file file"),
    "epochs": (["modadd", "--epochs", "0"], "epochs >= 1"),
    "betas": (["modadd", "--betas", "0.9", "1.5"], "betas"),
    "max value": (["min", "--max-value", "0"], "1 <= max_value"),
    "stream without batch": (["min", "--k", "9"], "--batch-size"),
}


@pytest.mark.parametrize("name", BAD_USAGE)
def test_bad_usage_gives_exit_2_and_the_valid_range(invoke: Invoke, name: str) -> None:
    arguments, message = BAD_USAGE[name]
    Path("file").write_text("mine")
    done = invoke("train", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr.replace("\n", " ")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [path.name for path in Path().iterdir()] == ["file"]
    assert Path("file").read_text() == "mine"


def test_a_missing_device_gives_exit_1_and_says_what_is_there(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitool.core.device._cuda_count", lambda: 0)
    done = invoke("train", "modadd", *QUICK, "--device", "cuda")
    assert done.exit_code == 1
    assert "this machine has cpu" in done.stderr


def test_a_folder_that_holds_a_run_is_not_overwritten_silently(invoke: Invoke) -> None:
    assert invoke("train", "modadd", *QUICK, "-o", "run").exit_code == 0
    before = Path("run/ckpt.safetensors").read_bytes()
    refused = invoke("train", "modadd", *QUICK, "-o", "run", "--seed", "1")
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert Path("run/ckpt.safetensors").read_bytes() == before
    assert invoke("train", "modadd", *QUICK, "-o", "run", "--resume").exit_code == 0
    assert Path("run/ckpt.safetensors").read_bytes() == before
    replaced = invoke("train", "modadd", *QUICK, "-o", "run", "--seed", "1", "--overwrite")
    assert replaced.exit_code == 0
    assert Path("run/ckpt.safetensors").read_bytes() != before


def test_an_error_has_a_traceback_only_with_debug(shell: Shell) -> None:
    plain, debug = shell("inspect", "none"), shell("inspect", "none", "--debug")
    assert plain.returncode == 3
    assert (
        plain.stderr == "Error: none: no such file; expected a .safetensors checkpoint or a run\n"
    )
    assert "Traceback" in debug.stderr
    assert debug.returncode == 3


def test_an_explicit_png_fails_where_no_browser_is(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    options = [word for word in QUICK if word not in ("--format", "html")]
    default = invoke("train", "modadd", *options, "-o", "a")
    assert default.exit_code == 0
    assert default.stderr.count("PNG images need Chrome or Chromium") == 1
    explicit = invoke("train", "modadd", *options, "-o", "b", "--format", "png")
    assert explicit.exit_code == 1
    assert "apt-get install chromium-headless-shell" in explicit.stderr


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_saves_and_gives_its_exit_code(
    tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    command = mitool(["train", "modadd", "--p", "23", "--epochs", "1000000", "-o", "run", "--json"])
    child = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    metrics, begun = tmp_path / "run" / "metrics.jsonl", time.time()
    while not (metrics.exists() and metrics.read_text().count("\n") > 2):
        assert child.poll() is None
        assert time.time() - begun < 60
        time.sleep(0.05)
    child.send_signal(signum)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == code
    assert stdout == ""
    assert "--resume goes on" in stderr
    assert "Traceback" not in stderr
    assert (tmp_path / "run" / "resume.safetensors").exists()


def test_a_signal_before_training_is_no_traceback(tmp_path: Path) -> None:
    child = subprocess.Popen(
        mitool(["doctor"]), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.0)
    child.terminate()
    _, stderr = child.communicate(timeout=60)
    assert child.returncode in (143, -signal.SIGTERM)
    assert "Traceback" not in stderr


def test_a_path_that_the_system_refuses_is_one_message(invoke: Invoke) -> None:
    long = "x" * 300
    assert invoke("inspect", long).exit_code == 3
    done = invoke("train", "modadd", *QUICK, "-o", long)
    assert done.exit_code == 2
    assert done.stderr.count("Error:") == 1


def test_ranges_are_in_the_help(invoke: Invoke) -> None:
    shown = " ".join(invoke("train", "modadd", "--help").stdout.replace("│", " ").split())
    for text in ("(2 <= x <= 65536)", "(x >= 1)", "(0 < x < 1)", "(x >= 0)"):
        assert text in shown


def test_help_and_completion_load_no_torch(shell: Shell) -> None:
    code = (
        "import sys\n"
        "from mitool.cli.main import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'plotly' not in sys.modules"
    )
    for arguments in (["--help"], ["train", "--help"], ["train", "modadd", "--help"], ["tasks"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    environment = {"_MITOOL_COMPLETE": "complete_bash", "COMP_WORDS": "mitool train mod"}
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-c",
            "from mitool.cli.main import app; app(prog_name='mitool')",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **environment, "COMP_CWORD": "2"},
        check=False,
    )
    assert "modadd" in done.stdout
    assert "| torch\n" not in done.stderr


def test_every_command_explains_itself(invoke: Invoke) -> None:
    for command in ([], ["tasks"], ["inspect"], ["doctor"], ["train"], ["train", "min"]):
        done = invoke(*command, "--help")
        assert done.exit_code == 0
        assert "Usage:" in done.stdout
    assert app.info.no_args_is_help


def test_the_version_is_shown(invoke: Invoke) -> None:
    assert invoke("--version").stdout == "mitool 0.1.0\n"
