"""``mitool patch`` by its command line."""

import json
import signal
from html import escape
from pathlib import Path
from typing import Any

import pytest

from mitool.analysis.patching import patch
from mitool.analysis.patching.sites import ACTIVATIONS
from mitool.cli.common import DTYPES, PROMPTS
from mitool.cli.patch import SITES
from mitool.core import device
from mitool.core.errors import Interrupted
from mitool.models.subject import open_model
from mitool.pairs.generated import GENERATED
from mitool.settings import PatchSettings
from mitool.storage import checkpoint
from tests.analysis.attention.models import tiny_llama
from tests.cli.conftest import Invoke

TRAIN = ("train", "min", "--max-value", "5", "--epochs", "2", "--d-model", "8", "--format", "html")
QUICK = ("--format", "html", "--resamples", "100", "--quiet")


@pytest.fixture
def run(invoke: Invoke) -> Path:
    assert invoke(*TRAIN, "-o", "run").exit_code == 0
    return Path("run")


@pytest.fixture
def llama(invoke: Invoke) -> Path:
    Path("pairs.csv").write_text(
        "clean,corrupted,correct,incorrect\n"
        "w1 w2 w3,w1 w4 w3, w5, w6\nw7 w8 w2 w9,w7 w8 w4 w9, w1, w2\n"
    )
    return tiny_llama(Path("llama"))


def test_a_run_is_patched_everywhere(invoke: Invoke, run: Path) -> None:
    done = invoke("patch", "run", "--n-pairs", "30", *QUICK)
    assert done.exit_code == 0, done.stderr
    assert "top_site" in done.stdout
    assert "resid_post.L0.p2" in done.stdout
    folder = run / "patch"
    document = json.loads((folder / "result.json").read_text())
    assert document["command"] == "patch"
    settings = PatchSettings(n_pairs=30, resamples=100)
    claims = patch(open_model("run"), settings).claims
    assert document["claims"] == {**claims, "run_ended": True}
    assert document["config"]["sites"][0] == "resid_pre"
    arrays, _ = checkpoint.read_tensors(folder / "arrays.safetensors")
    assert arrays["resid_pre.metric_by_pair"].shape == (1, 3, 20)
    assert "the task has inputs for 20 pairs, fewer than the 30 asked for" in document["warnings"]
    assert arrays["z.effect"].shape == (1, 1)
    effects = json.loads((folder / "effects.json").read_text())
    assert effects["z"][0]["site"] == "z.L0H0"
    assert effects["z"][0]["effect"] == document["claims"]["effects.z.L0H0"]
    assert str(done.stdout).startswith(str(document["claims"]["top_site"]))
    again = invoke("patch", "run", *QUICK)
    assert again.exit_code == 2
    assert "already holds a result" in again.stderr


def test_json_alone_goes_to_stdout_and_claims_can_be_checked(invoke: Invoke, llama: Path) -> None:
    command = ["patch", "llama", "--pairs", "pairs.csv", *QUICK, "--json", "--site", "z*"]
    done = invoke(*command, "-o", "a", "--check", "n_pairs == 2", "--check", "effects.z.* < 99")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["config"]["sites"] == ["z", "z_by_pos"]
    assert document["claims"]["metric"] == "logit difference"
    missed = invoke(*command, "-o", "b", "--check", "top_p_value < 0")
    assert missed.exit_code == 4
    unknown = invoke(*command, "-o", "c", "--check", "effects.z.L7H0 > 0")
    assert unknown.exit_code == 2
    assert "no claim is named 'effects.z.L7H0'" in unknown.stderr
    assert not Path("c").exists()


def test_paths_and_edges(invoke: Invoke, llama: Path) -> None:
    command = ["patch", "llama", "--pairs", "pairs.csv", *QUICK, "--json"]
    done = invoke(*command, "-o", "a", "--edge", "L0H*->L1H2<k>", "--edge", "{input,MLP0}->MLP1")
    assert done.exit_code == 0, done.stderr
    claims = json.loads(done.stdout)["claims"]
    assert claims["n_sites"] == 6
    assert "effects.L0H3->L1H2<k>" in claims
    assert "all_edges_effect" in claims
    done = invoke(*command, "-o", "b", "--path", "L0H1->logits", "--between", "recomputed")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["claims"]["top_site"] == "L0H1->logits"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--edge", "L0H1"], 2, "expected WRITER->READER"),
        (["--path", "MLP1->L0H0"], 2, "a writer comes before its reader"),
        (["--site", "resid"], 2, "did you mean 'resid_"),
        (["--metric", "logitdiff"], 2, "metric"),
        (["--ablation", "zero", "--direction", "denoise"], 2, "leave one of them out"),
        (["--ablation", "mean", "--site", "pattern"], 2, "no mean"),
        (["--memory", "0"], 2, "memory"),
        (["--device", "tpu"], 2, "device"),
    ],
)
def test_wrong_usage(invoke: Invoke, llama: Path, options: list[str], code: int, said: str) -> None:
    done = invoke("patch", "llama", "--pairs", "pairs.csv", *QUICK, *options)
    assert done.exit_code == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert not Path("runs/llama-patch").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("w1 w2,w1 w2 w3, w4, w5", "`<s>|w1|w2` and `<s>|w1|w2|w3`"),
        ("w1 w2,w1  w2, w4, w5", "found `<s>|w1|w2` for both"),
        ("w1 w2,w1 w3, w4 w5, w6", "expected an answer that is one token"),
    ],
)
def test_pairs_that_cannot_be_patched(invoke: Invoke, llama: Path, line: str, said: str) -> None:
    Path("bad.csv").write_text(f"clean,corrupted,correct,incorrect\n{line}\n")
    done = invoke("patch", "llama", "--pairs", "bad.csv", *QUICK)
    assert done.exit_code == 3
    assert "bad.csv, line 2" in done.stderr
    assert said in done.stderr


def test_a_pretrained_model_needs_pairs(invoke: Invoke, llama: Path) -> None:
    done = invoke("patch", "llama", *QUICK)
    assert done.exit_code == 2
    assert "give them with --pairs FILE" in done.stderr


def test_pairs_of_a_toy_from_a_file(invoke: Invoke, run: Path) -> None:
    Path("toy.csv").write_text("clean,corrupted,correct,incorrect\n1 4 =,5 4 =,1,4\n")
    done = invoke("patch", "run", "--pairs", "toy.csv", *QUICK, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["claims"]["n_pairs"] == 1


def test_checks_hold_effects_that_are_no_claims(invoke: Invoke, llama: Path) -> None:
    command = ["patch", "llama", "--pairs", "pairs.csv", *QUICK, "--json", "--by-position"]
    done = invoke(*command, "-o", "a", "--check", "effects.* < 99")
    assert done.exit_code == 0, done.stderr
    claims = json.loads(done.stdout)["claims"]
    sites = [row["site"] for row in json.loads(Path("a/effects.json").read_text())["z_by_pos"]]
    rest = [site for site in sites if f"effects.{site}" not in claims]
    assert rest
    done = invoke(*command, "-o", "b", "--check", f"effects.{rest[0]} < 99")
    assert done.exit_code == 0, done.stderr
    done = invoke(*command, "-o", "c", "--check", f"effects.{rest[0]} > 99")
    assert done.exit_code == 4


def test_what_a_reader_must_know_of_few_pairs(invoke: Invoke, llama: Path) -> None:
    command = ["patch", "llama", "--pairs", "pairs.csv", *QUICK, "--json", "--site", "z"]
    many = json.loads(invoke(*command, "-o", "a", "--n-pairs", "5").stdout)["warnings"]
    assert many[:2] == [
        "the file has 2 pairs, fewer than the 5 asked for",
        "with 2 pairs no p-value can be below 0.5, and intervals say little",
    ]
    one = json.loads(invoke(*command, "-o", "b", "--n-pairs", "1").stdout)
    assert one["warnings"][0] == (
        "one pair says nothing of others: effects have no interval, and their p-value is 1"
    )
    assert (one["claims"]["top_effect_ci"], one["claims"]["top_p_value"]) == (None, 1)


ROWS = ("w1 w2 w3,w1 w4 w3, w5, w6", "w7 w8 w2,w7 w8 w4, w1, w2")


def statistics_of(invoke: Invoke, rows: list[str], heading: str = "") -> dict[str, Any]:
    """What is claimed and warned of on these pairs, less what counts them."""
    name = f"{len(list(Path().glob('*.csv')))}"
    heading = f"clean,corrupted,correct,incorrect{heading}"
    Path(f"{name}.csv").write_text("\n".join([heading, *rows, ""]))
    options = [*QUICK, "--json", "--site", "z", "-o", name]
    done = invoke("patch", "llama", "--pairs", f"{name}.csv", *options)
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_rows_that_are_repeated_are_no_evidence(invoke: Invoke, llama: Path) -> None:
    once, again = statistics_of(invoke, [*ROWS]), statistics_of(invoke, [*ROWS] * 4)
    assert again["claims"].pop("n_pairs") == 4 * once["claims"].pop("n_pairs") == 8
    assert again["claims"]["n_groups"] == 2
    assert again["claims"]["top_p_value"] >= 0.5  # that of eight pairs may be .0078
    for name, value in once["claims"].items():
        if isinstance(value, float | list):
            assert again["claims"][name] == pytest.approx(value, rel=1e-4), name
        else:
            assert again["claims"][name] == value, name
    assert again["warnings"][0] == (
        "with 2 groups (8 pairs, of which 2 differ) no p-value can be below 0.5, and intervals "
        "say little"
    )
    assert once["warnings"][0].startswith("with 2 pairs no p-value can be below 0.5")


def test_a_pair_and_its_mirror_image_are_one_group(invoke: Invoke, llama: Path) -> None:
    found = statistics_of(invoke, [ROWS[0], "w1 w4 w3,w1 w2 w3, w6, w5"])
    counts = ("n_pairs", "n_distinct", "n_groups", "top_p_value", "top_effect_ci")
    assert [found["claims"][name] for name in counts] == [2, 2, 1, 1, None]
    assert found["warnings"][0] == (
        "all 2 pairs are linked by inputs that they share, and one group says nothing of others: "
        "effects have no interval, and their p-value is 1"
    )
    page = Path("1/report.html").read_text()
    assert "over 2 pairs in 1 group" in page
    assert "directly or through others, are one group: 2 pairs in 1 group." in page


def test_a_file_may_name_its_groups(invoke: Invoke, llama: Path) -> None:
    mirrored = "w1 w4 w3,w1 w2 w3, w6, w5"
    whole = statistics_of(invoke, [f"{ROWS[0]},a", f"{ROWS[1]},a"], ",group")
    assert (whole["claims"]["n_groups"], whole["claims"]["top_p_value"]) == (1, 1)
    assert whole["warnings"][0].startswith("the file puts all 2 pairs into one group")
    parted = statistics_of(invoke, [f"{ROWS[0]},a", f"{mirrored},b"], ",group")
    assert (parted["claims"]["n_groups"], parted["claims"]["top_p_value"]) == (2, 0.5)
    assert parted["warnings"][0] == (
        "the file puts pairs that share an input into different groups (a, b), which count as "
        "independent evidence all the same"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--edge", "MLP0->MLP1", "--between", "mlps"], "--between says what becomes of"),
        (["--edge", "MLP0->MLP1", "--by-position"], "--by-position is about the heads of a sweep"),
    ],
)
def test_options_that_would_do_nothing(
    invoke: Invoke, llama: Path, options: list[str], said: str
) -> None:
    done = invoke("patch", "llama", "--pairs", "pairs.csv", *QUICK, *options)
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_interrupted_report_is_not_left_for_a_result(
    invoke: Invoke, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise Interrupted("interrupted by SIGINT", signal.SIGINT)

    monkeypatch.setattr("mitool.report.formats.Formats.write", interrupted)
    done = invoke("patch", "run", *QUICK, "--n-pairs", "5")
    assert done.exit_code == 130
    assert not (run / "patch").exists()
    assert (run / "ckpt.safetensors").exists()


def test_names_that_texts_and_completion_have_are_those_of_what_is_slow_to_load() -> None:
    assert device.DTYPES == DTYPES
    assert tuple(GENERATED) == PROMPTS
    assert ACTIVATIONS == SITES


STUDIES = (
    ("patch", "--site", "z", "--resamples", "100"),
    ("analyze", "circuit", "--method", "exact", "--random-circuits", "1", "--resamples", "100"),
    ("analyze", "attn"),
)


@pytest.mark.parametrize("study", STUDIES, ids=["patch", "circuit", "attn"])
def test_whether_texts_start_with_a_bos(
    invoke: Invoke, llama: Path, study: tuple[str, ...]
) -> None:
    n = 2 if study[0] == "analyze" else 1
    command = (*study[:n], "llama", *study[n:], "--pairs", "pairs.csv", "--format", "html")
    own = ["w1", "w2", "w3"]
    for bos, before in ("auto", ["<s>"]), ("yes", ["<s>"]), ("no", []):
        done = invoke(*command, "-o", bos, "--bos", bos, "--json")
        assert done.exit_code == 0, done.stderr
        config = json.loads(done.stdout)["config"]
        assert config["bos"] == bos
        assert config["special_tokens"] == {"before": before, "after": []}
        assert config["first_prompt"] == [*before, *own]
        line = f"The first text is read as {'|'.join([*before, *own])} ("
        assert line in done.stderr
        assert escape(line) in (Path(bos) / "report.html").read_text()


@pytest.mark.parametrize("study", STUDIES, ids=["patch", "circuit", "attn"])
def test_a_toy_has_no_bos(invoke: Invoke, run: Path, study: tuple[str, ...]) -> None:
    n = 2 if study[0] == "analyze" else 1
    done = invoke(*study[:n], "run", "--bos", "no", "-o", "out")
    assert done.exit_code == 2
    assert "--bos no is about the texts of a pretrained model" in done.stderr
    assert not Path("out").exists()
    done = invoke(*study[:n], "run", "--bos", "never", "-o", "out")
    assert done.exit_code == 2
