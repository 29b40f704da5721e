"""What there is to train on."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from mitool.api.keywords import takes
from mitool.core.errors import MitoolError
from mitool.tasks import Task


class Tasks(Mapping[str, type[Task]]):
    """The tasks by name, built in and installed."""

    def __getitem__(self, name: str) -> type[Task]:
        from mitool import tasks

        if name not in tasks.names():
            raise KeyError(name)
        return tasks.get(name)

    def __iter__(self) -> Iterator[str]:
        from mitool import tasks

        return iter(tasks.names())

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:<{width}}  {line}" for name, line in self._lines().items())

    def _repr_html_(self) -> str:
        from mitool.report.notebook import lines_html

        return lines_html(f"{len(self)} tasks", self._lines())

    def _lines(self) -> dict[str, str]:
        lines = {}
        for name in self:
            try:
                task = self[name]
                own = ", ".join(f"{f.name}={getattr(task(), f.name)!r}" for f in fields(task))
                lines[name] = f"{task.summary} ({own})" if own else task.summary
            except MitoolError as error:  # a plugin that does not load says why
                lines[name] = str(error)
        return lines


@takes()
def list_tasks() -> Tasks:
    """The tasks that can be trained, by name, each with its summary and its parameters."""
    return Tasks()
