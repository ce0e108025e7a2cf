"""Two years of random facts: every journal row, value, grade and return against an independent account in exact decimals."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

import polars as pl
import pytest

import audit
from navbook import schemas
from navbook.compute.books import Facts
from navbook.runner import rebuild
from navbook.settings import Account, Benchmark, Group, Rebalance, Settings
from navbook.store import rewrite, tables
from navbook.store.ordering import newest
from navbook.types import FlowKind, FlowStatus
from worlds import FLAT, START, World, at, only

DAYS, EVENTS = 731, 1000
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SYMBOLS = {"BTCUSDT": 50_000, "ETHUSDT": 2500, "SOLUSDC": 100, "ALTBTC": 0.0004}
ZERO = Decimal(0)
ON_CHAIN = (FlowKind.WITHDRAWAL, FlowKind.FEE_WITHDRAWAL)
SOURCES = {"PAY": "pay", "FIAT": "fiat", "CARD": "card", "C2C": "c2c", "SUB": "sub_transfer", "DEPOSIT": "deposit"}
TABLES = ("accounts", "snapshots", "balances", "prices", "cash_flows", "candles", "manual_entries")
CLOSE = 1e-9


class Life:
    """Facts of a master that trades, is paid, pays and loses its connection, and perhaps of a sub-account that joins.

    rows  by table, as dicts, the older versions of a key among them
    """

    def __init__(self, seed: int, *, every: timedelta = 4 * DAY, family: bool = False, funded_early: bool = False) -> None:
        self.dice, self.seed = random.Random(seed), seed
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.accounts = ("main", "sub") if family else ("main",)
        self.backfills = not family and self.dice.random() < 0.4    # else flows without a price: see the open ones below
        self.every, self.funded_early = every, funded_early
        self.end = START + DAY * DAYS
        self.joins = {"main": START, "sub": START + every * int(DAYS * DAY / every * self.dice.uniform(0.1, 0.6))}
        self.held = {name: {"USDT": Decimal(100_000 if name == "main" else 20_000), "BTC": Decimal(1), "SOL": Decimal(50),
                            "ALT": Decimal(200), "NOMARKET": Decimal(7)} for name in self.accounts}
        walk = {symbol: [1.0] for symbol in SYMBOLS}
        for levels in walk.values():
            for _ in range(DAYS + 40):
                levels.append(min(max(levels[-1] * self.dice.uniform(0.94, 1.065), 0.2), 8))
        self.walk = walk
        self.numbers = iter(self.dice.sample(range(10_000, 99_999), 4 * EVENTS))
        self.outages = [(self.moment(), timedelta(days=self.dice.uniform(1, 20))) for _ in range(6)]
        self.legs = {"BTCUSDT", "ETHUSDT", "SOLUSDC"}
        self.config = self._config()
        self._live()

    def _config(self) -> Settings:
        dice = self.dice
        when = Rebalance(weekday=dice.randrange(7), hour=dice.randrange(24))
        own = Benchmark(rebalance=when, withdrawal=dice.choice(["benchmark", "share"]))
        basket = Benchmark(weights={"BTC": 0.4, "ETH": 0.3, "SOL": 0.2, "USDT": 0.1}, withdrawal=dice.choice(["benchmark", "share"]),
                           rebalance=dice.choice(["never", Rebalance(weekday=dice.randrange(7), hour=dice.randrange(24))]))
        hold = Benchmark(weights={"BTC": 1.0}, rebalance="never")
        return Settings(benchmark=own, benchmarks=dice.choice([{}, {"basket": basket}, {"btc": hold}]),
                        accounts={name: Account(master=None if name == "main" else "main") for name in self.accounts},
                        groups={"family": Group(accounts=["main", "sub"], benchmark=basket)} if len(self.accounts) > 1 else {})

    # -- prices --------------------------------------------------------------------------------------------------------
    def price(self, symbol: str, time: datetime, salt: str = "") -> Decimal:
        seconds = int((time - START).total_seconds())
        level = self.walk[symbol][max(seconds // 86400, 0)] * (0.99 + crc32(f"{symbol}{seconds}{salt}".encode()) % 2000 / 100_000)
        return Decimal(f"{SYMBOLS[symbol] * level:.8f}")

    def candles(self, time: datetime, symbols: set[str]) -> None:
        """What a collector stores for `time`: the minute that ended then; older ones where nobody traded; or the hour."""
        closed = time.replace(second=0, microsecond=0)
        for symbol in sorted(symbols):
            ended = closed
            while crc32(f"{symbol}{ended}".encode()) % 20 == 0:
                self.candle(symbol, "1m", ended - MINUTE, None)
                ended -= MINUTE
            if closed.minute == 0 and ended == closed and crc32(f"{symbol}{closed}".encode()) % 2:
                self.candle(symbol, "1h", closed - HOUR, self.price(symbol, closed))
            else:
                self.candle(symbol, "1m", ended - MINUTE, self.price(symbol, ended))

    def candle(self, symbol: str, interval: str, opened: datetime, close: Decimal | None) -> None:
        self.said("candles", market="spot", symbol=symbol, interval=interval, open_time=opened, open=close, high=close,
                  low=close, close=close, volume=Decimal(close is not None), seen_at=opened)

    def said(self, table: str, **row: Any) -> None:
        self.rows[table].append(dict.fromkeys(schemas.FACTS[table].columns) | row)

    # -- what happens --------------------------------------------------------------------------------------------------
    def moment(self) -> datetime:
        return START + timedelta(seconds=self.dice.randrange(3600, DAYS * 86400 - 3600))

    def _due(self) -> list[datetime]:
        """When the common benchmark is rebalanced; candles for this one and the others."""
        found: dict[int, list[datetime]] = {}
        all_rules = (self.config.benchmark, *self.config.benchmarks.values(), *(group.benchmark for group in self.config.groups.values()))
        for number, rules in enumerate(all_rules):
            if rules.rebalance == "never":
                continue
            days = (START + timedelta(days=day, hours=rules.rebalance.hour) for day in range(DAYS + 2))
            found[number] = [time for time in days if time.weekday() == rules.rebalance.weekday]
            for time in found[number]:
                self.candles(time, self.legs)
        return [time for time in found[0] if time <= self.end]

    def _live(self) -> None:
        dice = self.dice
        for number, name in enumerate(self.accounts, 1):
            self.said("accounts", account=name, id=number, uid=number, created_at=START, seen_at=START)
        due = self._due()
        looks = {START + self.every * number: self.accounts for number in range(int(DAYS * DAY / self.every) + 1)}
        moves = sorted([(dice.choice(due) if dice.random() < 0.02 else self.moment(), dice.choice(self.accounts))
                        for _ in range(EVENTS - len(due) - len(self.outages))])
        for time, name in dice.sample(moves, 12):
            looks[time] = (name,)      # at the very instant of a flow
        for time in dice.sample(due, 6):
            looks[time] = self.accounts
        self.last = self.end + DAY
        looks[self.last] = self.accounts
        happenings = sorted([(time, 0, name) for time, name in moves] + [(time, 1, names) for time, names in looks.items()],
                            key=lambda happening: happening[:2])
        self.leaving: list[tuple[str, str, datetime, datetime | None, Decimal, bool]] = []
        for time, is_look, who in happenings:
            if is_look:
                for name in who:
                    if time >= self.joins[name] and (time in (*self.joins.values(), self.last) or not self._out(time)):
                        self._look(time, name)
            else:
                self._move(time, who)
        dice.shuffle(self.rows["cash_flows"])

    def _out(self, time: datetime) -> bool:
        return any(start <= time < start + length for start, length in self.outages)

    def _look(self, time: datetime, name: str) -> None:
        dice, held = self.dice, self.held[name]
        held["USDT"] = (held["USDT"] * Decimal(f"{dice.uniform(0.97, 1.032):.4f}")).quantize(Decimal("0.01"))
        grade = dice.choices(["complete", "incomplete", "backfilled"], [0.93, 0.05, 0.02 if self.backfills else 0])[0]
        if time in self.joins.values() or time == self.last:
            grade = "complete"
        total, prices = ZERO, {symbol: self.price(symbol, time, "last") for symbol in SYMBOLS}
        each = {"USDT": Decimal(1), "BTC": prices["BTCUSDT"], "SOL": prices["SOLUSDC"], "NOMARKET": ZERO,
                "ALT": prices["ALTBTC"] * prices["BTCUSDT"]}
        shown: dict[str, Decimal] = {}
        away = dict.fromkeys(held, ZERO)
        for owner, asset, left, back, quantity, failed in self.leaving:
            if owner == name and left <= time and (back is None or time < back):
                away[asset] += quantity if failed else ZERO
                if left.minute % 3 == 0:    # the wallet shows it still, as on its way
                    shown[asset] = shown.get(asset, ZERO) + quantity
        for asset, quantity in ((asset, quantity - away[asset]) for asset, quantity in held.items()):
            total += (quantity + shown.get(asset, ZERO)) * each[asset]
            self.said("balances", account=name, time=time, wallet="spot", asset=asset, quantity=quantity, withdrawing=ZERO, seen_at=time)
        for asset, quantity in shown.items():
            self.said("balances", account=name, time=time, wallet="funding", asset=asset, quantity=quantity, withdrawing=quantity, seen_at=time)
        total = dice.choices([None, total * Decimal("1.001"), total * Decimal("0.98")], [0.5, 0.4, 0.1])[0]
        self.said("snapshots", account=name, time=time, grade=grade, wallets="{}", exchange_total_usd=total and total.quantize(Decimal("1e-9")),
                  flows_until=time, seen_at=time)
        for symbol, price in prices.items():
            self.said("prices", time=time, symbol=symbol, price=price, seen_at=time)

    def _move(self, time: datetime, name: str) -> None:
        dice, held = self.dice, self.held[name]
        if name == "sub" and time <= self.joins["sub"]:
            name, held = "main", self.held["main"]
        asset = dice.choices(["USDT", "BTC", "SOL", "ALT", "NOMARKET"], [0.6, 0.15, 0.1, 0.1, 0.05])[0]
        worth = {"USDT": 1.0, "BTC": 50_000, "SOL": 100, "ALT": 20, "NOMARKET": 1}[asset]
        kind = dice.choice(list(FlowKind))
        if kind.value.startswith("SUB") and "sub" in self.accounts and (self.funded_early or time > self.joins["sub"]):
            self._transfer(time, asset, Decimal(f"{dice.uniform(10, 900) / worth:.6f}"))
            return
        large = kind.sign < 0 and asset == "USDT" and dice.random() < 0.02
        if large:
            held["USDT"] *= 3    # a very good week, then most of it is taken out: more than the benchmark ever had
        amount = Decimal(f"{float(held['USDT']) * 0.8 if large else dice.uniform(10, 3000) / worth:.6f}")
        fee = Decimal(f"{dice.choice([0, 0, 0.4, 1]) / worth:.6f}")
        moved = amount if kind.sign > 0 else -(amount + fee)
        if held[asset] + moved < 0:
            kind, moved = FlowKind.DEPOSIT, amount
        status = dice.choices(["done", "failed", "pending"], [0.9, 0.06, 0.04])[0]
        if status == "pending" and kind.sign < 0 and kind not in ON_CHAIN:
            status = "done"
        started, time = time, time + timedelta(minutes=dice.randrange(1, 9000) if kind in ON_CHAIN and dice.random() < 0.4 else 0)
        internal = kind is FlowKind.DEPOSIT and asset == "USDT" and status == "done" and dice.random() < 0.4
        row = self._flow(name, time, started, kind, asset, amount, fee, status, internal=internal,
                         tx_id=str(next(self.numbers)) if internal and dice.random() < 0.5 else None)
        if internal:     # listed as a transfer with a sub-account that nobody tracks too, or nearly so
            late = timedelta(seconds=dice.choice([-120, -7, 30, 120] if not row["tx_id"] else [600]))
            same = dice.random() < 0.7
            transfer = amount if same else amount + 1
            self._flow(name, time + late, time + late, FlowKind.SUB_DEPOSIT, asset, transfer, ZERO, status, internal=True,
                       tx_id=row["tx_id"] or str(next(self.numbers)))
            held[asset] += transfer if not row["tx_id"] and not same else ZERO
        if kind in ON_CHAIN:
            over = {"done": time, "pending": None, "failed": time if time > started else row["seen_at"]}[status]
            self.leaving.append((name, asset, started, over, -moved, status == "failed"))
        if status == "done" or (status == "pending" and kind.sign < 0):
            held[asset] += moved

    def _transfer(self, time: datetime, asset: str, amount: Decimal) -> None:
        """Between master and sub-account; each side lists it."""
        out, into = self.dice.sample(self.accounts, 2) if time > self.joins["sub"] else ("main", "sub")
        if self.held[out][asset] < amount:
            return
        number = str(next(self.numbers))
        for name, kind, sign in ((out, FlowKind.SUB_WITHDRAWAL, -1), (into, FlowKind.SUB_DEPOSIT, 1)):
            self._flow(name, time, time, kind, asset, amount, ZERO, "done", internal=True, tx_id=number, flow_id=number)
            self.held[name][asset] += sign * amount

    def _flow(self, name: str, time: datetime, started: datetime, kind: FlowKind, asset: str, amount: Decimal, fee: Decimal,
              status: str, *, internal: bool, tx_id: str | None, flow_id: str | None = None) -> dict[str, Any]:
        dice = self.dice
        source = SOURCES.get(kind.value.split("_")[0], "withdrawal")
        late = timedelta(days=dice.choice([0, 0, 0, 1, 3, 40]))
        row = {"account": name, "source": source, "id": flow_id or str(next(self.numbers)), "time": time, "started_at": started,
               "kind": kind.value, "asset": asset, "amount": amount, "fee": fee, "status": status, "internal": internal,
               "tx_id": tx_id, "seen_at": time + late}
        if dice.random() < 0.25:     # heard of while under way, or twice
            earlier = {"status": dice.choice(["pending", status]), "seen_at": started, "time": started}
            self.said("cash_flows", **(row | earlier))
            row["seen_at"] += MINUTE
        self.said("cash_flows", **row)
        priced = asset != "SOL" or self.backfills or dice.random() < 0.8
        if status == "done":
            self.candles(time, self.legs - {"SOLUSDC"} | ({"SOLUSDC"} if priced or self._needs_sol() else set())
                         | ({"ALTBTC"} if asset == "ALT" else set()))
        if status == "done" and not internal and dice.random() < 0.03:
            self._entry(row, dice.choice(["mark", "mark", "price"]))
        return row

    def _needs_sol(self) -> bool:
        return "basket" in self.config.benchmarks or bool(self.config.groups)

    def _entry(self, flow: Mapping[str, Any], action: str) -> None:
        kind = self.dice.choice([None, "FEE_WITHDRAWAL" if FlowKind(flow["kind"]).sign < 0 else "DEPOSIT"])
        if action == "price" and flow["asset"] != "NOMARKET":
            return
        self.said("manual_entries", id=f"e{len(self.rows['manual_entries'])}", account=flow["account"], action=action,
                  source=flow["source"], flow=flow["id"], kind=kind if action == "mark" else None,
                  price_usd=Decimal("2.5") if action == "price" else None, revoked=self.dice.random() < 0.3, seen_at=flow["seen_at"])

    # -- as navbook takes it -------------------------------------------------------------------------------------------
    def frames(self) -> dict[str, pl.DataFrame]:
        """Every row that was said, the older versions too."""
        return {name: pl.DataFrame({column: [row[column] for row in rows] for column in schemas.FACTS[name].columns},
                                   schema=schemas.FACTS[name].columns) for name, rows in self.rows.items()}

    def facts(self) -> Facts:
        return Facts(**{name: newest(frame, schemas.FACTS[name].key) for name, frame in self.frames().items()})


# -- the comparison ----------------------------------------------------------------------------------------------------
def close(found: Any, expected: Any) -> bool:
    if isinstance(expected, Decimal):
        return found is not None and abs(found - float(expected)) <= CLOSE * max(abs(float(expected)), 1e-3)
    return found == expected


def same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]], what: str) -> None:
    for position, (one, other) in enumerate(zip(found, expected, strict=False)):
        assert all(map(close, one, other)), f"{what}, row {position}: {one} is not {other}"
    assert len(found) == len(expected), f"{what}: {len(found)} rows are not {len(expected)}: " \
        f"{found[len(expected):][:2]} {expected[len(found):][:2]}"


def agrees(life: Life) -> int:
    """Compare everything; return how many journal rows there were."""
    found, books = rebuild.compute(life.facts(), life.config), audit.audit(life.rows, life.config)
    rows = 0
    for name, book in books.items():
        history = found["group_history" if name in life.config.groups else "nav_history"].filter(account=name).sort("time")
        counted = {nav.time for nav in book.navs if nav.counted}
        own = book.benchmarks["own"]
        same(history.select("time", "grade").rows(), [(nav.time, nav.grade) for nav in book.navs], f"grades of {name}")
        same(history.filter(pl.col("time").is_in(list(counted))).select(
            "time", "nav", "twr_index", "benchmark_index", "benchmark_value").rows(),
            [(nav.time, nav.nav, nav.twr_index, own.index[nav.time], own.values[nav.time]) for nav in book.navs if nav.counted],
            f"history of {name}")
        for benchmark, followed in book.benchmarks.items():
            here = {"account": name, "benchmark": benchmark}
            rules = life.config.benchmark_of(name) if benchmark == "own" else life.config.benchmarks[benchmark]
            share = rules.withdrawal == "share"    # its warnings: see below
            journal = found["benchmark_journal"].filter(**here).sort("step", "asset")
            expected = [(change.time, step, change.event, change.fact, leg, change.prices[leg], change.before[leg], change.after[leg],
                         change.flow, sum(change.before[each] * change.prices[each] for each in change.before),
                         sum(change.after[each] * change.prices[each] for each in change.after), change.warns and not share)
                        for step, change in enumerate(followed.journal) for leg in sorted(change.prices)]
            same(journal.select("time", "step", "event", "fact", "asset", "price", "units_before", "units_after", "flow_usd",
                                "value_before", "value_after", pl.col("warning").is_not_null() & (not share)).rows(), expected, f"journal of {here}")
            rows += journal.height
            same(found["benchmark_values"].filter(**here).sort("time").select("time", "value").rows(),
                 sorted(followed.values.items()), f"values of {here}")
            performance = {row["period"]: row for row in found["performance"].filter(**here).to_dicts()}
            for period, figures in audit.periods(book, benchmark).items():
                same([tuple(performance[period][figure] for figure in figures)], [tuple(figures.values())], f"{period} of {here}")
            assert {name for name in performance if name[0] == "2"} | {"inception"} == set(audit.periods(book, benchmark))
    return rows


@pytest.mark.parametrize("seed", range(int(os.environ.get("NAVBOOK_AUDIT_WORLDS", "40")) // 10))
def test_every_row_equals_an_independent_account_in_exact_decimals(seed):
    for each in range(seed * 10, seed * 10 + 10):
        dense, family = each % 67 == 5, each % 8 == 0
        assert agrees(Life(each, every=DAY / 2 if dense else 4 * DAY, family=family)) > 1000


@pytest.mark.parametrize("seed", [8, 16, 201])
def test_facts_in_any_order_give_identical_tables(seed):
    life = Life(seed, family=seed % 8 == 0)
    whole, found = life.facts(), rebuild.compute(life.facts(), life.config)
    shuffled = Facts(**{name: getattr(whole, name).sample(fraction=1, shuffle=True, seed=seed) for name in TABLES})
    for name, frame in rebuild.compute(shuffled, life.config).items():
        key = schemas.DERIVED[name].key
        assert frame.sort(key).equals(found[name].sort(key)), name


@pytest.mark.parametrize("seed", [24, 202])
def test_facts_that_arrive_in_pieces_and_answers_that_are_lost_come_to_equal_hashes(seed, tmp_path):
    life, dice = Life(seed, every=8 * DAY, family=seed % 8 == 0), random.Random(seed)
    stores = [life.config.model_copy(update={"base": tmp_path, "store": name}) for name in ("whole", "pieces")]
    for name, frame in life.frames().items():
        schema = schemas.FACTS[name]
        for said in (frame.sort("seen_at").unique(schema.key, keep="first"), newest(frame, schema.key)):
            tables.append(stores[0].location, schema, said)
            pieces = list(said.sample(fraction=1, shuffle=True, seed=seed).iter_slices(said.height // 3 + 1))
            for piece in [*pieces, *pieces[:1]]:
                tables.append(stores[1].location, schema, piece)
    hashes = rebuild.run(stores[0])
    assert rebuild.run(stores[1]) == hashes
    for name in ("benchmark_journal", "benchmark_values", "nav_history", "flow_values", "holdings", "group_history"):
        stored = tables.read(stores[0].location, schemas.DERIVED[name])
        if "time" in stored.columns and stored.height:
            first, last = sorted(dice.sample(stored["time"].unique().sort().to_list(), 2))
            kept = stored.filter(~pl.col("time").is_between(first, last))
            assert kept.height < stored.height
            rewrite.replace(stores[0].location, schemas.DERIVED[name], kept)
    assert rebuild.run(stores[0]) == hashes


def test_an_older_version_that_is_appended_after_the_newer_one_changes_nothing(tmp_path):
    life = Life(202, every=30 * DAY)
    config = life.config.model_copy(update={"base": tmp_path})
    frame, schema = life.frames()["cash_flows"].sort("seen_at", descending=True), schemas.CASH_FLOWS
    for part in frame.iter_slices(frame.height // 3 + 1):
        tables.append(config.location, schema, newest(part, schema.key))
    assert tables.read(config.location, schema).drop("seen_at").equals(newest(frame, schema.key).drop("seen_at"))


# -- what DESIGN.md says and navbook does otherwise: each the least that shows it -----------------------------------------
NEVER = Benchmark(rebalance="never")
FAMILY = Settings(benchmark=NEVER, accounts={"main": Account(), "sub": Account(master="main")},
                  groups={"family": Group(accounts=["main", "sub"])})


def test_a_rebuild_gives_the_same_figures_to_the_last_bit():
    dice = random.Random(1)
    assets = [f"A{number}" for number in range(5)]
    world = World(prices={**FLAT, **{f"{asset}USDT": f"{dice.uniform(1, 100):.4f}" for asset in assets}})
    for hour in range(600):
        world.snapshot(at(hour), {asset: f"{dice.uniform(1, 1000):.6f}" for asset in assets})
    for asset in assets:
        world.flow(at(0.5), f"{dice.uniform(1, 9):.3f}", asset, kind=FlowKind.WITHDRAWAL, status=FlowStatus.PENDING)
    found = [rebuild.compute(world.facts(), Settings(benchmark=NEVER))["nav_history"].sort("time")["nav"] for _ in range(4)]
    assert all(each.equals(found[0]) for each in found)


def test_a_member_that_the_master_funded_before_its_first_snapshot_joins_without_a_loss():
    world = World(accounts=("main", "sub"))
    world.snapshot(at(0), {"USDT": 10_000})
    for name, kind in (("main", FlowKind.SUB_WITHDRAWAL), ("sub", FlowKind.SUB_DEPOSIT)):
        world.flow(at(1), 1000, kind=kind, account=name, flow_id="7", tx_id="7", internal=True)
    world.snapshot(at(2), {"USDT": 9000})
    world.snapshot(at(2), {"USDT": 1000}, account="sub")
    last = rebuild.compute(world.facts(), FAMILY)["group_history"].sort("time").to_dicts()[-1]
    assert (last["nav"], last["twr_index"], last["benchmark_value"]) == pytest.approx((10_000, 1, 10_000))


def test_a_backfilled_member_is_in_no_return_of_the_group():
    world = World(accounts=("main", "sub"))
    for hour, balance, grade in ((0, 1000, "complete"), (1, 500, "backfilled"), (2, 1000, "complete")):
        world.snapshot(at(hour), {"USDT": 10_000})
        world.snapshot(at(hour), {"USDT": balance}, account="sub", grade=grade)
    row = only(rebuild.compute(world.facts(), FAMILY)["group_history"], time=at(1))
    assert row["grade"] not in ("complete", "provisional")
    assert row["twr_index"] is None


def test_a_held_asset_whose_price_is_missing_once_makes_no_smaller_nav():
    world = World(prices={**FLAT, "SOLUSDT": "100"})
    for hour in range(3):
        world.snapshot(at(hour), {"USDT": 10_000, "SOL": 50})
    del world.price_rows[at(1), "SOLUSDT"]
    row = only(rebuild.compute(world.facts(), Settings(benchmark=NEVER))["nav_history"], time=at(1))
    assert row["grade"] != "complete"
    assert row["twr_index"] in (None, 1)


def test_a_withdrawal_to_a_bank_is_in_transit_until_it_completes():
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(5), 1000, kind=FlowKind.FIAT_WITHDRAWAL, source="fiat", started_at=at(1))
    world.snapshot(at(2), {"USDT": 9000})
    world.snapshot(at(6), {"USDT": 9000})
    history = rebuild.compute(world.facts(), Settings(benchmark=NEVER))["nav_history"]
    assert history["nav"].to_list() == [10_000, 10_000, 9000]


def test_a_flow_without_a_price_makes_the_next_counted_snapshot_provisional():
    world = World(prices={**FLAT, "SOLUSDT": "100"})
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(1), 3, "SOL")
    del world.candle_rows["SOLUSDT", at(1) - MINUTE]
    world.snapshot(at(2), {"USDT": 10_000, "SOL": 3}, grade="backfilled")
    world.snapshot(at(3), {"USDT": 10_000, "SOL": 3})
    assert only(rebuild.compute(world.facts(), Settings(benchmark=NEVER))["nav_history"], time=at(3))["grade"] == "provisional"


def test_the_journal_ends_at_the_last_collected_snapshot():
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(1), 100)
    world.snapshot(at(2), {"USDT": 10_100}, grade="incomplete")
    found = rebuild.compute(world.facts(), Settings(benchmark=NEVER))
    assert found["benchmark_journal"]["event"].unique().sort().to_list() == ["deposit", "init"]


@pytest.mark.parametrize(("out", "warns"), [
    pytest.param(5000, False, id="half of the account, more than the benchmark has"),
    pytest.param(11_000, True, id="more than the account is known to have")])
def test_with_shares_a_withdrawal_warns_where_it_is_more_than_the_account(out, warns):
    world = World()
    world.snapshot(at(0), {"USDT": 10_000 if out > 10_000 else 1000})
    world.snapshot(at(1), {"USDT": 10_000})
    world.flow(at(2), out, kind=FlowKind.WITHDRAWAL)
    if out > 10_000:
        world.prices = {"BTCUSDT": "100000", "ETHUSDT": "5000"}
        world.candle_before(at(2))
    world.snapshot(at(3), {"USDT": 5000})
    journal = rebuild.compute(world.facts(), Settings(benchmark=Benchmark(rebalance="never", withdrawal="share")))["benchmark_journal"]
    assert journal.filter(event="withdrawal")["warning"].is_not_null().all() == warns


@pytest.mark.parametrize("minutes", [-30, 30])
def test_a_flow_of_an_account_without_a_counted_snapshot_harms_no_other_account(minutes):
    world = World(accounts=("broken", "main"))
    for hour in (0, 1):
        world.snapshot(at(hour), {"USDT": 10_000})
        world.snapshot(at(hour), {"USDT": 100}, account="broken", grade="incomplete")
    world.flow(at(minutes=minutes), 5, account="broken")
    found = rebuild.compute(world.facts(), Settings(benchmark=NEVER))
    assert only(found["performance"], account="main", period="inception")["twr"] == 0


def test_a_deposit_of_nothing_is_a_deposit():
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(1), 0)
    world.snapshot(at(2), {"USDT": 10_000})
    journal = rebuild.compute(world.facts(), Settings(benchmark=NEVER))["benchmark_journal"]
    assert "withdrawal" not in journal["event"].to_list()
