"""``mitool convert`` by its command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mitool.models.subject import load
from mitool.storage import checkpoint
from tests.cli.conftest import Invoke
from tests.conversions import OPTIONS, hooked, model_of

BAD_USAGE = {
    "no task": (["good.pt"], "expected --task NAME"),
    "nothing": ([], "expected FILE (A state dict"),
    "unknown task": (["good.pt", "--task", "modad"], "did you mean 'modadd'"),
    "an option of no task": (["good.pt", "--p", "5"], "no option --p"),
    "an option of another task": (["good.pt", *OPTIONS, "--k", "2"], "no option --k"),
    "p": (["good.pt", "--task", "modadd", "--p", "1"], "2 <= p <= 65536"),
    "no name": (["good.pt", "--task"], "--task: expected NAME, found none"),
    "activation": (["good.pt", *OPTIONS, "--act-fn", "tanh"], "gelu_new"),
    "positions": (["good.pt", *OPTIONS, "--positional", "shortformer"], "learned"),
    "split": (["good.pt", *OPTIONS, "--split", "numpy"], "python"),
    "eval size": (["good.pt", *OPTIONS, "--eval-size", "9"], "leave --eval-size out"),
    "the source itself": (["own.safetensors", *OPTIONS, "-o", "own.safetensors"], "that is read"),
    "taken": (["good.pt", *OPTIONS, "-o", "own.safetensors"], "--overwrite"),
    "a folder": (["good.pt", *OPTIONS, "-o", "folder.safetensors"], "found a folder"),
    "ending": (["good.pt", *OPTIONS, "-o", "out.pt"], "ends in .safetensors"),
    "task and to": (["own.safetensors", *OPTIONS, "--to", "bridge"], "exclude each other"),
    "option and to": (["own.safetensors", "--to", "bridge", "--seed", "1"], "exclude each other"),
    "index and to": (["own.safetensors", "--to", "bridge", "--index", "0"], "exclude each other"),
    "rename and to": (
        ["own.safetensors", "--to", "bridge", "--rename", "a=b"],
        "--rename and --to",
    ),
    "no rename": (["good.pt", *OPTIONS, "--rename", "embed"], "expected FROM=TO, found 'embed'"),
    "another rename": (
        ["good.pt", *OPTIONS, "--rename", "embed.W=embed.W_E"],
        "'embed.W' fits no name of the file, or another --rename took all that it fits; did you "
        "mean 'embed.W_E'?",
    ),
    "index of one": (["good.pt", *OPTIONS, "--index", "-1"], "the file holds one state dict"),
    "index beyond": (["steps.pt", *OPTIONS, "--index", "2"], "expected -2 <= index < 2"),
    "another to": (["own.safetensors", "--to", "hooked"], "bridge"),
}


@pytest.mark.parametrize("name", BAD_USAGE)
def test_bad_usage_gives_exit_2(invoke: Invoke, name: str) -> None:
    torch.save(hooked(model_of()), "good.pt")
    torch.save([hooked(model_of())] * 2, "steps.pt")
    Path("own.safetensors").write_bytes(b"mine")
    Path("folder.safetensors").mkdir()
    arguments, message = BAD_USAGE[name]
    done = invoke("convert", *arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert Path("own.safetensors").read_bytes() == b"mine"
    assert not Path("good.safetensors").exists()


def test_what_is_stated_may_not_contradict_the_weights(invoke: Invoke) -> None:
    torch.save(hooked(model_of(biases="all", normalization_type="LN")), "good.pt")
    for option, value, found in (
        ("n-heads", "4", "2"),
        ("positional", "zero", "learned"),
        ("normalization-type", "RMS", "LN"),
        ("biases", "mlp", "all"),
    ):
        done = invoke("convert", "good.pt", *OPTIONS, f"--{option}", value)
        assert done.exit_code == 3
        assert f"{option.replace('-', '_')}: stated as {value}" in done.stderr
        assert f"are those of {found}" in done.stderr


def test_a_file_becomes_a_checkpoint_beside_it(invoke: Invoke) -> None:
    model = model_of()
    torch.save(hooked(model), "good.pt")
    done = invoke("convert", "good.pt", *OPTIONS, "--json", "--quiet", "--split-seed", "7")
    assert done.exit_code == 0, done.stderr
    (warning,) = done.stderr.splitlines()
    assert "the model is right on" in warning  # its weights are random
    document = json.loads(done.stdout)
    assert document["command"] == "convert"
    assert document["artifacts"] == ["good.safetensors"]
    assert document["claims"]["layout"] == "HookedTransformer"
    assert document["config"]["split"] == {"frac_train": 0.3, "seed": 7, "method": "torch"}
    subject = load(Path("good.safetensors"))
    assert subject.task.n_examples == 25
    assert subject.metadata.training["converted"]["file"] == "good.pt"
    assert invoke("convert", "good.pt", *OPTIONS).exit_code == 2
    assert invoke("convert", "good.pt", *OPTIONS, "--overwrite").exit_code == 0
    assert invoke("inspect", "good.safetensors").exit_code == 0
    assert invoke("analyze", "fourier", "good.safetensors", "--format", "html").exit_code == 0
    gate = invoke("convert", "good.pt", *OPTIONS, "--overwrite", "--check", "test_accuracy > 1")
    assert gate.exit_code == 4


def test_one_of_several_is_read_under_other_names(invoke: Invoke) -> None:
    steps = [
        {f"net.{name}": weight * scale for name, weight in model_of().state_dict().items()}
        for scale in (1.0, 0.0)
    ]
    odd = [{n.replace("attn.W_", "head."): weight for n, weight in one.items()} for one in steps]
    torch.save({"state_dicts": odd, "epochs": [0, 100]}, "run.pt")
    several = invoke("convert", "run.pt", *OPTIONS)
    assert several.exit_code == 3
    assert "found a list of 2; say which with --index" in several.stderr
    renamed = ("--index", "0", "--rename", "net.blocks.#.head.?=blocks.#.attn.W_?")
    done = invoke("convert", "run.pt", *OPTIONS, *renamed, "--json", "--quiet")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["warnings"][:3] == [
        "of the list of 2 in the file, number 0 of 0 to 1 is read",
        "names are read without 'net.'",
        "read: net.blocks.#.head.Q as blocks.#.attn.W_Q, net.blocks.#.head.K as "
        "blocks.#.attn.W_K, net.blocks.#.head.V as blocks.#.attn.W_V, net.blocks.#.head.O as "
        "blocks.#.attn.W_O",
    ]
    subject = load(Path("run.safetensors"))
    assert subject.metadata.training["converted"]["index"] == 0
    for name, weight in model_of().state_dict().items():
        assert torch.equal(subject.model.state_dict()[name], weight)


def test_the_other_way_and_back(invoke: Invoke) -> None:
    torch.save(hooked(model_of()), "good.pt")
    assert invoke("convert", "--task=modadd", "--p=5", "good.pt").exit_code == 0
    there = invoke("convert", "good.safetensors", "--to", "bridge", "--json")
    assert json.loads(there.stdout)["claims"]["max_logit_difference"] < 1e-9
    assert "found a bridge; mitool convert reads it" in (
        invoke("inspect", "good-bridge.safetensors").stderr
    )
    assert invoke("convert", "good-bridge.safetensors", *OPTIONS).exit_code == 0
    first, again = (
        checkpoint.load(Path(name))[0]
        for name in ("good.safetensors", "good-bridge-mitool.safetensors")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_help_shows_a_tasks_options_and_loads_no_torch(invoke: Invoke) -> None:
    assert "--max-value" not in invoke("convert", "--help").stdout
    shown = " ".join(invoke("convert", "--task", "min", "--help").stdout.replace("│", " ").split())
    assert "--max-value" in shown
    assert "(1 <= x <= 65535)" in shown
    code = (
        "import sys\n"
        "from mitool.cli.main import app\n"
        "try: app(['convert', '--task', 'min', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
