"""From the facts of some accounts to every derived row of theirs. Pure; accounts never touch each other here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import polars as pl

from navbook import schemas
from navbook.compute import benchmark, bridge, cash_flows, fees, grading, manual, performance, valuation
from navbook.compute.arrays import floats, series
from navbook.compute.benchmark import Fold, Line, Rules
from navbook.frames import by_account
from navbook.types import COUNTED, OWN_BENCHMARK

PricesAt = dict[datetime, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a rebuild starts from: frames of `schemas`, the newest row of each fact."""

    accounts: pl.DataFrame
    snapshots: pl.DataFrame
    balances: pl.DataFrame
    prices: pl.DataFrame
    cash_flows: pl.DataFrame
    candles: pl.DataFrame
    wallet_totals: pl.DataFrame = field(default_factory=schemas.WALLET_TOTALS.empty)
    manual_entries: pl.DataFrame = field(default_factory=schemas.MANUAL_ENTRIES.empty)
    fee_payments: pl.DataFrame = field(default_factory=schemas.FEE_PAYMENTS.empty)
    income: pl.DataFrame = field(default_factory=schemas.INCOME.empty)
    rewards: pl.DataFrame = field(default_factory=schemas.REWARDS.empty)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What people chose: how things are valued and measured."""

    stablecoins: Collection[str]
    tolerance: float
    fee_rates: Mapping[str, float]
    fee_schedule: fees.Schedule


class Market:
    """Prices that all accounts share, made ready once."""

    def __init__(self, prices: pl.DataFrame, candles: pl.DataFrame, stablecoins: Collection[str]) -> None:
        self.stablecoins = stablecoins
        self.board = valuation.board(prices)
        self.pairs = {*prices["symbol"].unique(), *candles["symbol"].unique()}
        self.closes = cash_flows.closes(candles)
        self._boards: dict[tuple[str, ...], pl.DataFrame] = {}

    def at(self, times: pl.Series, assets: Collection[str]) -> pl.DataFrame:
        """p(t): [time, <asset> …] in USD at each of `times`, null where not known."""
        return self._wide(times, assets, valuation.board(cash_flows.prices_at(times, self.closes)))

    def at_snapshots(self, times: pl.Series, assets: Collection[str]) -> pl.DataFrame:
        """[time, <asset> …] that snapshots at `times` were priced with; what they lack comes from p(t)."""
        if (key := tuple(assets)) not in self._boards:    # most accounts ask for the same
            self._boards[key] = self._wide(self.board["time"], assets, self.board)
        stored = pl.DataFrame({"time": times}).join(self._boards[key], on="time", how="left", maintain_order="left")
        gaps = stored.filter(pl.any_horizontal(pl.col(asset).is_null() for asset in assets))["time"]
        if gaps.is_empty():
            return stored
        return stored.join(self.at(gaps, assets), on="time", how="left", suffix=" then", maintain_order="left").select(
            "time", *(pl.coalesce(asset, f"{asset} then").alias(asset) for asset in assets))

    def _wide(self, times: pl.Series, assets: Collection[str], board: pl.DataFrame) -> pl.DataFrame:
        found = valuation.quotes(assets, board, self.stablecoins).pivot(on="asset", index="time", values="price")
        missing = [pl.lit(None, pl.Float64).alias(asset) for asset in assets if asset not in found.columns]
        return (pl.DataFrame({"time": times}).join(found.with_columns(missing), on="time", how="left",
                                                   maintain_order="left").select("time", *assets))


@dataclass(frozen=True)
class Book:
    """One account, or a group of them: its way, and each benchmark's beside it."""

    name: str
    navs: pl.DataFrame             # [time, grade, reason, nav]  every snapshot, sorted
    flows: pl.DataFrame            # of `cash_flows.judged`, sorted by time
    chain: performance.Chain
    folds: Mapping[str, Fold]      # by benchmark
    lines: Mapping[str, Line]

    @cached_property
    def counted(self) -> pl.Series:
        return counted(self.navs)

    def values(self) -> pl.DataFrame:
        """BENCHMARK_VALUES."""
        times = self.navs.filter(self.counted)["time"]
        frames = [pl.DataFrame({"time": times, "value": series(line.value)}).select(
            account=pl.lit(self.name), benchmark=pl.lit(name), time="time", value="value").drop_nulls("value")
            for name, line in sorted(self.lines.items())]
        return pl.concat([schemas.BENCHMARK_VALUES.empty(), *frames])

    def history(self) -> pl.DataFrame:
        """[account, time, grade, reason, nav, benchmark_value, twr_index, benchmark_index]: every snapshot."""
        own = self.lines[OWN_BENCHMARK]
        beside = pl.DataFrame({"benchmark_value": series(own.value), "twr_index": series(self.chain.index),
                               "benchmark_index": series(performance.benchmark_index(own, self.chain))})
        rows = self.navs.with_columns(row=pl.when(self.counted).then(self.counted.cum_sum() - 1))
        return rows.select(pl.lit(self.name).alias("account"), "time", "grade", "reason", "nav",
                           *(beside[name].gather(rows["row"]).alias(name) for name in beside.columns))

    def journal(self) -> pl.DataFrame:
        """BENCHMARK_JOURNAL."""
        return pl.concat([schemas.BENCHMARK_JOURNAL.empty(),
                          *(self.folds[name].journal() for name in sorted(self.folds))])

    def configs(self, account_id: int) -> pl.DataFrame:
        """BENCHMARK_CONFIGS: each benchmark's rules, and where it stands after the last counted snapshot."""
        times = self.navs.filter(self.counted)["time"]
        until = times[-1] if len(times) else None
        rows = [benchmark.standing(fold, account_id, until) for _, fold in sorted(self.folds.items())]
        return schemas.BENCHMARK_CONFIGS.check(pl.DataFrame(rows, schema=schemas.BENCHMARK_CONFIGS.columns))

    def periods(self) -> list[tuple[str, datetime, datetime]]:
        """The periods of PERFORMANCE, between counted snapshots."""
        times = self.navs.filter(self.counted)["time"]
        return [(span.name, times[span.first], times[span.last]) for span in performance.spans(self.chain)]

    def performance(self) -> pl.DataFrame:
        return performance.performance(self.name, self.chain, self.lines)


def counted(navs: pl.DataFrame) -> pl.Series:
    """Which snapshots of `navs` [grade, …] count in returns."""
    return navs.select(pl.col("grade").is_in([grade.value for grade in COUNTED])).to_series()


def book(name: str, navs: pl.DataFrame, flows: pl.DataFrame, rules: Sequence[Rules], market: Market) -> Book:
    """The book of one account or group.

    navs   [time, grade, reason, nav]  every snapshot
    flows  of `cash_flows.judged`
    """
    navs = navs.select("time", "grade", "reason", "nav").sort("time")
    flows = flows.sort("time", "id", "source")
    usable = navs.filter(counted(navs)).select("time", "nav")
    legs = sorted({leg for each in rules for leg in each.weights})
    at_snapshots = market.at_snapshots(usable["time"], legs)
    until = navs["time"][-1] if navs.height else None
    happened = {each.name: benchmark.events(each, usable, flows, until) for each in rules}
    times = pl.Series("time", [event.time for events in happened.values() for event in events], schemas.TIME).unique()
    prices = _event_prices(market.at(times, legs), at_snapshots, legs)
    folds = {each.name: benchmark.replay(name, each, happened[each.name], prices) for each in rules}
    leg_prices = {leg: floats(at_snapshots[leg]) for leg in legs}
    lines = {each: benchmark.line(fold, usable, leg_prices) for each, fold in folds.items()}
    return Book(name, navs, flows, performance.chain(usable, flows), folds, lines)


def _event_prices(at_events: pl.DataFrame, at_snapshots: pl.DataFrame, legs: Sequence[str]) -> PricesAt:
    """The prices of each event: p(t); of the start, and where p(t) is not known, those of the snapshot then."""
    snapshots = {row["time"]: row for row in at_snapshots.join(at_events.select("time"), on="time", how="semi")
                 .iter_rows(named=True)}
    first = at_snapshots["time"].min()
    prices: PricesAt = {}
    for row in at_events.iter_rows(named=True):
        stored = snapshots.get(row["time"], {})
        ranked = (stored, row) if row["time"] == first else (row, stored)
        prices[row["time"]] = {leg: price for leg in legs
                               if (price := ranked[0].get(leg) or ranked[1].get(leg)) is not None}
    return prices


@dataclass(frozen=True)
class Kept:
    """What `keep` found: derived frames by name, the books and flows that a group may need, and what went wrong."""

    frames: Mapping[str, pl.DataFrame]
    books: Sequence[Book]
    moved: pl.DataFrame            # of `cash_flows.counted`
    problems: Sequence[str]        # one sentence for each benchmark that could not be followed to the end

    @classmethod
    def of(cls, books: Sequence[Book], frames: Mapping[str, pl.DataFrame], moved: pl.DataFrame,
           grouped: Collection[str] = ()) -> Kept:
        """With the books and flows of those in `grouped` alone."""
        problems = [f"{book.name}: the benchmark {name} is not known from {fold.stopped_at:%Y-%m-%d %H:%M} UTC on, for "
                    "a leg of it has no price then; run navbook collect, which fetches it."
                    for book in books for name, fold in book.folds.items() if fold.stopped_at is not None]
        return cls(frames, [book for book in books if book.name in grouped],
                   moved.filter(pl.col("account").is_in(list(grouped))), problems)

    def without_frames(self) -> Kept:
        return replace(self, frames={})


def keep(facts: Facts, market: Market, policy: Policy, rules: Mapping[str, Sequence[Rules]],
         grouped: Collection[str]) -> Kept:
    """Every derived row of the accounts in `facts`.

    rules    the benchmarks of each account, its own (OWN_BENCHMARK) among them
    grouped  the accounts whose books are to be kept
    """
    holdings = valuation.holdings(facts.balances, market.board, facts.cash_flows, facts.snapshots, policy.stablecoins)
    right = manual.applied(facts.cash_flows, facts.manual_entries)
    moved = cash_flows.counted(right.cash_flows)
    flow_values = manual.by_hand(cash_flows.values(moved, market.closes, policy.stablecoins), right.prices)
    reconciled = grading.reconciliation(holdings, facts.wallet_totals, facts.snapshots, policy.tolerance)
    gaps = valuation.price_gaps(holdings, market.board, policy.stablecoins)
    navs = grading.net_asset_value(facts.snapshots, reconciled, gaps)
    books = _books(facts, navs, flow_values, market, rules)
    history = _together(schemas.NAV_HISTORY, (book.history() for book in books), facts, market)
    return Kept.of(books, {
        "holdings": holdings, "flow_values": flow_values, "reconciliation": reconciled, "nav_history": history,
        "benchmark_configs": _configs(books, facts), "fees": _fees(books, facts, policy),
        "bridge": _bridges(books, holdings, facts, market), **by_benchmark(books)}, moved, grouped)


def _books(facts: Facts, navs: pl.DataFrame, flow_values: pl.DataFrame, market: Market,
           rules: Mapping[str, Sequence[Rules]]) -> list[Book]:
    flows = cash_flows.judged(flow_values, market.pairs, market.stablecoins)
    known = facts.snapshots.group_by("account").agg(flows_until=pl.col("flows_until").max())
    graded = grading.graded(navs, flows.filter("unpriced"), known)
    histories, moves = by_account(graded), by_account(flows)
    return [book(account, histories.get(account, graded.clear()), moves.get(account, flows.clear()),
                 rules[account], market) for account in facts.accounts["account"].sort()]


def _configs(books: Sequence[Book], facts: Facts) -> pl.DataFrame:
    ids = dict(facts.accounts.select("account", "id").iter_rows())
    return pl.concat([schemas.BENCHMARK_CONFIGS.empty(), *(book.configs(ids[book.name]) for book in books)])


def _fees(books: Sequence[Book], facts: Facts, policy: Policy) -> pl.DataFrame:
    accrued = [fees.accrued(book.name, book.history(), book.flows, policy.fee_schedule) for book in books]
    return fees.settled(pl.concat(accrued), facts.fee_payments, policy.fee_rates) if accrued else schemas.FEES.empty()


def _bridges(books: Sequence[Book], holdings: pl.DataFrame, facts: Facts, market: Market) -> pl.DataFrame:
    """BRIDGE of every period that PERFORMANCE has."""
    assets = {asset for frame in (holdings, facts.income, facts.rewards, *(book.flows for book in books))
              for asset in frame["asset"].unique()}
    quotes = valuation.quotes(assets, market.board, market.stablecoins)
    parts = [(frame.clear(), by_account(frame)) for frame in (holdings, facts.income, facts.rewards)]
    found = [schemas.BRIDGE.empty()]
    for book in books:
        held, income, rewards = (of.get(book.name, none) for none, of in parts)
        found.append(bridge.bridge(book.name, book.periods(), navs=book.navs.filter(book.counted).select("time", "nav"),
                                   holdings=held, flows=book.flows, income=income, rewards=rewards, quotes=quotes))
    return pl.concat(found)


def by_benchmark(books: Sequence[Book]) -> dict[str, pl.DataFrame]:
    """The frames that accounts and groups alike have rows in."""
    return {schema.name: pl.concat([schema.empty(), *(rows(book) for book in books)]) for schema, rows in (
        (schemas.BENCHMARK_VALUES, Book.values), (schemas.BENCHMARK_JOURNAL, Book.journal),
        (schemas.PERFORMANCE, Book.performance))}


def _together(schema: schemas.FrameSchema, histories: Iterable[pl.DataFrame], facts: Facts,
              market: Market) -> pl.DataFrame:
    """The histories with the account's id and the two prices that everyone asks for."""
    ids = facts.accounts.select("account", account_id="id")
    coins = market.board.select("time", *(
        (pl.col(pair) if pair in market.board.columns else pl.lit(None, pl.Float64)).alias(name)
        for pair, name in (("BTCUSDT", "btc_price"), ("ETHUSDT", "eth_price"))))
    columns = {name: dtype for name, dtype in schema.columns.items()
               if name not in ("account_id", "btc_price", "eth_price")}
    rows = pl.concat([pl.DataFrame(schema=columns), *(history.select(list(columns)) for history in histories)])
    return schema.shaped(rows.join(ids, on="account", how="left")
                         .join(coins, on="time", how="left", maintain_order="left"))
