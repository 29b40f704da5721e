"""``mitool analyze circuit`` by its command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
)

from mitool import planted
from mitool.analysis.circuits import analyze_circuit
from mitool.core.node_names import published
from mitool.models.subject import load
from mitool.settings import CircuitSettings
from mitool.storage import checkpoint
from tests.analysis.attention.models import tiny_llama
from tests.cli.conftest import Invoke
from tests.word_tokenizers import byte_level

QUICK = ("--format", "html", "--resamples", "100", "--random-circuits", "3", "--quiet")
SEARCH = ("analyze", "circuit", "xor", "--pairs", "xor/pairs.csv", *QUICK)


@pytest.fixture
def xor(invoke: Invoke) -> Path:
    assert invoke("plant", "xor", "-o", "xor").exit_code == 0
    return Path("xor")


def claims_of(done: Any) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["claims"]
    return found


def test_a_circuit_is_found_tested_and_kept(invoke: Invoke, xor: Path) -> None:
    done = invoke(*SEARCH, "--truth", "xor/truth.txt", "--holdout", "0.25", "--audit", "10")
    assert done.exit_code == 0, done.stderr
    folder = xor / "circuit"
    document = json.loads((folder / "result.json").read_text())
    assert document["command"] == "analyze circuit"
    assert document["claims"]["auroc"] == 1
    assert document["claims"]["n_edges"] == 5
    assert "24 of 24 pairs" in document["config"]["memory_plan"]  # 8 more are held out
    kept = json.loads((folder / "circuit.json").read_text())
    chosen = sorted(name for name, edge in kept["edges"].items() if edge["in_graph"])
    assert chosen == sorted(map(published, planted.plant("xor").truth))
    arrays, record = checkpoint.read_tensors(folder / "circuit.safetensors")
    assert arrays["scores"].shape == arrays["exists"].shape == (27, 11, 1)
    assert arrays["metric.circuit"].shape == (8,)
    assert record["config"]["holdout"] == 0.25
    assert str(done.stdout).startswith("5 of 110 edges keep 100.0%")
    again = invoke(*SEARCH)
    assert again.exit_code == 2
    assert "already holds a result" in again.stderr


def test_the_command_and_python_give_the_same(invoke: Invoke, xor: Path) -> None:
    claims = claims_of(invoke(*SEARCH, "--json", "--edges", "7", "--method", "eap"))
    settings = CircuitSettings(method="eap", edges=7, resamples=100, random_circuits=3)
    result = analyze_circuit(load(xor), settings, pairs=xor / "pairs.csv")
    assert claims == json.loads(json.dumps(dict(result.claims)))


def test_what_was_found_is_chosen_from_again_and_tested_again(invoke: Invoke, xor: Path) -> None:
    first = claims_of(invoke(*SEARCH, "--json", "-o", "a", "--edges", "7"))
    again = [*SEARCH, "--json", "--scores", "a/circuit.json", "--edges", "7"]
    assert claims_of(invoke(*again, "-o", "b")) == first
    given = claims_of(invoke(*SEARCH, "--json", "--circuit", "a/circuit.json", "-o", "c"))
    assert given["faithfulness"] == first["faithfulness"]
    Path("edges.txt").write_text("# by hand\n{a0.h1,a1.h2}->m1\ninput->a*.h*<v>\nm1->logits\n")
    by_hand = claims_of(invoke(*SEARCH, "--json", "--circuit", "edges.txt", "-o", "d"))
    assert by_hand["faithfulness"] == pytest.approx(1, abs=1e-3)


def test_checks_hold_claims_and_scores(invoke: Invoke, xor: Path) -> None:
    checks = ["--check", "faithfulness > 0.9", "--check", "scores.MLP1->logits > 1"]
    assert invoke(*SEARCH, *checks, "-o", "a").exit_code == 0
    assert invoke(*SEARCH, "--check", "n_edges < 2", "-o", "b").exit_code == 4
    unknown = invoke(*SEARCH, "--check", "auroc > 0", "-o", "c")  # there is no --truth
    assert unknown.exit_code == 2
    assert not Path("c").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--method", "eapig"], 2, "method"),
        (["--edges", "5", "--fraction", "0.5"], 2, "edges and fraction: expected one of them"),
        (["--level", "node", "--by-position"], 2, "by_position: expected edges"),
        (["--level", "node", "--selection", "greedy"], 2, "give --level edge"),
        (["--ablation", "mean"], 2, "no such input"),
        (["--metric", "accuracy"], 2, "a metric with a gradient"),
        (["--circuit", "xor/truth.txt", "--edges", "3"], 2, "leave one of them out"),
        (["--task", "ioi"], 2, "--pairs and --task"),
        (["--holdout", "1"], 2, "holdout"),
        (["--circuit", "nothing.json"], 3, "nothing.json"),
        (["--truth", "far.txt"], 3, "a7.h1->m9"),
    ],
)
def test_wrong_usage(invoke: Invoke, xor: Path, options: list[str], code: int, said: str) -> None:
    Path("far.txt").write_text("a7.h1->m9\nm1->logits\n")
    done = invoke(*SEARCH, *options)
    assert done.exit_code == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert not (xor / "circuit").exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "expected at least one pair"),
        (["1 2 =,1 =,3,0"], "as many tokens"),
        (["1 2 =,2 4 =,3,6", "2 4 =,1 2 =,3,6"], "a metric that differs"),
    ],
)
def test_pairs_that_show_nothing(invoke: Invoke, xor: Path, rows: list[str], said: str) -> None:
    Path("bad.csv").write_text("\n".join(["clean,corrupted,correct,incorrect", *rows, ""]))
    done = invoke("analyze", "circuit", "xor", "--pairs", "bad.csv", *QUICK)
    assert done.exit_code == 3
    assert said in done.stderr
    assert not (xor / "circuit").exists()


def test_a_pretrained_model_needs_pairs_or_a_task_that_its_tokenizer_knows(invoke: Invoke) -> None:
    tiny_llama(Path("llama"))
    done = invoke("analyze", "circuit", "llama", *QUICK)
    assert done.exit_code == 2
    assert "give them with --pairs FILE" in done.stderr
    done = invoke("analyze", "circuit", "llama", "--task", "greater-than", *QUICK)
    assert done.exit_code == 3
    assert "greater-than" in done.stderr
    done = invoke("analyze", "circuit", "llama", "--task", "greaterthan", *QUICK)
    assert done.exit_code == 2
    assert "did you mean 'greater-than'" in done.stderr


def test_a_model_whose_blocks_norm_the_stream_is_refused(invoke: Invoke) -> None:
    folder = tiny_llama(Path("opt"))  # for its tokenizer
    sizes = {"hidden_size": 16, "ffn_dim": 20, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = OPTConfig(vocab_size=32, word_embed_proj_dim=8, do_layer_norm_before=False, **sizes)
    OPTForCausalLM(config).save_pretrained(folder)
    Path("pairs.csv").write_text("clean,corrupted,correct,incorrect\nw1 w2,w1 w3, w4, w5\n")
    done = invoke("analyze", "circuit", "opt", "--pairs", "pairs.csv", *QUICK)
    assert done.exit_code == 3
    assert "found norms of the stream itself after attention and MLPs" in done.stderr
    assert done.stdout == ""


def test_pairs_are_made_for_a_pretrained_model(invoke: Invoke) -> None:
    tokenizer = byte_level()
    torch.manual_seed(0)
    sizes = {"n_positions": 32, "n_embd": 8, "n_layer": 1, "n_head": 2, "initializer_range": 0.5}
    GPT2LMHeadModel(GPT2Config(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained("g")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained("g")
    for task, unit in (("greater-than", "P(later) - P(not later)"), ("ioi", "logit difference")):
        command = ["g", "--task", task, "--n-pairs", "12", "--format", "html", "--json", "--quiet"]
        few = ("--random-circuits", "1", "--minimality", "2", "-o", task)
        claims = claims_of(invoke("analyze", "circuit", *command, *few))
        assert (claims["n_pairs"], claims["metric"]) == (12, unit)
        assert claims["n_edges_total"] == 13  # 6 into the heads, 3 into the MLP, 4 into the logits
        document = json.loads(Path(task, "result.json").read_text())
        assert document["config"]["read"] == f"pairs of {task}"
        assert claims_of(invoke("patch", *command, "-o", f"{task}-patched"))["metric"] == unit


MIRRORED = "clean,corrupted,correct,incorrect\n" + "".join(
    f"{a} {b} =,{c} {b} =,{a ^ b},{c ^ b}\n{c} {b} =,{a} {b} =,{c ^ b},{a ^ b}\n"
    for a, b, c in ((0, 1, 2), (3, 1, 4), (5, 6, 7), (1, 0, 6), (2, 7, 0), (4, 4, 3))
)


def test_no_mirror_image_of_a_pair_found_on_is_tested_on(invoke: Invoke, xor: Path) -> None:
    Path("pairs.csv").write_text(MIRRORED)
    command = ("analyze", "circuit", "xor", "--pairs", "pairs.csv", *QUICK, "--holdout", "0.5")
    done = invoke(*command)
    counts = ("n_pairs", "n_distinct", "n_groups", "n_groups_total")
    document = json.loads((xor / "circuit/result.json").read_text())
    assert [document["claims"][name] for name in counts] == [6, 6, 3, 6]
    arrays, _ = checkpoint.read_tensors(xor / "circuit/circuit.safetensors")
    for side in ("pairs.tested", "pairs.found_on"):
        assert (arrays[side].view(3, 2) // 2).diff(dim=1).eq(0).all()  # both of each two rows
        assert arrays["pairs.group"][arrays[side]].unique(return_counts=True)[1].tolist() == [2] * 3
    assert str(done.stdout).splitlines()[0].endswith("held out (3 of 6 groups)")
    page = (xor / "circuit/report.html").read_text()
    assert "on 6 pairs that were held out (3 of 6 groups)" in page
    assert "are one group, and held out together: 12 pairs in 6 groups." in page


def test_pairs_that_are_all_one_group_cannot_be_held_out(invoke: Invoke, xor: Path) -> None:
    rows = ["clean,corrupted,correct,incorrect", "0 1 =,2 1 =,1,3", "2 1 =,4 1 =,3,5"]
    Path("pairs.csv").write_text("\n".join([*rows, "4 1 =,5 3 =,5,6", ""]))
    command = ("analyze", "circuit", "xor", "--pairs", "pairs.csv", *QUICK)
    done = invoke(*command, "--holdout", "0.5")
    assert done.exit_code == 2
    for words in (
        "expected at least 2 groups, found one (all 3 pairs are linked by inputs that they share)",
        "leave --holdout out, give pairs of other inputs, or say in a column `group`",
    ):
        assert words in done.stderr
    assert not (xor / "circuit").exists()
    whole = claims_of(invoke(*command, "--json"))
    assert (whole["n_groups"], whole["faithfulness_ci"]) == (1, None)


def test_what_a_file_was_found_on_is_not_known(invoke: Invoke, xor: Path) -> None:
    assert invoke(*SEARCH).exit_code == 0
    path = str(xor / "circuit/circuit.json")
    for given in ("circuit", "scores"):
        done = invoke(*SEARCH, f"--{given}", path, "--holdout", "0.5", "--json", "-o", given)
        said = f"held out of this run alone: the {given} of the file may have been found on these"
        assert any(said in warning for warning in json.loads(done.stdout)["warnings"])


def test_groups_that_cannot_be_held_out_as_asked_are_told_of(invoke: Invoke, xor: Path) -> None:
    rows = MIRRORED.splitlines()
    named = [f"{row},{'a' if number < 10 else 'b'}" for number, row in enumerate(rows[1:])]
    Path("pairs.csv").write_text("\n".join([f"{rows[0]},group", *named, ""]))
    command = ("analyze", "circuit", "xor", "--pairs", "pairs.csv", *QUICK, "--json")
    found = json.loads(invoke(*command, "--holdout", "0.5").stdout)
    assert found["claims"]["n_groups_total"] == 2
    assert any(
        warning.endswith("and the largest of the 2 groups has 10 of 12 pairs")
        and warning.startswith(("83.3% of the pairs are held out, not 50.0%", "16.7% of the"))
        for warning in found["warnings"]
    )


def test_rows_that_are_repeated_change_nothing_but_their_number(invoke: Invoke, xor: Path) -> None:
    heading, *rows = MIRRORED.splitlines()
    found = {}
    for name, given in (("once", rows[::2]), ("again", [*rows[::2], *rows[::2][::-1]] * 2)):
        Path(f"{name}.csv").write_text("\n".join([heading, *given, ""]))
        command = ("analyze", "circuit", "xor", "--pairs", f"{name}.csv", *QUICK, "--json")
        done = invoke(*command, "--edges", "4", "--minimality", "3", "-o", name)
        found[name] = claims_of(done), json.loads(done.stdout)["warnings"]
    (once, warned), (again, warned_again) = found.values()
    assert (once.pop("n_pairs"), again.pop("n_pairs")) == (6, 24)
    assert (again["n_distinct"], again["n_groups"]) == (6, 6)
    assert once["faithfulness_ci"][1] - once["faithfulness_ci"][0] > 0
    for name, value in once.items():
        expected = value if isinstance(value, str) else pytest.approx(value, rel=1e-4, abs=1e-5)
        assert again[name] == expected, name
    assert warned_again == warned
