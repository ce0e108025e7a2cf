"""Read the histories of an account since their marks: cash flows, and what Binance would forget.

A source that answers whole moves its mark to the reading's time; one that fails keeps it, so that the next reading
asks for the same again. A row that no parser can read goes into quarantine and is tried again in each reading.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from navbook import schemas
from navbook.errors import NavbookError, RequestRejected
from navbook.exchange import parse, sources
from navbook.exchange.client import Answer, Exchange
from navbook.exchange.reading import Reading
from navbook.exchange.sources import Market, Source
from navbook.types import Environment, FlowStatus, WalletState

SLACK = timedelta(days=1)            # before a mark: rows that were listed late
PENDING_FOR = timedelta(days=365)    # what has not settled by then never will
NO_SUCH_SYMBOL = -1121
TRADED = ("REALIZED_PNL", "COMMISSION")    # income that a fill leaves behind
# A product that an account, its country or a sub-account does not have. Where it once answered, this is a failure.
NOT_OFFERED = frozenset({*range(-9999, -8999), *range(-12999, -11999), *range(-21999, -19999)})
NOT_OFFERED_TO_SUBS = frozenset({-1002, -2015})    # what concerns banks and people belongs to the master


@dataclass(frozen=True)
class Past:
    """What earlier readings know of one account's histories."""

    begin: datetime                                  # where a history starts that was never read
    marks: Mapping[str, datetime | None] = field(default_factory=dict)    # source -> known up to; None: not offered
    cash_flows: pl.DataFrame = field(default_factory=schemas.CASH_FLOWS.empty)
    quarantine: pl.DataFrame = field(default_factory=schemas.QUARANTINE.empty)
    lately: int = 0                                  # readings of the last minute

    def since(self, source: Source, now: datetime) -> datetime:
        """Where to ask `source` from: a little before its mark, and before what is under way."""
        mark = self.marks.get(source.name)
        unknown_from = self.begin if mark is None else mark - SLACK
        start = min(now - source.again, unknown_from, self._oldest_pending(source, now))
        return start if source.kept is None else max(start, now - source.kept)

    def _oldest_pending(self, source: Source, now: datetime) -> datetime:
        waiting = self.cash_flows.filter(
            pl.col("source") == (source.flows or ""), pl.col("status") == FlowStatus.PENDING,
            pl.col("started_at") > now - PENDING_FOR)["started_at"].min()
        return waiting if isinstance(waiting, datetime) else now

    def rests(self, source: Source, now: datetime) -> bool:
        """Whether `source` was asked so lately that it is left alone, or so often that its limit is near."""
        mark = self.marks.get(source.name)
        if mark is None or mark > now:
            return False
        if source.a_minute is None:
            return now - mark < source.rest
        return mark == now or (now - mark < sources.MINUTE and self.lately >= source.a_minute)


async def cash_flows(exchange: Exchange, reading: Reading, past: Past, *, is_sub: bool) -> None:
    """Fill in the cash flows up to the reading's time, and `flows_until`: up to when all are known."""
    exchange.heard = reading.keep
    if exchange.environment is Environment.TESTNET:
        reading.flows_until = reading.time    # no /sapi, no deposits: nothing can move there
        return
    asked = sources.of_flows(is_sub=is_sub)
    failures = await _all(_ask(exchange, reading, past, source, is_sub=is_sub) for source in asked)
    reading.flows_until = known_until(asked, past, reading)
    if failures:
        told = " ".join(dict.fromkeys(map(str, failures)))
        reading.problems.append(f"{reading.account}: cash flows could not be read: {told}")


async def archives(exchange: Exchange, reading: Reading, past: Past, *, is_sub: bool) -> None:
    """Fill in transfers, rewards, converts, income and fills; the reading's wallets tell which there can be."""
    exchange.heard = reading.keep
    on_testnet = exchange.environment is Environment.TESTNET
    wanted = [] if on_testnet else sources.of_archives(reading)
    markets = [market for market in sources.MARKETS if reading.wallets.get(market.wallet) is WalletState.OK]
    failures = await _all([*(_ask(exchange, reading, past, source, is_sub=is_sub) for source in wanted),
                           *(_trades(exchange, reading, past, market) for market in markets)])
    if failures:
        told = " ".join(dict.fromkeys(map(str, failures)))
        reading.problems.append(f"{reading.account}: not all of its history could be archived: {told}")


def known_until(asked: Iterable[Source], past: Past, reading: Reading) -> datetime | None:
    """The least mark of the sources that are offered; None where one was never read."""
    now = dict(reading.frame(schemas.HISTORY_MARKS).select("source", "until").iter_rows())
    marks = {**past.marks, **now}
    if any(source.name not in marks for source in asked):
        return None
    return min((until for source in asked if (until := marks[source.name])), default=None)


async def _ask(exchange: Exchange, reading: Reading, past: Past, source: Source, *, is_sub: bool) -> None:
    if past.rests(source, reading.time):
        return
    try:
        answers = await source.ask(exchange, past.since(source, reading.time), reading.time)
        take(reading, past, source, answers)
    except RequestRejected as problem:
        missing = NOT_OFFERED | NOT_OFFERED_TO_SUBS if is_sub else NOT_OFFERED
        if not source.optional or past.marks.get(source.name) or problem.code not in missing:
            raise
        mark(reading, source, None, str(problem))
    else:
        mark(reading, source, reading.time)


async def _trades(exchange: Exchange, reading: Reading, past: Past, market: Market) -> None:
    """Income, and the fills of every symbol that it names or that an open position is of: one mark for both."""
    source, now = market.income, reading.time
    held = not reading.frame(schemas.BALANCES).filter(pl.col("wallet") == market.wallet.value).is_empty()
    known = past.marks.get(source.name)
    if known and not held and timedelta() <= now - known < sources.DAY:
        return    # an empty wallet: once a day is enough
    since = past.since(source, now)
    take(reading, past, source, await source.ask(exchange, since, now))
    for symbol in _traded(reading, market, since):
        try:
            take(reading, past, market.fills, await market.ask_fills(exchange, symbol, since, now))
        except RequestRejected as problem:
            if problem.code != NO_SUCH_SYMBOL:    # delisted: its fills are gone for good, its income is kept
                raise
    mark(reading, source, now)


def _traded(reading: Reading, market: Market, since: datetime) -> list[str]:
    paid = reading.frame(schemas.INCOME).filter(pl.col("market") == market.wallet.value, pl.col("symbol") != "",
                                                pl.col("kind").is_in(TRADED))["symbol"]
    changed = {symbol for payload in reading.heard(market.account)
               for symbol, time in parse.wallets.open_positions(market.account, payload).items() if time >= since}
    return sorted({*paid, *changed})


def take(reading: Reading, past: Past, source: Source, answers: Iterable[Answer]) -> None:
    """Parse `answers` into the reading's facts. Raises `AnswerUnreadable` for one that is no list of rows."""
    for answer in answers:
        _parse(reading, past, source, answer.payload)


def _parse(reading: Reading, past: Past, source: Source, payload: Any) -> int:
    """Add the facts in `payload`; returns how many rows could not be read."""
    unread = 0
    for schema, read in source.parsed:
        parsed = read(payload, reading)
        if schema is schemas.CASH_FLOWS:
            parsed = replace(parsed, frame=settled(parsed.frame, past.cash_flows, reading.time))
        reading.add_parsed(schema, source.endpoint, parsed)
        unread += len(parsed.unread)
    return unread


def settled(flows: pl.DataFrame, known: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """`flows` whose exchange gives no time of completion: one that was seen under way counts from when it was done.

    known  CASH_FLOWS of earlier readings
    """
    if flows.is_empty():
        return flows
    key = list(schemas.CASH_FLOWS.key)
    before = known.select(*key, was="status", counted="time")
    untold = (pl.col("time") == pl.col("started_at")) & (pl.col("status") == FlowStatus.DONE)
    time = (pl.when(untold & (pl.col("was") == FlowStatus.PENDING)).then(pl.lit(now, schemas.TIME))
              .when(untold & (pl.col("was") == FlowStatus.DONE)).then(pl.max_horizontal("time", "counted"))
              .otherwise("time"))
    return (flows.join(before, on=key, how="left", maintain_order="left").with_columns(time=time)
            .select(list(schemas.CASH_FLOWS.columns)))


def mark(reading: Reading, source: Source, until: datetime | None, note: str | None = None) -> None:
    """Write down that `source` is known up to `until`; None: it is not offered, and `note` says why."""
    reading.add(schemas.HISTORY_MARKS,
                schemas.HISTORY_MARKS.rows([(reading.account, source.name, until, note, reading.time)]))


# -- quarantine --------------------------------------------------------------------------------------------------------
def quarantined(reading: Reading, past: Past) -> None:
    """Try once more what no parser could read before, and tell of what is new there."""
    fresh = reading.frame(schemas.QUARANTINE).join(past.quarantine, on=["endpoint", "id"], how="anti")
    for endpoint, number in fresh.group_by("endpoint").len().sort("endpoint").iter_rows():
        reading.problems.append(f"{reading.account}: {number} {'row' if number == 1 else 'rows'} of {endpoint} could "
                                "not be read and went into quarantine; the others were kept.")
    reading.frames[schemas.QUARANTINE.name] = [fresh]
    for row in past.quarantine.drop_nulls("reason").iter_rows(named=True):
        if _read_now(reading, past, row["endpoint"], row["body"]):
            reading.add(schemas.QUARANTINE, schemas.QUARANTINE.rows([{**row, "reason": None, "seen_at": reading.time}]))


def _read_now(reading: Reading, past: Past, endpoint: str, body: str) -> bool:
    """Whether one row of earlier answers can be read by now; if so, its facts join the reading."""
    source = next((known for known in sources.EVERY_SOURCE if known.endpoint == endpoint), None)
    if source is None:
        return False
    alone, item = Reading(reading.account, reading.time, answers=reading.answers), json.loads(body)
    if _parse(alone, past, source, {source.key: [item], "code": "000000"} if source.key else [item]):
        return False
    for name, frames in alone.frames.items():
        reading.frames.setdefault(name, []).extend(frames)
    return True


async def _all(tasks: Iterable[Coroutine[Any, Any, None]]) -> list[NavbookError]:
    """Run `tasks` to the end of each, whatever becomes of the others; return what they raised."""
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    raised = [outcome for outcome in outcomes if outcome is not None]
    for failure in raised:
        if not isinstance(failure, NavbookError):
            raise failure
    return [failure for failure in raised if isinstance(failure, NavbookError)]

