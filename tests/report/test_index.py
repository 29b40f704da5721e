"""The page that gathers the reports of a run."""

import base64
import json
from pathlib import Path

import pytest

from mitool.core.errors import InputError, UsageError
from mitool.report import gather, render_index, write_index
from mitool.report.index.cards import MOST_BYTES, PNG
from mitool.storage import layout
from tests.report.conftest import HOSTILE, Tags
from tests.results import leave, modadd

STORY = ("train modadd", "analyze attn", "analyze fourier", "patch", "analyze circuit")


def a_run(folder: Path) -> Path:
    leave(folder, "train modadd", subject=modadd())
    (folder / "ckpt.safetensors").touch()
    return folder


def page(folder: Path) -> Tags:
    return Tags(render_index(gather(folder)))


def headings(folder: Path) -> list[list[str]]:
    """For each chapter what is shown in full, and what in a row."""
    return [
        [
            *(card.title.removeprefix("Title of ") for card in told.cards),
            *(row.place for row in told.rows),
        ]
        for told in gather(folder).chapters
    ]


def test_the_chapters_are_in_the_order_of_the_story(tmp_path: Path) -> None:
    a_run(tmp_path)
    for index, command in enumerate(reversed(STORY[1:])):
        leave(tmp_path / f"{index} of any name", command)
    leave(tmp_path / "future", "analyze dreams")
    read = page(tmp_path)
    assert read.texts["h1"] == [f"Reports of {tmp_path.name}"]
    assert read.texts["h2"] == [
        *("What was trained", "What the heads do", "The algorithm"),
        *("What the answer depends on", "The circuit", "Other results"),
    ]
    claims = gather(tmp_path).claims
    assert claims["kinds"] == ["train", *STORY[1:], "analyze dreams"]
    assert (claims["n_reports"], claims["missing"]) == (6, [])


def test_a_result_is_shown_with_what_it_found_and_how_to_have_it_again(tmp_path: Path) -> None:
    claims = {"n_pairs": 8, "faithfulness": 0.98761, "kl": 3, "n_edges": 4}
    leave(tmp_path / "own", "analyze circuit", claims=claims, warnings=["Beware."])
    read = page(tmp_path)
    assert read.texts["p"][0] == "Found in own."
    assert read.texts["th"] == ["n_pairs", "n_edges", "faithfulness"]
    assert read.texts["td"] == ["8", "4", "0.9876"]
    assert read.texts["li"] == ["Beware."]
    assert "mitool analyze circuit -o own" in read.texts["code"]
    assert ", mitool 0.1.0, 2026-01-02 03:04 UTC, 2 s" in read.texts["span"]
    links = [a["href"] for a in read.all("a")]
    assert links[1:] == ["own/report.html", "own/report.html", "own/result.json"]


def test_without_a_page_the_result_is_linked(tmp_path: Path) -> None:
    (leave(tmp_path / "own", "patch") / "report.html").unlink()
    assert [a["href"] for a in page(tmp_path).all("a")][1:] == ["own/result.json"]
    assert gather(tmp_path).claims["n_reports"] == 0


def test_the_first_figure_is_carried_by_the_page(tmp_path: Path) -> None:
    names = ["circuit.svg", "gone.png", "fake.png", "huge.png", "loss.png", "next.png"]
    leave(tmp_path, "patch", artifacts=[f"elsewhere/figures/{name}" for name in names])
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "circuit.svg").write_text("<svg/>")
    (figures / "fake.png").write_text("no image")
    (figures / "huge.png").write_bytes(PNG + bytes(MOST_BYTES))
    for name in names[-2:]:
        (figures / name).write_bytes(PNG + name.encode())
    (image,) = page(tmp_path).all("img")
    assert image["alt"] == "loss"
    assert str(image["src"]).startswith("data:image/png;base64,")
    assert base64.b64decode(str(image["src"]).partition(",")[2]) == PNG + b"loss.png"


def test_what_is_missing_is_said_with_its_command(tmp_path: Path) -> None:
    run = a_run(tmp_path / "a run")
    leave(run / "attn", "analyze attn")
    typed = [f"mitool {command} '{run}'" for command in STORY[2:]]
    assert gather(run).claims["missing"] == typed
    assert page(run).texts["p"].count("Nothing here yet. To look at it:") == 3


@pytest.mark.parametrize(
    "task",
    [
        {"name": "min", "parameters": {}},
        {"name": "modadd", "parameters": {"p": 9, "op": "multiply"}},
        {"name": "modadd", "parameters": {"p": -1}},
        {"name": "unknown", "parameters": {}},
        {"name": 3},
        "x",
    ],
    ids=str,
)
def test_fourier_is_missing_only_where_it_applies(tmp_path: Path, task: object) -> None:
    a_run(tmp_path)
    leave(tmp_path, "train modadd", subject={"task": task})
    missing = gather(tmp_path).claims["missing"]
    assert missing == [f"mitool {name} {tmp_path}" for name in (STORY[1], *STORY[3:])]


def test_of_seeds_the_first_is_to_be_looked_at(tmp_path: Path) -> None:
    leave(tmp_path, "train modadd", subject=modadd())
    for seed in (0, 1):
        a_run(tmp_path / f"seed{seed}")
    missing = gather(tmp_path).claims["missing"]
    assert missing == [f"mitool {command} {tmp_path / 'seed0'}" for command in STORY[1:]]


def test_a_planted_model_is_looked_at_with_its_pairs(tmp_path: Path) -> None:
    leave(tmp_path, "plant", subject={"task": {"name": "induction", "parameters": {}}})
    for name in ("ckpt.safetensors", "pairs.csv", "truth.txt"):
        (tmp_path / name).touch()
    with_pairs = f"{tmp_path} --pairs {tmp_path / 'pairs.csv'}"
    assert gather(tmp_path).claims["missing"] == [
        f"mitool analyze attn {with_pairs}",
        f"mitool patch {with_pairs}",
        f"mitool analyze circuit {with_pairs} --truth {tmp_path / 'truth.txt'}",
    ]


def test_of_a_pretrained_model_no_training_is_missing(tmp_path: Path) -> None:
    subject, config = {"model": "models/own"}, {"pairs": "p q.csv"}
    leave(tmp_path / "patch", "patch", subject=subject, config=config)
    assert gather(tmp_path).claims["missing"] == [
        f"mitool {command} models/own --pairs 'p q.csv'" for command in (STORY[1], STORY[4])
    ]


def test_models_of_superposition_have_nothing_missing(tmp_path: Path) -> None:
    leave(tmp_path, "superpose intro", subject={"task": {"name": "superposition"}})
    (tmp_path / "ckpt.safetensors").touch()
    assert gather(tmp_path).claims["missing"] == []
    assert page(tmp_path).texts["h2"] == ["What was trained"]


def test_many_points_are_rows_below_their_sweep(tmp_path: Path) -> None:
    leave(tmp_path, "sweep")
    for p in (113, 7, 53, 11, 97):
        leave(tmp_path / "points" / f"p{p}", "train modadd", warnings=["not shown"])
    (shown,) = headings(tmp_path)
    assert shown == [tmp_path.name, *(f"points/p{p}" for p in (7, 11, 53, 97, 113))]
    read = page(tmp_path)
    assert read.texts["th"][:3] == ["folder", "what was found", "made"]
    assert "points/p53/report.html" in [a["href"] for a in read.all("a")]
    assert "li" not in read.texts


def test_a_trajectory_is_in_the_order_of_its_epochs_and_its_end_in_full(tmp_path: Path) -> None:
    for epoch, name in ((900, "fourier"), (80, "fourier-z"), (7, "a"), (600, "b"), (500, "c")):
        leave(tmp_path / name, "analyze fourier", subject={"epoch": epoch})
    assert headings(tmp_path) == [["fourier", "a", "fourier-z", "c", "b"]]
    (tmp_path / "c" / "result.json").unlink()
    assert headings(tmp_path) == [["a", "fourier-z", "b", "fourier"]]


def test_what_is_out_of_date_is_marked(tmp_path: Path) -> None:
    import torch

    from mitool.storage import checkpoint

    path = tmp_path / "ckpt.safetensors"
    checkpoint.write_tensors(path, {"w": torch.zeros(1)}, {"epoch": 30})
    subject = {"checkpoint": str(path), "epoch": 20}
    leave(tmp_path / "patch", "patch", subject=subject)
    assert gather(tmp_path).claims["n_outdated"] == 1
    assert (
        "Out of date: the checkpoint has been replaced since (epoch 20 then, 30 now)."
        in page(tmp_path).texts["p"]
    )


def test_what_cannot_be_read_and_what_has_not_ended_are_warned_of(tmp_path: Path) -> None:
    leave(tmp_path / "a", "patch")
    (tmp_path / "result.json").write_text("{")
    (tmp_path / "b").mkdir()
    for name in ("config.json", "resume.safetensors"):
        (tmp_path / "b" / name).touch()
    unfinished, unread = gather(tmp_path).warnings
    assert unfinished == f"{tmp_path / 'b'}: the training has not ended; --resume goes on"
    assert unread.startswith(f"left out: {tmp_path / 'result.json'}: expected a JSON document")
    assert page(tmp_path).texts["li"] == [unfinished, unread]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ((), "found none; give the folder of a run"),
        (("config.json", "resume.safetensors"), "found a training that has not ended"),
        (("result.json",), "found none that can be read: .*expected a JSON document"),
    ],
    ids=["empty", "unfinished", "damaged"],
)
def test_a_folder_without_results_is_an_unusable_input(
    tmp_path: Path, names: tuple[str, ...], what: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"expected results of mitool .result.json.*{what}"):
        gather(tmp_path)


def test_an_index_is_written_anew_but_nobody_elses_page_is_replaced(tmp_path: Path) -> None:
    leave(tmp_path, "patch")
    path = write_index(gather(tmp_path), "mitool report x")
    assert layout.holds_index(tmp_path)
    assert write_index(gather(tmp_path)) == path
    path.write_text("<html>mine</html>")
    with pytest.raises(UsageError, match="is there already, and is no index of mitool's"):
        write_index(gather(tmp_path))
    assert path.read_text() == "<html>mine</html>"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_result_becomes_a_tag(tmp_path: Path, text: str) -> None:
    place = tmp_path / text.replace("/", "")
    everywhere = {"title": text, "summary": text}
    leave(
        place,
        f"analyze {text}",
        **{"command_line": text, "report": everywhere, "warnings": [text], "finished": text},
        **{"mitool": text, "claims": {text: text, "list": [text], "table": {text: [text]}}},
    )
    own, harmless = page(tmp_path), tmp_path / "harmless"
    (place / "result.json").write_text(
        (place / "result.json").read_text().replace(json.dumps(text)[1:-1], "x")
    )
    place.rename(harmless)
    assert {tag for tag, _ in own.tags} == {tag for tag, _ in page(tmp_path).tags}
    assert not [a for _, attributes in own.tags for a in attributes if a.startswith("on")]
    assert text in own.texts["code"]
    (title, *_) = (a["href"] for a in own.all("a") if not str(a["href"]).startswith("#"))
    assert not set("<>\"' :") & set(str(title))


def test_a_folder_named_as_a_script_is_linked_as_a_folder(tmp_path: Path) -> None:
    leave(tmp_path / "javascript:alert(1)", "patch")
    links = [a["href"] for a in page(tmp_path).all("a")]
    assert links[1] == "javascript%3Aalert%281%29/report.html"


def test_the_page_asks_for_nothing_and_runs_nothing(tmp_path: Path) -> None:
    leave(tmp_path, "patch")
    text = render_index(gather(tmp_path), "mitool report x")
    assert "<script" not in text
    assert "default-src &#39;none&#39;; script-src &#39;none&#39;;" in text
    assert "mitool report x" in text
