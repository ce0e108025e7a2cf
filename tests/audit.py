"""DESIGN.md's definitions worked out a second time: exact decimals, plain loops, no frames, nothing of navbook's arithmetic.

`facts` hold rows as dicts, as they were said, in any order: of several with one key the newest counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

from navbook.settings import STABLECOINS, Benchmark, Settings
from navbook.types import FlowKind

Row = Mapping[str, Any]
ZERO, ONE, MINUTE, HOUR = Decimal(0), Decimal(1), timedelta(minutes=1), timedelta(hours=1)
QUOTES, BRIDGES = ("USDT", "USDC", "FDUSD"), ("BTC", "ETH", "BNB")
LINKED = timedelta(minutes=2)


@dataclass
class Flow:
    time: datetime
    id: str
    fact: str
    account: str
    kind: FlowKind
    asset: str
    value: Decimal | None      # USD, signed; None: no price
    marketed: bool             # of an asset that trades somewhere
    transfer: str | None       # what both sides of a transfer with a sub-account are known by


@dataclass
class Nav:
    time: datetime
    grade: str
    nav: Decimal | None
    twr_index: Decimal | None = None
    set_aside: bool = False    # the interval that ends here

    @property
    def counted(self) -> bool:
        return self.grade in ("complete", "provisional")


@dataclass
class Change:
    time: datetime
    event: str
    fact: str
    prices: dict[str, Decimal]
    before: dict[str, Decimal]
    after: dict[str, Decimal]
    flow: Decimal
    warns: bool = False


@dataclass
class Followed:
    """One benchmark of one account."""

    journal: list[Change] = field(default_factory=list)
    values: dict[datetime, Decimal] = field(default_factory=dict)
    index: dict[datetime, Decimal] = field(default_factory=dict)


@dataclass
class Book:
    navs: list[Nav]
    flows: list[Flow]
    benchmarks: dict[str, Followed] = field(default_factory=dict)


def newest(rows: Iterable[Row], *key: str) -> list[Row]:
    said: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row["seen_at"]):
        said[tuple(row[name] for name in key)] = row
    return list(said.values())


class Prices:
    """X/USDT, else X/USDC or X/FDUSD, else over BTC, ETH or BNB."""

    def __init__(self, stored: Iterable[Row], candles: Iterable[Row]) -> None:
        self.stored = {(row["time"], row["symbol"]): row["price"] for row in newest(stored, "time", "symbol")}
        closes: dict[str, dict[datetime, Decimal | None]] = defaultdict(dict)
        for row in newest(candles, "symbol", "interval", "open_time"):
            closes[row["symbol"]][row["open_time"] + (HOUR if row["interval"] == "1h" else MINUTE)] = row["close"]
        self.closes = closes
        self.traded = {symbol: sorted(time for time, close in known.items() if close is not None)
                       for symbol, known in closes.items()}
        self.symbols = {symbol for _, symbol in self.stored} | set(closes)

    def at_snapshot(self, asset: str, time: datetime) -> Decimal | None:
        return self._route(asset, lambda symbol: self.stored.get((time, symbol)))

    def at(self, asset: str, time: datetime) -> Decimal | None:
        return self._route(asset, lambda symbol: self._last_close(symbol, time.replace(second=0, microsecond=0)))

    def _last_close(self, symbol: str, minute: datetime) -> Decimal | None:
        """The minute that ended last must be stored; where nobody traded in it, the one before that has a price."""
        if minute not in self.closes.get(symbol, {}):
            return None
        earlier = bisect_right(self.traded[symbol], minute)
        return self.closes[symbol][self.traded[symbol][earlier - 1]] if earlier else None

    def has_market(self, asset: str) -> bool:
        return asset in STABLECOINS or any(asset + quote in self.symbols for quote in (*QUOTES, *BRIDGES))

    def _route(self, asset: str, price: Callable[[str], Decimal | None]) -> Decimal | None:
        if asset in STABLECOINS:
            return ONE
        for quote in QUOTES:
            if (direct := price(asset + quote)) is not None:
                return direct
        for bridge in BRIDGES:
            if bridge != asset and (first := price(asset + bridge)) is not None \
                    and (second := price(bridge + "USDT")) is not None:
                return first * second
        return None


def audit(facts: Mapping[str, list[Row]], config: Settings) -> dict[str, Book]:
    """The books of every account, then of every group."""
    with localcontext() as context:
        context.prec = 50
        prices = Prices(facts["prices"], facts["candles"])
        snapshots, balances, said = (_by_account(facts[name], *key) for name, key in (
            ("snapshots", ("account", "time")), ("balances", ("account", "time", "wallet", "asset")),
            ("cash_flows", ("account", "source", "id"))))
        entries = [row for row in newest(facts["manual_entries"], "id") if not row["revoked"]]
        books = {}
        for account in sorted(snapshots):
            flows = _flows(said[account], entries, prices, max(row["time"] for row in snapshots[account]))
            navs = _navs(snapshots[account], balances[account], said[account], flows, prices, config.tolerance)
            books[account] = Book(navs, flows)
        for name, group in config.groups.items():
            books[name] = _group({member: books[member] for member in group.accounts if member in books})
        for name, book in books.items():
            _portfolio_index(book)
            for benchmark, rules in (("own", config.benchmark_of(name)), *config.benchmarks.items()):
                book.benchmarks[benchmark] = _follow(rules, book, prices)
        return books


def _by_account(rows: Iterable[Row], *key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in newest(rows, *key):
        found[row["account"]].append(row)
    return found


# -- cash flows --------------------------------------------------------------------------------------------------------
def _flows(said: list[Row], entries: list[Row], prices: Prices, until: datetime) -> list[Flow]:
    marks = {(e["account"], e["source"], e["flow"]): e["kind"] for e in entries if e["action"] == "mark"}
    priced = {(e["account"], e["source"], e["flow"]): e["price_usd"] for e in entries if e["action"] == "price"}
    flows = []
    for row in _once([row for row in said if row["status"] == "done"]):
        key = row["account"], row["source"], row["id"]
        kind = marks.get(key, row["kind"])
        if kind is None or row["time"] > until:
            continue
        kind = FlowKind(kind)
        quantity = row["amount"] if kind.sign > 0 else -(row["amount"] + row["fee"])
        price = prices.at(row["asset"], row["time"])
        price = priced.get(key) if price is None else price
        flows.append(Flow(row["time"], row["id"], f"{row['source']}:{row['id']}", row["account"], kind, row["asset"],
                          None if price is None else quantity * price, prices.has_market(row["asset"]),
                          row["id"] if kind.value.startswith("SUB_") else None))
    return sorted(flows, key=lambda flow: (flow.time, flow.id))


def _once(rows: list[Row]) -> list[Row]:
    """Without the deposits and withdrawals that are listed as transfers with a sub-account too."""
    transfers = [row for row in rows if row["source"] == "sub_transfer"]

    def same(one: Row, other: Row) -> bool:
        if FlowKind(one["kind"]).sign != FlowKind(other["kind"]).sign:
            return False
        if one["tx_id"] and other["tx_id"]:
            return one["tx_id"] == other["tx_id"]
        return (one["asset"], one["amount"]) == (other["asset"], other["amount"]) \
            and abs(one["time"] - other["time"]) <= LINKED

    return [row for row in rows if not (row["source"] in ("deposit", "withdrawal") and row["internal"]
                                        and any(same(row, transfer) for transfer in transfers))]


# -- valuation ---------------------------------------------------------------------------------------------------------
def _navs(snapshots: list[Row], balances: list[Row], said: list[Row], flows: list[Flow], prices: Prices,
          tolerance: float) -> list[Nav]:
    held: dict[datetime, list[Row]] = defaultdict(list)
    for row in balances:
        held[row["time"]].append(row)
    leaving = [(row["asset"], row["amount"] + row["fee"], row["started_at"], _over(row)) for row in said
               if row["kind"] in ("WITHDRAWAL", "FEE_WITHDRAWAL", "FIAT_WITHDRAWAL")]
    navs: list[Nav] = []
    last_counted: datetime | None = None
    for row in sorted(snapshots, key=lambda row: row["time"]):
        time, grade = row["time"], row["grade"]
        if grade == "incomplete":
            navs.append(Nav(time, grade, None))
            continue
        on_the_way: dict[str, Decimal] = defaultdict(Decimal)
        for asset, quantity, left, over in leaving:
            if left <= time and (over is None or time < over):
                on_the_way[asset] += quantity
        for balance in held[time]:
            if balance["withdrawing"]:
                on_the_way[balance["asset"]] -= balance["withdrawing"]
        parts = [(balance["asset"], balance["quantity"]) for balance in held[time]]
        parts += [(asset, max(quantity, ZERO)) for asset, quantity in on_the_way.items()]
        worth = [quantity * (prices.at_snapshot(asset, time) or ZERO) for asset, quantity in parts]
        nav, shown = sum(worth, ZERO), sum(worth[:len(held[time])], ZERO)    # the exchange shows no more what has left
        if grade == "complete":
            total = row["exchange_total_usd"]
            off = total is not None and abs(shown - total) > Decimal(str(tolerance)) * abs(total)
            unknown = last_counted and any(f.value is None and f.marketed and last_counted < f.time <= time for f in flows)
            grade = "provisional" if off or unknown else grade
        navs.append(Nav(time, grade, nav))
        last_counted = time if navs[-1].counted else last_counted
    return navs


def _over(withdrawal: Row) -> datetime | None:
    """Until when it was under way: one that failed, where no time is given, until that was seen."""
    if withdrawal["status"] == "pending":
        return None
    untold = withdrawal["status"] == "failed" and withdrawal["time"] == withdrawal["started_at"]
    return withdrawal["seen_at"] if untold else withdrawal["time"]


def _intervals(book: Book) -> Iterator[tuple[Nav, Nav, list[Flow]]]:
    """Two counted snapshots after one another, and the flows after the first up to the second."""
    counted, times = [nav for nav in book.navs if nav.counted], [flow.time for flow in book.flows]
    for first, last in pairwise(counted):
        yield first, last, book.flows[bisect_right(times, first.time):bisect_right(times, last.time)]


def _portfolio_index(book: Book) -> None:
    level = ONE
    for nav in [nav for nav in book.navs if nav.counted][:1]:
        nav.twr_index = level
    for first, last, flows in _intervals(book):
        moved = sum((flow.value for flow in flows if flow.value is not None), ZERO)
        weighted = sum((flow.value * Decimal((last.time - flow.time) / MICROSECOND) for flow in flows
                        if flow.value is not None), ZERO) / Decimal((last.time - first.time) / MICROSECOND)
        last.set_aside = (first.nav + weighted <= 0
                          or any(flow.value is None and flow.marketed for flow in flows))
        if not last.set_aside:
            level *= ONE + (last.nav - first.nav - moved) / (first.nav + weighted)
        last.twr_index = level


MICROSECOND = timedelta(microseconds=1)


# -- benchmark ---------------------------------------------------------------------------------------------------------
def _due(rules: Benchmark, after: datetime, until: datetime) -> Iterator[datetime]:
    if rules.rebalance == "never":
        return
    time = after.replace(hour=rules.rebalance.hour, minute=0, second=0, microsecond=0)
    time += timedelta(days=(rules.rebalance.weekday - time.weekday()) % 7)
    while time <= until:
        if time > after:
            yield time
        time += timedelta(days=7)


def _follow(rules: Benchmark, book: Book, prices: Prices) -> Followed:
    """The fold: units change at the start, at flows and at due times. Its index follows the target weights while empty."""
    weights = {leg: Decimal(str(weight)) for leg, weight in rules.weights.items()}
    counted = [nav for nav in book.navs if nav.counted]
    start, until, found = counted[0], book.navs[-1].time, Followed()

    def worth(units: Mapping[str, Decimal], at: Mapping[str, Decimal]) -> Decimal:
        return sum((units[leg] * at[leg] for leg in weights), ZERO)

    def bought(value: Decimal, at: Mapping[str, Decimal]) -> dict[str, Decimal]:
        return {leg: weight * value / at[leg] for leg, weight in weights.items()}

    def note(time: datetime, event: str, fact: str, at: dict[str, Decimal], after: dict[str, Decimal], flow: Decimal,
             warns: bool = False) -> None:
        found.journal.append(Change(time, event, fact, at, units, after, flow, warns))

    units = dict.fromkeys(weights, ZERO)
    at = {leg: prices.at_snapshot(leg, start.time) for leg in weights}
    note(start.time, "init", "snapshot", at, bought(start.nav, at), start.nav)
    units = found.journal[0].after
    shadow = units if any(units.values()) else bought(ONE, at)    # what the index follows
    level, relative, last = ONE, ONE, worth(shadow, at)
    found.values[start.time], found.index[start.time] = worth(units, at), level
    events = sorted([(flow.time, 0, flow.id, flow) for flow in book.flows
                     if start.time < flow.time <= until and flow.value is not None]
                    + [(time, 1, "", None) for time in _due(rules, start.time, until)], key=lambda event: event[:3])
    known, later = start.nav, ZERO    # the last counted NAV, and flows since
    snapshots = counted[1:]
    for time, _, _, flow in [*events, (datetime.max.replace(tzinfo=UTC), 2, "", None)]:
        while snapshots and snapshots[0].time < time:
            nav = snapshots.pop(0)
            at = {leg: prices.at_snapshot(leg, nav.time) for leg in weights}
            relative, last = relative * worth(shadow, at) / last, worth(shadow, at)
            level, relative = level if nav.set_aside else level * relative, ONE
            found.values[nav.time], found.index[nav.time] = worth(units, at), level
            known, later = nav.nav, ZERO
        if time > until:
            break
        priced = prices.at_snapshot if flow and flow.id.startswith("group:") else prices.at
        at = {leg: priced(leg, time) for leg in weights}
        value = worth(units, at)
        relative = relative * worth(shadow, at) / last
        if flow is None:
            after = bought(value, at)
            note(time, "rebalance", "schedule", at, after, ZERO)
        elif flow.value >= 0:
            after = {leg: units[leg] + more for leg, more in bought(flow.value, at).items()}
            note(time, "deposit", flow.fact, at, after, flow.value)
        else:
            base = value if rules.withdrawal == "benchmark" else known + later
            factor = max(ZERO, ONE + flow.value / base) if base > 0 else ZERO
            after = {leg: units[leg] * factor for leg in units}
            note(time, "withdrawal", flow.fact, at, after, flow.value, warns=-flow.value > base)
        later += flow.value if flow else ZERO
        shadow = after if any(after.values()) else bought(ONE, at)
        units, last = after, worth(shadow, at)
    return found


# -- groups ------------------------------------------------------------------------------------------------------------
def _group(members: Mapping[str, Book]) -> Book:
    """Members sum up from their first counted snapshot on; what moves between members then is no flow."""
    joined = {name: next(nav.time for nav in book.navs if nav.counted) for name, book in members.items()}
    start = min(joined.values())
    at = {name: {nav.time: nav for nav in book.navs} for name, book in members.items()}
    sides: dict[str, list[str]] = defaultdict(list)
    for name, book in members.items():
        for flow in book.flows:
            if flow.transfer and flow.time > joined[name]:
                sides[flow.transfer].append(name)
    flows = [Flow(joined[name], f"group:{name}", f"{name}/group:{name}", name, FlowKind.DEPOSIT, "USD",
                  at[name][joined[name]].nav, True, None) for name in members if joined[name] > start]
    for name, book in members.items():
        for flow in book.flows:
            between = flow.transfer and len(sides[flow.transfer]) == 2
            if flow.time > joined[name] and not between:
                flows.append(Flow(**{**vars(flow), "fact": f"{name}/{flow.fact}"}))
    flows.sort(key=lambda flow: (flow.time, flow.id))
    navs: list[Nav] = []
    last_counted = start
    for time in sorted({nav.time for name in members for nav in members[name].navs if nav.time >= start}):
        present = [at[name].get(time) for name in members if joined[name] <= time]
        if None in present:
            continue
        if all(nav.counted for nav in present):
            unknown = any(f.value is None and f.marketed and last_counted < f.time <= time for f in flows)
            grade = "provisional" if unknown or any(nav.grade == "provisional" for nav in present) else "complete"
            navs.append(Nav(time, grade, sum((nav.nav for nav in present), ZERO)))
            last_counted = time
        else:
            navs.append(Nav(time, "incomplete", None))
    return Book(navs, flows)


# -- periods -----------------------------------------------------------------------------------------------------------
def periods(book: Book, benchmark: str) -> dict[str, dict[str, Any]]:
    """Inception and every month: from the last counted snapshot at or before its start, else the first, to its last."""
    counted, followed = [nav for nav in book.navs if nav.counted], book.benchmarks[benchmark]
    times = [nav.time for nav in counted]
    bounds = {"inception": (times[0], times[-1])}
    month = times[0].replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= times[-1]:
        following = (month + timedelta(days=32)).replace(day=1)
        first, last = (max(bisect_right(times, edge) - 1, 0) for edge in (month, following))
        if last > first:
            bounds[f"{month:%Y-%m}"] = times[first], times[last]
        month = following
    found = {}
    with localcontext() as context:
        context.prec = 50
        for name, (start, end) in bounds.items():
            first, last = counted[times.index(start)], counted[times.index(end)]
            moved = sum((f.value for f in book.flows if f.value is not None and start < f.time <= end), ZERO)
            twr = last.twr_index / first.twr_index - 1
            benchmark_twr = followed.index[end] / followed.index[start] - 1
            found[name] = {"from_time": start, "to_time": end, "nav_from": first.nav, "nav_to": last.nav,
                           "flows_usd": moved, "gain_usd": last.nav - first.nav - moved, "twr": twr,
                           "benchmark_twr": benchmark_twr, "alpha": twr - benchmark_twr,
                           "intervals_set_aside": sum(nav.set_aside for nav in counted if start < nav.time <= end)}
    return found
