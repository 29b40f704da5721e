"""Draw the layers of the package into ``architecture.md``, from what its modules import.

With ``--check`` nothing is written: it fails where the page is not what would be drawn.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path

import grimp
import networkx as nx

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("architecture.md")
PACKAGE = "mitool"
DRAWN = re.compile(r"(<!-- drawn: (\w+) -->\n).*?((?<=\n)<!-- end -->)", re.S)


def imports_between_parts() -> nx.DiGraph:
    """The parts of the package (its direct children) and the packages of others, each with an edge
    to what its modules import, within functions too.
    """
    graph = grimp.build_graph(
        PACKAGE, include_external_packages=True, exclude_type_checking_imports=True
    )
    parts = nx.DiGraph()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            parts.add_edge(part_of(module), part_of(imported))
    parts.remove_edges_from(nx.selfloop_edges(parts))
    parts.remove_node(PACKAGE)
    return parts


def part_of(module: str) -> str:
    """``mitool.report`` of ``mitool.report.page``; another's package by its own name."""
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == PACKAGE else names[0]


def layers() -> list[list[str]]:
    """The layers that ``make check`` holds, from the top, each with its parts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [one for one in settings["contracts"] if one["type"] == "layers"]
    return [[part.strip() for part in layer.split("|")] for layer in contract["layers"]]


def diagram(parts: nx.DiGraph, ranks: list[list[str]]) -> str:
    """A Mermaid flow chart. Of the imports it has those that do not follow from others."""
    own = parts.subgraph(part for rank in ranks for part in rank)
    arrows = sorted(nx.transitive_reduction(own).edges)
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"  {short(part)}" for rank in ranks for part in rank]
    lines += [f"  {short(upper)} --> {short(lower)}" for upper, lower in arrows]
    return "\n".join([*lines, "```"])


def table(parts: nx.DiGraph, ranks: list[list[str]]) -> str:
    """What each part holds and imports, from the top."""
    order = [part for rank in ranks for part in rank]
    lines = ["| part | what it holds | imports of its own | packages |", "|---|---|---|---|"]
    for part in order:
        imported = set(parts.successors(part))
        own = ", ".join(f"`{short(lower)}`" for lower in order if lower in imported)
        others = imported - set(order) - sys.stdlib_module_names - {PACKAGE}
        packages = ", ".join(f"`{name}`" for name in sorted(others))
        lines.append(f"| `{short(part)}` | {first_line(part)} | {own} | {packages} |")
    return "\n".join(lines)


def short(part: str) -> str:
    return part.removeprefix(f"{PACKAGE}.")


def first_line(part: str) -> str:
    """The first line of a part's docstring."""
    base = ROOT / part.replace(".", "/")
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text()))
    if text is None:
        raise SystemExit(f"{path}: expected a docstring that says what it holds, found none")
    return text.partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def main(arguments: list[str]) -> None:
    parts, ranks = imports_between_parts(), layers()
    drawn = {"diagram": diagram(parts, ranks), "table": table(parts, ranks)}
    found = PAGE.read_text()
    made = DRAWN.sub(lambda match: f"{match[1]}{drawn[match[2]]}\n{match[3]}", found)
    if arguments == ["--check"]:
        if made != found:
            raise SystemExit(f"{PAGE}: the imports have changed since it was drawn; make docs")
        return
    PAGE.write_text(made)


if __name__ == "__main__":
    main(sys.argv[1:])
