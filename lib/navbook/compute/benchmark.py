"""What the same cash flows would be worth in a benchmark: a fold over events, every step in a journal.

Rules (DESIGN "Benchmark"): it starts at the first counted snapshot with u_i = w_i * NAV / p_i; a deposit
of value D adds w_i * D / p_i; a withdrawal W leaves max(0, 1 - W/B) of every u_i; at each due time it goes
back to its weights, u_i = w_i * B / p_i. Same instant: flows by (time, id), then the rebalance.
Pure; prices come in, nothing is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from navbook.errors import PriceMissing
from navbook.schemas import BENCHMARK_JOURNAL, BENCHMARK_VALUES

WEEK = timedelta(days=7)
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


@dataclass
class Fold:
    """Units so far, and the journal that led to them."""

    account: str
    rules: Rules
    units: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    step: int = 0

    def apply(self, event: Event, prices: Prices) -> None:
        """Change the units as `event` says, at `prices` of its time."""
        before = dict(self.units) or dict.fromkeys(self.rules.weights, 0.0)
        value = sum(before[leg] * prices[leg] for leg in before)
        self.units, warning = self._units_after(event, before, value, prices)
        after = sum(self.units[leg] * prices[leg] for leg in self.units)
        self.rows += [(self.account, self.rules.name, event.time, self.step, event.kind, event.fact, leg,
                       prices[leg], before[leg], self.units[leg], event.flow_usd, value, after, warning)
                      for leg in self.rules.weights]
        self.step += 1

    def _units_after(self, event: Event, before: dict[str, float], value: float,
                     prices: Prices) -> tuple[dict[str, float], str | None]:
        bought = {leg: weight / prices[leg] for leg, weight in self.rules.weights.items()}    # for one dollar
        match event.kind:
            case "init" | "deposit":
                return {leg: before[leg] + event.flow_usd * bought[leg] for leg in before}, None
            case "rebalance":
                return {leg: value * bought[leg] for leg in before}, None
            case "withdrawal":
                whole = value if self.rules.withdrawal == "benchmark" else event.nav_before or 0.0
                kept = max(0.0, 1 + event.flow_usd / whole) if whole > 0 else 0.0
                warning = f"a withdrawal of {-event.flow_usd:.2f} USD from a benchmark of {value:.2f}"
                return ({leg: units * kept for leg, units in before.items()},
                        warning if -event.flow_usd > value * (1 + 1e-9) else None)


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


def events(rules: Rules, navs: pl.DataFrame, flows: pl.DataFrame) -> list[Event]:
    """All that changes the units of one account's benchmark, in the order of application.

    navs   [time, nav]  the counted snapshots, sorted by time
    flows  [time, source, id, value_usd]  every counted flow; those without a value are left out
    """
    if navs.is_empty():
        return []
    start, first_nav = navs.row(0)
    last = navs["time"][-1]
    init = Event(time=start, kind="init", fact="snapshot", flow_usd=max(first_nav, 0.0))
    moved = flows.filter(pl.col("time") > start, pl.col("time") <= last).drop_nulls("value_usd").sort("time", "id")
    changes = [Event(time=time, kind="deposit" if usd > 0 else "withdrawal", fact=f"{source}:{flow_id}",
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
    known = (flows.select("time", "value_usd").with_row_index("row").sort("time")
             .join_asof(navs.select("time", "nav", snapshot="time"), on="time", strategy="backward",
                        allow_exact_matches=False))
    since = pl.col("value_usd").cum_sum().over("snapshot") - pl.col("value_usd")
    return known.with_columns(before=pl.col("nav") + since).sort("row")["before"].to_list()


def replay(account: str, rules: Rules, happened: Iterable[Event], prices: Mapping[tuple[datetime, str], float],
           start_prices: Prices) -> pl.DataFrame:
    """BENCHMARK_JOURNAL of one account and benchmark: the fold of `happened`.

    prices        p(t) in USD by (time, asset), for every event but the first
    start_prices  what the first snapshot was priced with, by asset

    Raises `PriceMissing` naming the leg and the time.
    """
    fold = Fold(account, rules)
    for event in happened:
        if event.kind == "init":
            at = {leg: start_prices.get(leg) for leg in rules.weights}
        else:
            at = {leg: prices.get((event.time, leg)) for leg in rules.weights}
        if missing := sorted(leg for leg, price in at.items() if price is None):
            raise PriceMissing(f"{account}: no price of {', '.join(missing)} at {event.time:%Y-%m-%d %H:%M} UTC for "
                               f"the benchmark {rules.name}; run navbook collect, which fetches it.")
        fold.apply(event, {leg: price for leg, price in at.items() if price is not None})
    return BENCHMARK_JOURNAL.check(pl.DataFrame(fold.rows, schema=BENCHMARK_JOURNAL.columns, orient="row"))


def values(journal: pl.DataFrame, leg_prices: pl.DataFrame) -> pl.DataFrame:
    """BENCHMARK_VALUES: units held at each time of `leg_prices` times the price there.

    journal     BENCHMARK_JOURNAL
    leg_prices  [account, time, asset, price]  every leg at every counted snapshot, in USD

    Raises `PriceMissing` when a leg has no price at a counted snapshot.
    """
    legs = journal.select("account", "benchmark", "asset").unique()
    last = (journal.sort("time", "step").unique(["account", "benchmark", "asset", "time"], keep="last",
                                                maintain_order=True)
            .select("account", "benchmark", "asset", "time", "units_after"))
    held = (leg_prices.join(legs, on=["account", "asset"]).sort("time")
            .join_asof(last.sort("time"), on="time", by=["account", "benchmark", "asset"], check_sortedness=False)
            .drop_nulls("units_after"))
    if gaps := held.filter(pl.col("price").is_null()).select("asset", "time").head(1).rows():
        asset, time = gaps[0]
        raise PriceMissing(f"The snapshot of {time:%Y-%m-%d %H:%M:%S} UTC holds no price of {asset}.")
    return BENCHMARK_VALUES.check(
        held.group_by("account", "benchmark", "time").agg(value=(pl.col("units_after") * pl.col("price")).sum())
        .sort(BENCHMARK_VALUES.key))
