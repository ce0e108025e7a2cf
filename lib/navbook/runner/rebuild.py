"""Facts and configuration in, derived tables out. Delete them, run again, get the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import benchmark, cash_flows, performance, valuation
from navbook.settings import Benchmark, Rebalance, Settings
from navbook.store import tables
from navbook.types import COUNTED, OWN_BENCHMARK, Grade


@dataclass(frozen=True)
class Facts:
    """What a rebuild starts from: frames of `schemas`, the newest row of each fact."""

    accounts: pl.DataFrame
    snapshots: pl.DataFrame
    balances: pl.DataFrame
    prices: pl.DataFrame
    cash_flows: pl.DataFrame
    candles: pl.DataFrame


def read_facts(config: Settings, as_of: str = "now") -> Facts:
    """All facts up to and including `as_of`, UTC."""
    snapshots = tables.read(config.location, schemas.SNAPSHOTS, until=as_of)
    last = snapshots["time"].max() if snapshots.height else None
    seen = {schema.name: tables.read(config.location, schema, until=as_of)
            for schema in (schemas.BALANCES, schemas.PRICES, schemas.CANDLES)}
    flows = tables.read(config.location, schemas.CASH_FLOWS)
    return Facts(accounts=tables.read(config.location, schemas.ACCOUNTS), snapshots=snapshots,
                 cash_flows=flows.filter(pl.col("started_at") <= last) if last else flows.clear(), **seen)


def rules_of(config: Settings, account: str) -> benchmark.Rules:
    """The benchmark that `account` is measured by."""
    return rules(OWN_BENCHMARK, config.benchmark_of(account))


def rules(name: str, section: Benchmark) -> benchmark.Rules:
    """A benchmark of the configuration as the fold takes it."""
    when = section.rebalance
    return benchmark.Rules(name=name, weights=section.weights, withdrawal=section.withdrawal,
                           rebalance=(when.weekday, when.hour) if isinstance(when, Rebalance) else None)


def compute(facts: Facts, config: Settings) -> dict[str, pl.DataFrame]:
    """Every derived table by name, from `facts` alone."""
    holdings = valuation.holdings(facts.balances, facts.prices, facts.cash_flows, facts.snapshots,
                                  config.stablecoins)
    flow_values = cash_flows.values(facts.cash_flows, facts.candles, config.stablecoins)
    navs = _graded(facts, valuation.net_asset_value(holdings, facts.snapshots, config.tolerance), flow_values, config)
    answers = [_account(account, facts, navs, flow_values, config) for account in facts.accounts["account"].sort()]
    history = _nav_history(facts, navs, [answer["chains"] for answer in answers],
                           [answer[schemas.BENCHMARK_VALUES.name] for answer in answers])
    together = {schema.name: pl.concat([schema.empty(), *(answer[schema.name] for answer in answers)])
                for schema in (schemas.BENCHMARK_VALUES, schemas.BENCHMARK_JOURNAL, schemas.PERFORMANCE)}
    return {"holdings": holdings, "flow_values": flow_values, "nav_history": history, **together}


def write(config: Settings, answers: dict[str, pl.DataFrame]) -> dict[str, str]:
    """Replace the derived tables; return the content hash of each."""
    return {name: tables.replace(config.location, schemas.DERIVED[name], frame)
            for name, frame in answers.items()}


def _graded(facts: Facts, navs: pl.DataFrame, flow_values: pl.DataFrame, config: Settings) -> pl.DataFrame:
    """`navs` with the grade that the flows allow: an unpriced one, or unknown ones, make it provisional."""
    marketed = _marketed(facts, flow_values, config)
    bad = flow_values.filter(performance.unpriced(flow_values, marketed)).select("account", "time", "asset")
    ends = navs.filter(pl.col("nav").is_not_null()).select("account", "time", snapshot="time").sort("time")
    hit = (bad.sort("time").join_asof(ends, on="time", by="account", strategy="forward", check_sortedness=False)
           .group_by("account", time="snapshot").agg(unpriced=pl.col("asset").unique().sort().str.join(", ")))
    known = facts.snapshots.group_by("account").agg(flows_until=pl.col("flows_until").max())
    late = pl.col("flows_until").is_null() | (pl.col("flows_until") < pl.col("time"))
    why = (pl.when(pl.col("unpriced").is_not_null()).then(pl.format("no price for a flow of {}", "unpriced"))
             .when(late).then(pl.lit("cash flows not read yet")))
    joined = (navs.join(hit, on=["account", "time"], how="left").join(known, on="account", how="left")
              .with_columns(why=pl.when(pl.col("grade") == Grade.COMPLETE).then(why)))
    return joined.select(
        "account", "time", "nav",
        grade=pl.when(pl.col("why").is_not_null()).then(pl.lit(Grade.PROVISIONAL.value)).otherwise("grade"),
        reason=pl.coalesce("reason", "why")).sort("account", "time")


def _marketed(facts: Facts, flow_values: pl.DataFrame, config: Settings) -> list[str]:
    """The assets among the flows that have a market: some pair of theirs was ever priced."""
    pairs = {*facts.prices["symbol"].unique(), *facts.candles["symbol"].unique()}
    ways = valuation.routes(flow_values["asset"].unique(), config.stablecoins)
    return sorted(ways.filter(pl.col("symbol").is_in(pairs))["asset"].unique())


def _account(account: str, facts: Facts, navs: pl.DataFrame, flow_values: pl.DataFrame,
             config: Settings) -> dict[str, Any]:
    """The benchmark, chains and performance of one account."""
    rules = rules_of(config, account)
    counted = (navs.filter(pl.col("account") == account, pl.col("grade").is_in([grade.value for grade in COUNTED]))
               .select("time", "nav").sort("time"))
    flows = (flow_values.filter(pl.col("account") == account).sort("time", "id")
             .with_columns(unpriced=performance.unpriced(flow_values, _marketed(facts, flow_values, config))))
    happened = benchmark.events(rules, counted, flows)
    legs = _leg_prices(facts, counted, rules, config)
    journal = benchmark.replay(account, rules, happened, _event_prices(facts, happened, rules, config),
                               dict(legs.head(len(rules.weights)).select("asset", "price").iter_rows()))
    values = benchmark.values(journal, legs.with_columns(account=pl.lit(account)))
    chains = performance.indices(
        performance.intervals(counted, flows),
        performance.benchmark_factors(journal, values.select("time", "value"), legs, dict(rules.weights)))
    return {"benchmark_journal": journal, "benchmark_values": values,
            "chains": chains.with_columns(account=pl.lit(account)),
            "performance": performance.performance(account, rules.name, counted, chains)}


def _leg_prices(facts: Facts, counted: pl.DataFrame, rules: benchmark.Rules, config: Settings) -> pl.DataFrame:
    """[time, asset, price]: every leg at every counted snapshot, at the prices stored with it."""
    wanted = counted.select("time").join(pl.DataFrame({"asset": list(rules.weights)}), how="cross")
    stored = facts.prices.select("time", "symbol", pl.col("price").cast(pl.Float64))
    return valuation.priced(wanted, stored, config.stablecoins).select("time", "asset", "price").sort("time", "asset")


def _event_prices(facts: Facts, happened: list[benchmark.Event], rules: benchmark.Rules,
                  config: Settings) -> dict[tuple[Any, str], float]:
    """p(t) of every leg at every event after the first, by (time, asset)."""
    times = [event.time for event in happened[1:]]
    wanted = pl.DataFrame({"time": times}, schema={"time": schemas.TIME}).unique().join(
        pl.DataFrame({"asset": list(rules.weights)}), how="cross")
    found = valuation.priced(wanted, cash_flows.prices_at(times, facts.candles), config.stablecoins)
    return {(time, asset): price for time, asset, price in found.select("time", "asset", "price").iter_rows()}


def _nav_history(facts: Facts, navs: pl.DataFrame, chains: list[pl.DataFrame],
                 values: list[pl.DataFrame]) -> pl.DataFrame:
    price = pl.col("price").cast(pl.Float64)
    coins = facts.prices.group_by("time").agg(btc_price=price.filter(pl.col("symbol") == "BTCUSDT").first(),
                                              eth_price=price.filter(pl.col("symbol") == "ETHUSDT").first())
    ids = facts.accounts.select("account", account_id="id")
    lines = pl.concat([chain.select("account", "time", "twr_index", "benchmark_index") for chain in chains] or
                      [schemas.NAV_HISTORY.empty().select("account", "time", "twr_index", "benchmark_index")])
    worth = pl.concat([schemas.BENCHMARK_VALUES.empty(), *values]).select("account", "time", benchmark_value="value")
    history = (navs.join(ids, on="account").join(coins, on="time", how="left")
               .join(worth, on=["account", "time"], how="left").join(lines, on=["account", "time"], how="left"))
    return schemas.NAV_HISTORY.check(history.select(list(schemas.NAV_HISTORY.columns)).sort("account", "time"))
