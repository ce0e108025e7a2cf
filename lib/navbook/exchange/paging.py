"""Histories in pieces that an endpoint gives: windows of time, pages of rows, halves where it knows no pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from navbook.errors import AnswerUnreadable, RequestRejected
from navbook.exchange.client import Answer, Exchange
from navbook.exchange.values import milliseconds

Call = Callable[..., Awaitable[Any]]
MILLISECOND = timedelta(milliseconds=1)
SPAN_REFUSED = frozenset({-1127, -6021})    # more between start and end than the endpoint gives
SHORTEST_SPAN = timedelta(days=1)           # of a window that is halved because it was refused


def windows(since: datetime, until: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Cover [since, until], both included, by windows no longer than `longest`; neighbours share an edge."""
    start = since
    while start < until or start == since == until:
        yield start, min(start + longest, until)
        start += longest


def between(start: datetime, end: datetime, names: tuple[str, str] = ("startTime", "endTime")) -> dict[str, int]:
    """The parameters that ask for [start, end]."""
    return {names[0]: milliseconds(start), names[1]: milliseconds(end)}


async def pages(exchange: Exchange, endpoint: str, call: Call, key: str | None, size: int,
                place: Callable[[int], dict[str, int]], **params: Any) -> list[Answer]:
    """Ask until a page is not full; `place` says where page 0, 1, … is and how long.

    Raises `AnswerUnreadable` when a page repeats the one before: it would never end.
    """
    answers: list[Answer] = []
    while not answers or rows(answers[-1].payload, key) == size:
        answer = await exchange.ask(endpoint, call, **params, **place(len(answers)))
        if answers and answer.body == answers[-1].body:
            raise AnswerUnreadable(endpoint, f"its page {len(answers) + 1} repeats the one before")
        answers.append(answer)
    return answers


async def halves(exchange: Exchange, endpoint: str, call: Call, key: str | None, size: int,
                 start: datetime, end: datetime, **params: Any) -> list[Answer]:
    """Ask an endpoint that knows no pages: a full answer is asked for again in two halves of its time."""
    answer = await exchange.ask(endpoint, call, **params, **between(start, end), limit=size)
    if rows(answer.payload, key) < size:
        return [answer]
    if end - start <= MILLISECOND:
        raise AnswerUnreadable(endpoint, f"it lists no more than {size} rows of one millisecond")
    middle = start + (end - start) / 2
    return [*await halves(exchange, endpoint, call, key, size, start, middle, **params),
            *await halves(exchange, endpoint, call, key, size, middle, end, **params)]


async def whole_span(ask: Callable[[datetime, datetime], Awaitable[list[Answer]]],
                     start: datetime, end: datetime) -> list[Answer]:
    """Ask for all at once where no limit is documented; in halves where the exchange refuses the span after all."""
    try:
        return await ask(start, end)
    except RequestRejected as problem:
        if problem.code not in SPAN_REFUSED or end - start <= SHORTEST_SPAN:
            raise
    middle = start + (end - start) / 2
    return [*await whole_span(ask, start, middle), *await whole_span(ask, middle, end)]


def by_number(size: str, most: int, current: str = "page") -> Callable[[int], dict[str, int]]:
    """Pages that are numbered from 1, by the names that an endpoint has for them."""
    return lambda page: {current: page + 1, size: most}


def rows(payload: Any, key: str | None = None) -> int:
    """How many rows an answer has; 0 for one of another form, which its parser will refuse."""
    found = payload if key is None else payload.get(key) if isinstance(payload, dict) else None
    return len(found) if isinstance(found, list) else 0
