"""How benchmarks print what they measured."""

import json
from collections.abc import Mapping


def show(report: Mapping[str, float], *, as_json: bool) -> None:
    """Print figures by their names: a JSON document, or a line for each."""
    if as_json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        print(f"{name:40s} {value:12.4g}")
