"""HTML that a notebook can show. Text goes in through `format` or `%`, which escape it; nothing else adds text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup


class Html(Markup):
    """A piece of a page. `Html("<td>{}</td>").format(name)` escapes `name`."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": str(self), "text/plain": self._words()}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:    # IPython's text/plain of every str
        printer.text(self._words())

    def _words(self) -> str:
        """What it says, without tags; readable in a notebook's file and in its diff."""
        return Html(str(self).replace("<", " <")).striptags()


def join(pieces: Iterable[str], between: str = "") -> Html:
    """`pieces` one after the other; those that are not `Html` are escaped."""
    return Html(between).join(pieces)
