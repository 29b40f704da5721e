"""Results in folders, as commands leave them."""

from pathlib import Path
from typing import Any

from mitool.storage import atomic, layout


def leave(folder: Path, command: str, **other: Any) -> Path:
    """Put the result of a command into a folder, which is made; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "mitool": "0.1.0",
        "command": command,
        "command_line": f"mitool {command} -o {folder.name}",
        "subject": {},
        "config": {},
        "claims": {},
        "report": {"title": f"Title of {folder.name}", "summary": f"Found in {folder.name}."},
        "artifacts": [],
        "seconds": 2.0,
        "finished": "2026-01-02T03:04:05+00:00",
        "warnings": [],
    }
    atomic.write_json(folder / layout.RESULT, document | other)
    (folder / layout.REPORT).touch()
    return folder


def modadd(**parameters: Any) -> dict[str, Any]:
    """The subject of a training on modular addition."""
    return {
        "task": {"name": "modadd", "parameters": {"p": 7, **parameters}},
        "run": "runs/before",
        "checkpoint": "runs/before/ckpt.safetensors",
    }
