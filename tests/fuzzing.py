"""Nonsense for the fuzz tests, how much of it, and what none of it may do: raise something else, or never end.

`make fuzz` sets NAVBOOK_FUZZ, the examples that each test tries at least; the suite tries few.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from navbook.errors import NavbookError

WANTED = int(os.environ.get("NAVBOOK_FUZZ") or 0)
T = TypeVar("T")
LIMIT_S = 60    # of one example: they take milliseconds, but for a machine that has other work

NUMBERS = ("0", "-0", "-1", "1e999999", "1e-999999", "NaN", "-Infinity", "sNaN", "1e25", "99999999999999999999", "0.1234567890123456789",
           "1_000", " 1 ", "٣", "0x10", "1,5", "")
TIMES = (0, -1, 1, 10**9, 4_102_444_800_000, 10**15, 10**18, -10**18, "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30 00:00:00",
         "2026-05-14T09:31:07+23:59", "2026-05-14")
TEXTS = ("=1+1", "<script>alert(1)</script>", "\x00", "\u202e", "\n\r\t", "BTC", "all", "../x", "x" * 300, "'; drop table x; --", "{}", "💥")
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**11, 10**14), st.floats(), st.decimals(), st.text(max_size=8),
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2), st.sampled_from(NUMBERS), st.sampled_from(TIMES),
    st.sampled_from(TEXTS), st.sampled_from((Decimal("1e999999999"), Decimal("1e-999"), 10**400)))
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                        max_leaves=6)
STRINGS = st.one_of(st.sampled_from(NUMBERS), st.sampled_from([str(time) for time in TIMES]), st.sampled_from(TEXTS), st.text(max_size=12),
                    st.integers().map(str), st.floats().map(str))


def examples(usual: int, weight: int = 1) -> settings:
    """So many examples in the suite; in the long run NAVBOOK_FUZZ, or a `weight`-th of it where one takes long."""
    return settings(max_examples=max(usual, WANTED // weight), deadline=None, suppress_health_check=list(HealthCheck),
                    phases=[phase for phase in Phase if phase is not Phase.explain])


@contextmanager
def in_time(seconds: float = LIMIT_S) -> Iterator[None]:
    """Fail when the block has not ended by then; what it does meanwhile is broken off."""
    def late(*_: object) -> None:
        pytest.fail(f"not done within {seconds:g} s")    # no Exception: nobody catches it on its way

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def tried(use: Callable[[], T], seconds: float = LIMIT_S) -> T | NavbookError:
    """What `use` returns, or what it raises on purpose: one sentence on one line. Anything else fails the test."""
    with in_time(seconds):
        try:
            return use()
        except NavbookError as refusal:
            problem = refusal
    assert str(problem)
    assert str(problem).isprintable(), str(problem)
    return problem


def places(payload: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every part of `payload`, itself included."""
    yield path
    parts = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def replaced(payload: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of `payload` with `change` of the part at `path` in its place."""
    if not path:
        return change(payload)
    copy = payload.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], change)
    return copy


@st.composite
def spoilt(draw: st.DrawFn, payload: Any) -> Any:
    """`payload` with one to three of its parts dropped, doubled, emptied, wrapped or put in another's place."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(payload))))
        other = draw(ANYTHING)
        changes: list[Callable[[Any], Any]] = [
            lambda part, other=other: other, lambda part: [part], lambda part: {"x": part}, lambda part: type(part)(),
            lambda part: str(part), lambda part: f"-{part}", _without_one, _doubled]
        payload = replaced(payload, path, draw(st.sampled_from(changes)))
    return payload


def _without_one(part: Any) -> Any:
    return dict(list(part.items())[1:]) if isinstance(part, dict) else part[1:] if isinstance(part, list | str) else None


def _doubled(part: Any) -> Any:
    return part + part if isinstance(part, list | str) else part


def as_json(payload: Any) -> str:
    """`payload` as an exchange would send it; what JSON has no word for becomes Python's, such as NaN."""
    def other(value: Any) -> Any:
        return str(value)
    return json.dumps(payload, default=other)
