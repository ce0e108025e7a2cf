"""`navbook lifetime`: an account's whole life by its cash flows, and what is missing from it. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import cash_flows, lifetime, manual, valuation
from navbook.compute.lifetime import Lifetime
from navbook.errors import PriceMissing, SettingsInvalid
from navbook.runner import explain, flows
from navbook.runner.arithmetic import count_of, usd, when
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import FlowKind

YEAR = timedelta(days=365)
OPENED = datetime(2017, 7, 14, tzinfo=UTC)    # Binance's first day of trading
MARK = "lifetime"                             # of an account whose histories were asked for


@dataclass(frozen=True)
class Asked:
    """What was asked for, and when."""

    at: datetime
    withdrawals_from: datetime


@dataclass(frozen=True)
class Answer:
    """The figures, and a sentence for each thing that they do not hold."""

    account: str
    weights: dict[str, float]
    life: Lifetime
    gaps: list[str]


def asked(config: Settings, account: str) -> Asked | None:
    """When the whole past of `account` was asked for; None: never."""
    marks = tables.read(config.location, schemas.HISTORY_MARKS, account=account).filter(pl.col("source") == MARK)
    for until, begin in marks.select("until", "note").iter_rows():
        return Asked(until, tables.moment(begin))
    return None


def answer(config: Settings, account: str) -> Answer:
    """The life of `account` by the facts in the store.

    Raises `SettingsInvalid` where they say too little, `PriceMissing` where today has no price of the benchmark.
    """
    flows.known_account(config, account)
    counted = flows.counted_snapshots(config, account).sort("time")
    if counted.is_empty():
        raise SettingsInvalid(f"There is no snapshot of {account} to compare with; run navbook collect.")
    as_of, weights = counted["time"][-1], dict(config.benchmark_of(account).weights)
    closed = cash_flows.closes(tables.read(config.location, schemas.CANDLES, cash_flows.TELLS_PRICE))
    listed, entries = (tables.read(config.location, schema, account=account)
                       for schema in (schemas.CASH_FLOWS, schemas.MANUAL_ENTRIES))
    values = flows.flow_values(config, listed, entries, closed)
    legs = _legs(config, values["time"], list(weights), cash_flows.prices_at(values["time"], closed))
    at_snapshot = _legs(config, counted["time"].tail(1), list(weights), explain.stored_prices(config, as_of))
    if missing := at_snapshot.filter(pl.col("price").is_null())["asset"].to_list():
        raise PriceMissing(f"The snapshot of {when(as_of)} holds no price of {', '.join(missing)}; "
                           "run navbook collect.")
    nav, nav_then = (_nav(config, snapshot, listed) for snapshot in (counted.tail(1), counted.head(1)))
    life = lifetime.lifetime(values, legs, weights, nav, as_of, dict(at_snapshot.select("asset", "price").iter_rows()))
    if life is None:
        raise SettingsInvalid(f"The store holds no cash flow of {account} that has a value; navbook flows list --all "
                              "shows what there is, navbook flows add --opening adds what was there before.")
    told = [*_unexplained(values, counted["time"][0], nav_then), *_forgotten(config, account),
            *_left_out(values, legs, weights), *_ran_dry(life)]
    return Answer(account, weights, life, told)


def _legs(config: Settings, times: pl.Series, legs: list[str], prices: pl.DataFrame) -> pl.DataFrame:
    """[time, asset, price] of every leg at each of `times`."""
    wanted = times.unique().to_frame("time").join(pl.DataFrame({"asset": legs}), how="cross")
    return valuation.priced(wanted, prices, config.stablecoins).select("time", "asset", "price")


def _nav(config: Settings, snapshot: pl.DataFrame, listed: pl.DataFrame) -> float:
    """The net asset value of one snapshot."""
    account, time = snapshot.select("account", "time").row(0)
    balances, prices = (tables.read(config.location, schema, pl.col("time") == time)
                        for schema in (schemas.BALANCES, schemas.PRICES))
    held = valuation.holdings(balances.filter(pl.col("account") == account), valuation.board(prices), listed, snapshot,
                              config.stablecoins)
    return float(held["value_usd"].sum())


def _unexplained(values: pl.DataFrame, first: datetime, nav: float) -> Iterator[str]:
    """What was there at the first snapshot beside what flows before it brought."""
    before = float(values.filter(pl.col("time") <= first)["value_usd"].sum())
    yield (f"At the first snapshot, {when(first)}, the account was worth {usd(nav)}, and the flows before it come to "
           f"{usd(before)}: the rest was gained, or came in a way that is forgotten (navbook flows add --opening "
           "puts it in).")
    if FlowKind(values.sort("time", "id")["kind"][0]).sign < 0:
        yield "The first flow is a withdrawal: what came in before it is missing."


def _forgotten(config: Settings, account: str) -> Iterator[str]:
    """What the exchange could not tell, or was not asked for."""
    told = asked(config, account)
    if told is None:
        yield "What was before the first collection is not asked for yet: navbook lifetime without --stored asks."
        return
    from navbook.exchange import sources  # half a second that most pages need not wait

    master = tables.read(config.location, schemas.ACCOUNTS, account=account)["master"].to_list()
    for source in sources.of_flows(is_sub=any(master)):
        if source.kept:
            yield f"{source.name} before {told.at - source.kept:%Y-%m-%d}: no longer listed when Binance was asked."
    if told.withdrawals_from > OPENED:
        yield (f"Withdrawals before {told.withdrawals_from:%Y-%m-%d} are not asked for: in the year after it there "
               "is no flow.")


def _left_out(values: pl.DataFrame, legs: pl.DataFrame, weights: dict[str, float]) -> Iterator[str]:
    for row in values.filter(pl.col("value_usd").is_null()).sort("time").iter_rows(named=True):
        yield f"{_flow(row)} has no price; navbook flows price gives it one."
    priced = values.drop_nulls("value_usd")
    left_out = priced.join(lifetime.usable(priced, legs, weights), on=manual.FLOW, how="anti").sort("time")
    for row in left_out.iter_rows(named=True):
        yield f"{_flow(row)} is left out: not all of {', '.join(weights)} had a price then."


def _ran_dry(life: Lifetime) -> Iterator[str]:
    for time in life.ran_dry:
        yield f"The hold could not pay all of the withdrawal of {when(time)}: it had less than the account."


def _flow(row: dict[str, Any]) -> str:
    return f"{row['source']}:{row['id']} ({row['quantity']:.12g} {row['asset']}, {row['time']:%Y-%m-%d})"


def table(found: Answer) -> pl.DataFrame:
    """Account and hold, a row each, with the same columns."""
    life = found.life
    return pl.DataFrame({
        "": [found.account, "hold"], "deposited_usd": [life.deposited_usd] * 2,
        "withdrawn_usd": [life.withdrawn_usd, life.held_withdrawn_usd], "value_usd": [life.nav, life.held_value],
        "gain_usd": [life.gain_usd, life.held_gain_usd], "money_weighted": [life.mwr, life.held_mwr]})


def lines(found: Answer) -> Iterator[str]:
    """The answer in one sentence, and the gaps."""
    life = found.life
    parts = ", ".join(f"{part:.4%} {leg}".replace(".0000", "") for leg, part in found.weights.items())
    ahead = life.gain_usd - life.held_gain_usd
    yield (f"Since {life.first_flow:%Y-%m-%d}, {count_of(life.deposits, 'deposit')} and "
           f"{count_of(life.withdrawals, 'withdrawal')}: "
           f"{found.account} is {usd(abs(ahead))} {'ahead of' if ahead >= 0 else 'behind'} the same flows held in "
           f"{parts}, never rebalanced ({_rate(life.mwr)} against {_rate(life.held_mwr)} "
           f"{'a year' if life.as_of - life.first_flow >= YEAR else 'in all'}, money-weighted), at {when(life.as_of)}.")
    for gap in found.gaps:
        yield f"- {gap}"


def _rate(rate: float | None) -> str:
    return "no rate" if rate is None else f"{rate:+.2%}"


def figures(found: Answer) -> dict[str, Any]:
    """Everything, for programs; times as text."""
    told = {name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(found.life).items()}
    return {"account": found.account, "weights": found.weights, **told,
            "ran_dry": [time.isoformat() for time in found.life.ran_dry], "gaps": found.gaps}
