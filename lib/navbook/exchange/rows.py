"""Lists in Binance's answers -> frames: strictly where no row may be missing, else leniently.

A balance that cannot be read would make an account smaller, so `strict` refuses the whole answer. A history
goes on without its bad row: `lenient` hands it back as it came, to be kept in quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl

from navbook.errors import AnswerUnreadable, RequestRejected
from navbook.exchange.values import shown
from navbook.schemas import FrameSchema

Row = TypeVar("Row")
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
SUCCESS = "000000"


@dataclass(frozen=True)
class Unread:
    """A row that no parser could read, as it came."""

    reason: str
    body: str


@dataclass(frozen=True)
class Parsed:
    """The rows that could be read, and those that could not."""

    frame: pl.DataFrame
    unread: tuple[Unread, ...] = ()


def strict(schema: FrameSchema, endpoint: str, payload: Any, row: Callable[[Any], tuple[Any, ...] | None],
           key: str | None = None) -> pl.DataFrame:
    """The rows of the list that `payload` is, or has at `key`; a row that is read as None is left out.

    Raises `AnswerUnreadable` naming the row that does not fit.
    """
    rows = [parsed for parsed in read(endpoint, payload, row, key) if parsed is not None]
    return schema.rows(list(dict.fromkeys(rows)))


def lenient(schema: FrameSchema, endpoint: str, payload: Any, row: Callable[[Any], tuple[Any, ...] | None],
            key: str | None = None) -> Parsed:
    """As `strict`, but bad rows come back beside the frame, those of an id that another row has as well.

    Raises `AnswerUnreadable` when there is no list.
    """
    return lenient_many(schema, endpoint, payload, lambda item: [row(item)], key)


def lenient_many(schema: FrameSchema, endpoint: str, payload: Any,
                 several: Callable[[Any], list[tuple[Any, ...] | None]], key: str | None = None) -> Parsed:
    """`lenient` where one item of the answer makes several rows, all of them or none."""
    places = [list(schema.columns).index(column) for column in schema.key]
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    unread = []
    for item in items(endpoint, payload, key):
        try:
            read_rows = {tuple(row[place] for place in places): row for row in several(item) if row is not None}
            if any(found.get(name, row) != row for name, row in read_rows.items()):
                raise ValueError("another row of this answer has the same id")
        except UNREADABLE as problem:
            unread.append(Unread(why(problem), as_text(item)))
        else:
            found |= read_rows
    return Parsed(schema.rows(list(found.values())), tuple(unread))


def read(endpoint: str, payload: Any, row: Callable[[Any], Row], key: str | None = None) -> list[Row]:
    """Each item of the list that `payload` is, or has at `key`, read by `row`."""
    rows = []
    for position, item in enumerate(items(endpoint, payload, key)):
        try:
            rows.append(row(item))
        except UNREADABLE as problem:
            raise AnswerUnreadable(endpoint, f"row {position}: {why(problem)}") from problem
    return rows


def items(endpoint: str, payload: Any, key: str | None = None) -> list[Any]:
    """The list that `payload` is, or has at `key`."""
    found = payload if key is None else as_object(endpoint, payload).get(key)
    if not isinstance(found, list):
        raise AnswerUnreadable(endpoint, f"{shown(payload)} {f'has no list of {key}' if key else 'is not a list'}")
    return found


def as_object(endpoint: str, payload: Any) -> dict[str, Any]:
    """`payload`, which must be an object. Raises `AnswerUnreadable`."""
    if not isinstance(payload, dict):
        raise AnswerUnreadable(endpoint, f"{shown(payload)} is not an object")
    return payload


def listed(payload: Any, key: str, count: str = "total") -> Any:
    """`payload` with an empty list at `key` where the exchange leaves it out because it counts none."""
    if isinstance(payload, dict) and key not in payload and payload.get(count) == 0:
        return {**payload, key: []}
    return payload


def successful(endpoint: str, payload: Any, key: str = "data") -> dict[str, Any]:
    """An answer of fiat, C2C or Pay, which says within itself how it went; without rows it may have no list.

    Raises `RequestRejected` where it went wrong.
    """
    body = as_object(endpoint, payload)
    code = str(body.get("code"))
    if code != SUCCESS or body.get("success") is False:
        if "code" not in body:
            raise AnswerUnreadable(endpoint, f"{shown(payload)} does not say how it went")
        number = int(code) if code.lstrip("-").isdecimal() and len(code) < 12 else 0
        told = str(body.get("message") or body.get("msg") or shown(payload))
        raise RequestRejected(endpoint, number, told[:200], 200)
    return {**body, key: [] if body.get(key) is None else body[key]}


def why(problem: BaseException) -> str:
    """What a parser stumbled over, as a part of a sentence."""
    return f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)


def as_text(item: Any) -> str:
    """One row of an answer as JSON on one line; numbers that are not whole as text, which keeps their digits."""
    return json.dumps(item, default=str, separators=(",", ":"))
