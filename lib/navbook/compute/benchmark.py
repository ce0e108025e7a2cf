"""What the same cash flows would be worth in a benchmark: a fold over events, every step in a journal.

Rules (DESIGN "Benchmark"): it starts at the first counted snapshot with u_i = w_i * NAV / p_i; a deposit
of value D adds w_i * D / p_i; a withdrawal W leaves max(0, 1 - W/B) of every u_i; at each due time it goes
back to its weights, u_i = w_i * B / p_i. Same instant: flows by (time, id), then the rebalance.
Pure; prices come in, nothing is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl

from navbook.compute.arrays import FloatArray, IntArray, floats, microseconds
from navbook.schemas import BENCHMARK_JOURNAL

WEEK = timedelta(days=7)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Prices = Mapping[str, float]    # asset -> USD


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A benchmark: weights that add up to 1, and when it goes back to them."""

    name: str
    weights: Mapping[str, float]
    rebalance: tuple[int, int] | None      # weekday 0 = Monday, hour; UTC. None: never
    withdrawal: Literal["benchmark", "share"] = "benchmark"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that changes units: a deposit (positive flow_usd), a withdrawal (negative) or a rebalance."""

    time: datetime
    kind: Literal["init", "deposit", "withdrawal", "rebalance"]
    fact: str                              # "source:id", "snapshot" or "schedule"
    flow_usd: float = 0.0
    nav_before: float | None = None        # the account's NAV just before: what a share is a share of


@dataclass(frozen=True, slots=True)
class Step:
    """One change of units: at `prices`, from `units_before` worth `before` to `units` worth `after`, by leg."""

    event: Event
    prices: tuple[float, ...]
    units_before: tuple[float, ...]
    units: tuple[float, ...]
    before: float
    after: float
    warning: str | None


@dataclass
class Fold:
    """Units so far, and the steps that led to them."""

    account: str
    rules: Rules
    steps: list[Step] = field(default_factory=list)
    stopped_at: datetime | None = None    # the first event without a price: nothing is known from there on

    @property
    def units(self) -> dict[str, float]:
        held = self.steps[-1].units if self.steps else (0.0,) * len(self.rules.weights)
        return dict(zip(self.rules.weights, held, strict=True))

    def apply(self, event: Event, prices: Prices) -> None:
        """Change the units as `event` says, at `prices` of its time."""
        before = self.units
        after, warning = units_after(self.rules, event, before, prices)
        self.steps.append(Step(event, tuple(prices[leg] for leg in before), tuple(before.values()),
                               tuple(after.values()), worth(before, prices), worth(after, prices), warning))

    def journal(self) -> pl.DataFrame:
        """BENCHMARK_JOURNAL: a row for each leg of each step."""
        rows = [(self.account, self.rules.name, step.event.time, number, step.event.kind, step.event.fact, leg,
                 *by_leg, step.event.flow_usd, step.before, step.after, step.warning)
                for number, step in enumerate(self.steps)
                for leg, *by_leg in zip(self.rules.weights, step.prices, step.units_before, step.units, strict=True)]
        return BENCHMARK_JOURNAL.check(pl.DataFrame(rows, schema=BENCHMARK_JOURNAL.columns, orient="row"))


def units_after(rules: Rules, event: Event, before: Mapping[str, float],
                prices: Prices) -> tuple[dict[str, float], str | None]:
    """The units of each leg after `event`, at `prices` of its time; and a warning where more left than there was."""
    bought = {leg: weight / prices[leg] for leg, weight in rules.weights.items()}    # for one dollar
    value = worth(before, prices)
    match event.kind:
        case "init" | "deposit":
            return {leg: before[leg] + event.flow_usd * bought[leg] for leg in before}, None
        case "rebalance":
            return {leg: value * bought[leg] for leg in before}, None
        case "withdrawal":
            whole = value if rules.withdrawal == "benchmark" else event.nav_before or 0.0
            kept = max(0.0, 1 + event.flow_usd / whole) if whole > 0 else 0.0
            source = "a benchmark" if rules.withdrawal == "benchmark" else "an account"
            warning = f"a withdrawal of {-event.flow_usd:.2f} USD from {source} of {whole:.2f}"
            return ({leg: units * kept for leg, units in before.items()},
                    warning if -event.flow_usd > whole * (1 + 1e-9) else None)


def worth(units: Mapping[str, float], prices: Prices) -> float:
    """Units times prices, summed over the legs."""
    return sum(held * prices[leg] for leg, held in units.items())


def rebalances(rules: Rules, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every due time in (after, until], whether or not anything ran then."""
    if rules.rebalance is None:
        return
    weekday, hour = rules.rebalance
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + timedelta(days=(weekday - after.weekday()) % 7, hours=hour)
    if due <= after:
        due += WEEK
    while due <= until:
        yield due
        due += WEEK


def events(rules: Rules, navs: pl.DataFrame, flows: pl.DataFrame, until: datetime | None = None) -> list[Event]:
    """All that changes the units of one account's benchmark, in the order of application.

    until  the last snapshot, also one that is not counted; none: the last counted one

    navs   [time, nav]  the counted snapshots, sorted by time
    flows  [time, source, id, value_usd]  every counted flow; those without a value are left out
    """
    if navs.is_empty():
        return []
    start, first_nav = navs.row(0)
    last = until or navs["time"][-1]
    init = Event(time=start, kind="init", fact="snapshot", flow_usd=max(first_nav, 0.0))
    moved = (flows.filter(pl.col("time") > start, pl.col("time") <= last).drop_nulls("value_usd")
             .sort("time", "id", "source"))
    changes = [Event(time=time, kind="deposit" if usd >= 0 else "withdrawal", fact=f"{source}:{flow_id}",
                     flow_usd=usd, nav_before=nav)
               for (time, source, flow_id, usd), nav in zip(
                   moved.select("time", "source", "id", "value_usd").iter_rows(),
                   navs_before(navs, moved), strict=True)]
    due = [Event(time=time, kind="rebalance", fact="schedule") for time in rebalances(rules, start, last)]
    return [init, *sorted([*changes, *due], key=lambda event: event.time)]    # stable: flows before rebalances


def navs_before(navs: pl.DataFrame, flows: pl.DataFrame) -> list[float]:
    """The account's NAV just before each of `flows`: the last counted one before it plus the flows since.

    Both frames are sorted by time, flows [time, value_usd] by (time, id). A flow at the very instant of
    a snapshot is part of that snapshot.
    """
    values = floats(flows["value_usd"])
    snapshot = microseconds(navs["time"]).searchsorted(microseconds(flows["time"])) - 1
    before = np.concatenate([[0.0], np.cumsum(values)])[:-1]
    first_since = np.searchsorted(snapshot, snapshot)    # of each flow, the first one after the same snapshot
    return [float(nav) for nav in floats(navs["nav"])[snapshot] + before - before[first_since]]


def replay(account: str, rules: Rules, happened: Sequence[Event], prices: Mapping[datetime, Prices]) -> Fold:
    """The fold of `happened`, at `prices` of each event. It ends before the first event that lacks a leg's price."""
    fold = Fold(account, rules)
    for event in happened:
        at = prices[event.time]
        if any(leg not in at for leg in rules.weights):
            fold.stopped_at = event.time
            break
        fold.apply(event, at)
    return fold


def standing(fold: Fold, account_id: int, until: datetime | None) -> dict[str, object]:
    """A row of BENCHMARK_CONFIGS: the rules of a benchmark, its units, and its last and next rebalance.

    until  the last counted snapshot; None: there is none yet
    """
    rules, held = fold.rules, fold.units
    done = [step.event.time for step in fold.steps if step.event.kind == "rebalance"]
    due = rebalances(rules, until, until + 2 * WEEK) if until else iter(())
    day, hour = rules.rebalance or (None, None)
    return {"account": fold.account, "account_id": account_id, "benchmark": rules.name,
            "weights": json.dumps(dict(rules.weights)), "rebalance_day": day, "rebalance_hour": hour,
            "withdrawal": rules.withdrawal, "initialized_at": fold.steps[0].event.time if fold.steps else None,
            "btc_units": held.get("BTC", 0.0), "eth_units": held.get("ETH", 0.0), "rebalance_count": len(done),
            "last_rebalance_timestamp": done[-1] if done else None, "next_rebalance_timestamp": next(due, None)}


@dataclass(frozen=True)
class Line:
    """What a benchmark was worth at counted snapshots: NaN where it is not known.

    `growth` is its value with every deposit and withdrawal taken out: the ratio of two of its entries is
    the return between them.
    """

    value: FloatArray
    growth: FloatArray
    event_times: IntArray       # microseconds
    event_growth: FloatArray    # just before each event


def line(fold: Fold, navs: pl.DataFrame, leg_prices: Mapping[str, FloatArray]) -> Line:
    """Values and growth of a benchmark at the snapshots of `navs` [time, …], sorted.

    leg_prices  of each leg at each snapshot, NaN where unknown
    """
    times = microseconds(navs["time"])
    legs = list(fold.rules.weights)
    prices = np.array([leg_prices[leg] for leg in legs])
    if not fold.steps:
        unknown = np.full(len(times), np.nan)
        return Line(unknown, unknown, np.array([], np.int64), np.array([]))
    at = np.array([_microseconds(step.event.time) for step in fold.steps])
    last = at.searchsorted(times, side="right") - 1     # the step whose units are held at each snapshot
    value = (np.array([step.units for step in fold.steps]).T[:, last] * prices).sum(axis=0)
    if fold.stopped_at is not None:
        value[times >= _microseconds(fold.stopped_at)] = np.nan
    if all(step.after > 0 for step in fold.steps):
        kept = np.cumprod([1.0, *(step.before / step.after for step in fold.steps[1:])])
        before = np.array([fold.steps[0].after, *(step.before for step in fold.steps[1:])])
        return Line(value, value * kept[last], at, before * np.concatenate([[1.0], kept[:-1]]))
    return Line(value, *_shadowed(fold, times, value, prices))


def _shadowed(fold: Fold, times: IntArray, value: FloatArray,
              prices: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    """Growth, event times and the growth before each event, of a benchmark that holds nothing at times.

    Then it moves like its target weights, bought at the last event.
    """
    weights = np.array(list(fold.rules.weights.values()))
    growth = np.full(len(times), np.nan)
    index, step = 1.0, 0
    events = [(_microseconds(fold.steps[0].event.time), 1.0)]
    held, bought = fold.steps[0].after, np.array(fold.steps[0].prices)
    shadow = 1.0
    for at, (now, worth) in enumerate(zip(times, value, strict=True)):
        while step + 1 < len(fold.steps) and _microseconds(fold.steps[step + 1].event.time) <= now:
            step += 1
            this = fold.steps[step]
            paid = np.array(this.prices)
            index *= this.before / held if held > 0 else float(weights @ (paid / bought)) / shadow
            held, bought, shadow = this.after, paid, 1.0
            events.append((_microseconds(this.event.time), index))
        if np.isnan(worth) or np.isnan(prices[:, at]).any():
            continue
        grown = float(weights @ (prices[:, at] / bought))
        index *= worth / held if held > 0 else grown / shadow
        held, shadow = float(worth), grown
        growth[at] = index
    return growth, np.array([time for time, _ in events]), np.array([grown for _, grown in events])


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND
