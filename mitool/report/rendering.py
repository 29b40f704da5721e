"""Pages from templates: all text on them is escaped, and they run no script but their own."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, *, scripts: Sequence[str] = (), **context: Any) -> str:
    """A page, in the look that all pages share, and with the scripts that it carries."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(
        style=source("page.css"), scripts=scripts, policy=_policy(scripts), **context
    )
    # a file name that is no UTF-8 reaches here with surrogates, which cannot be written
    return page.encode("utf-8", "replace").decode()


def source(name: str) -> str:
    """The text of a file beside the templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _policy(scripts: Sequence[str]) -> str:
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    # plotly compiles the drawing of its WebGL traces, hence eval
    script_src = f"{allowed} 'unsafe-eval'" if scripts else "'none'"
    return (
        f"default-src 'none'; script-src {script_src}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
