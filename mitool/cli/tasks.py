"""``mitool tasks``: what can be trained."""

from typing import TYPE_CHECKING

from mitool.cli.command import command
from mitool.cli.settings import option_name

if TYPE_CHECKING:
    from mitool.cli.output import Output


@command("tasks")
def tasks(output: "Output") -> None:
    """List the tasks that can be trained, with their parameters and sources."""
    from dataclasses import fields

    from rich.markup import escape
    from rich.table import Table

    from mitool import tasks as registry
    from mitool.core.config import as_dict, field_hints, help_text
    from mitool.core.errors import MitoolError
    from mitool.core.result import Result

    table = Table("task", "what it is", "parameters", "sources", box=None, pad_edge=False)
    subject = {}
    warnings = []
    for name in registry.names():
        try:
            cls = registry.get(name)
        except MitoolError as error:
            warnings.append(str(error))
            continue
        defaults, hints = as_dict(cls()), field_hints(cls)
        subject[name] = {
            "summary": cls.summary,
            "sources": list(cls.sources),
            "parameters": {
                field.name: {
                    "default": defaults[field.name],
                    "help": help_text(field, hints[field.name]),
                }
                for field in fields(cls)
            },
            "model": as_dict(cls.model),
            "training": as_dict(cls.training),
        }
        options = " ".join(_typed(option, value) for option, value in defaults.items())
        table.add_row(*map(escape, (name, cls.summary, options, "\n".join(cls.sources))))
    result = Result({"tasks": subject}, {}, {"tasks": list(subject)}, warnings=tuple(warnings))
    output.finish(result, tables=[table])


def _typed(field_name: str, value: object) -> str:
    """An option with its default, as it is typed; in brackets where it is left out by default."""
    name = option_name(field_name)
    match value:
        case None:
            return f"[{name}]"
        case bool():
            return name if value else name.replace("--", "--no-", 1)
    return f"{name} {value}"
