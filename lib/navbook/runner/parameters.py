"""What a notebook's parameters cell takes, and the values that a job or a command line gives for it.

Papermill only logs a warning for a misspelt parameter and turns no text into what it should be; at night
nobody reads it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from navbook.errors import SettingsInvalid, UnknownParameter

TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list",
         "dict": "a table"}


@dataclass(frozen=True)
class Parameter:
    """One of a notebook: its type as the cell says, or as its default has it; `optional` when that is None."""

    name: str
    kind: str | None
    optional: bool

    def of_text(self, text: str) -> Any:
        """What `text` of a command line means. Text stays as it is: "001" is no number. Raises `ValueError`."""
        if self.optional and text in ("", "none", "None"):
            return None
        if self.kind in ("list", "dict"):
            return TypeAdapter(TYPES[self.kind]).validate_json(text)
        return TypeAdapter(TYPES[self.kind]).validate_strings(text) if self.kind else text

    def of_value(self, value: Any) -> Any:
        """`value` of a settings file, which has types; a whole number is a number too. Raises `ValueError`."""
        if self.kind is None or (self.optional and value is None):
            return value
        return TypeAdapter(TYPES[self.kind]).validate_python(value, strict=True)


def of(notebook: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name; none without a cell tagged so. Raises `SettingsInvalid`."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        cell = next((each for each in cells if "parameters" in each["metadata"].get("tags", [])), {"source": ""})
        found = [_parameter(line) for line in ast.parse("".join(cell["source"])).body]
    except OSError as problem:
        raise SettingsInvalid(f"The notebook {notebook} cannot be read: {problem.strerror}.") from None
    except (ValueError, LookupError, TypeError, AttributeError, SyntaxError, RecursionError, MemoryError) as problem:
        raise SettingsInvalid(f"{notebook} is no notebook with a parameters cell: {problem}.") from None
    return {each.name: each for each in found if each}


def of_texts(notebook: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    """What `texts` of a command line (name -> text) mean for `notebook`; raises as `checked` does."""
    known = _known(notebook, texts)
    return {name: _tried(notebook, known[name], known[name].of_text, text) for name, text in texts.items()}


def checked(notebook: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as `notebook` takes them. Raises `UnknownParameter`, and `SettingsInvalid` for one of another type."""
    known = _known(notebook, values)
    return {name: _tried(notebook, known[name], known[name].of_value, value) for name, value in values.items()}


def _known(notebook: Path, named: Mapping[str, Any]) -> dict[str, Parameter]:
    known = of(notebook)
    if unknown := set(named) - set(known):
        raise UnknownParameter(notebook.name, unknown, known)
    return known


def _tried(notebook: Path, parameter: Parameter, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError:    # pydantic's ValidationError is one
        raise SettingsInvalid(f"{notebook.name}: {parameter.name} must be {WORDS[parameter.kind or 'str']}, not "
                              f"{value!r}.") from None


def _parameter(line: ast.stmt) -> Parameter | None:
    """What `name: type = default` or `name = default` says."""
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
        kind: str | None = ast.unparse(line.annotation).split("[")[0]
        target, default = line.target, line.value
    elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
        target, default, kind = line.targets[0], line.value, None
        if isinstance(default, ast.Constant | ast.List | ast.Dict):
            kind = type(ast.literal_eval(default)).__name__
    else:
        return None
    return Parameter(target.id, kind if kind in TYPES else None,
                     isinstance(default, ast.Constant) and default.value is None)
