"""What each frame holds. A column name carries its unit; times are UTC; ratios are fractions.

`FACTS` are appended and never changed: a row carries `seen_at`, and of several rows with one key the
newest is read. `DERIVED` tables are rebuilt from facts and configuration alone. Amounts that came as
text are decimals; derived figures are floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from navbook.errors import KeyRepeated, SchemaMismatch

TIME = pl.Datetime("us", "UTC")
AMOUNT = pl.Decimal(38, 18)


@dataclass(frozen=True)
class FrameSchema:
    name: str
    key: tuple[str, ...]
    columns: dict[str, Any]    # name -> polars dtype
    about: str

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with its columns in order, or raise `SchemaMismatch` or `KeyRepeated`."""
        names = {*self.columns, *frame.columns}
        if wrong := {name: (frame.schema.get(name, "missing"), self.columns.get(name, "in the schema"))
                     for name in sorted(names) if frame.schema.get(name) != self.columns.get(name)}:
            raise SchemaMismatch(self.name, wrong)
        if frame.height > 1 and frame.select(pl.struct(self.key).is_duplicated().any()).item():
            repeated = frame.filter(pl.struct(self.key).is_duplicated())
            raise KeyRepeated(self.name, self.key, repeated.select(self.key).row(0))
        ordered = list(self.columns)
        return frame if frame.columns == ordered else frame.select(ordered)

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.columns)

    def rows(self, rows: list[tuple[Any, ...]] | list[dict[str, Any]]) -> pl.DataFrame:
        """A checked frame of `rows`, each a tuple in column order or a dict."""
        return self.check(pl.DataFrame(rows, schema=self.columns, orient="row"))


def fact(name: str, key: tuple[str, ...], about: str, /, **columns: Any) -> FrameSchema:
    return FrameSchema(name, key, {**columns, "seen_at": TIME}, about)


def derived(name: str, key: tuple[str, ...], about: str, /, **columns: Any) -> FrameSchema:
    return FrameSchema(name, key, columns, about)


STORE_META = fact("store_meta", ("name",), "what this store is: schema version, environment, demo",
                  name=pl.String(), value=pl.String())
ACCOUNTS = fact("accounts", ("account",), "the accounts ever collected and the Binance uid behind each",
                account=pl.String(), id=pl.Int64(), uid=pl.Int64(), master=pl.String(), created_at=TIME)
RESPONSES = fact("responses", ("account", "time", "endpoint", "part"),
                 "what the exchange answered, word for word; no URL, key or signature",
                 account=pl.String(), time=TIME, endpoint=pl.String(), part=pl.Int32(), body=pl.String())
SNAPSHOTS = fact("snapshots", ("account", "time"),
                 "one reading of all wallets; time is the exchange's when the run began",
                 account=pl.String(), time=TIME, grade=pl.String(), reason=pl.String(),
                 wallets=pl.String(),                # JSON: wallet -> ok | absent | failed
                 exchange_total_usd=AMOUNT,          # the exchange's own sum; null where it could not be read
                 flows_until=TIME)                   # cash flows are known up to here; null: never read
BALANCES = fact("balances", ("account", "time", "wallet", "asset"),
                "quantities in the row's own asset; may be negative",
                account=pl.String(), time=TIME, wallet=pl.String(), asset=pl.String(), quantity=AMOUNT,
                withdrawing=AMOUNT)                  # the part of quantity that is on its way out
PRICES = fact("prices", ("time", "symbol"), "what a snapshot was priced with; last spot price",
              time=TIME, symbol=pl.String(), price=AMOUNT)
CASH_FLOWS = fact("cash_flows", ("account", "source", "id"),
                  "deposits, withdrawals, transfers with sub-accounts; amount and fee are positive",
                  account=pl.String(), source=pl.String(), id=pl.String(),
                  time=TIME,                         # when the counted NAV changes
                  started_at=TIME,                   # when it left or was first seen on the way
                  kind=pl.String(), asset=pl.String(), amount=AMOUNT, fee=AMOUNT, status=pl.String(),
                  internal=pl.Boolean(), tx_id=pl.String())
CANDLES = fact("candles", ("market", "symbol", "interval", "open_time"),
               "closed candles; volume in the base asset",
               market=pl.String(), symbol=pl.String(), interval=pl.String(), open_time=TIME,
               open=AMOUNT, high=AMOUNT, low=AMOUNT, close=AMOUNT, volume=AMOUNT)
RUNS = fact("runs", ("run",), "every run of a job and how it ended",
            run=pl.String(), job=pl.String(), account=pl.String(), started_at=TIME, ended_at=TIME,
            status=pl.String(), reason=pl.String())

HOLDINGS = derived("holdings", ("account", "time", "wallet", "asset"),
                   "balances with their price; price and value_usd are null where nothing prices the asset",
                   account=pl.String(), time=TIME, wallet=pl.String(), asset=pl.String(),
                   quantity=pl.Float64(), price=pl.Float64(), price_route=pl.String(), value_usd=pl.Float64())
NAV_HISTORY = derived("nav_history", ("account", "time"),
                      "net asset value beside the account's own benchmark; nav is null when incomplete",
                      account=pl.String(), account_id=pl.Int64(), time=TIME, grade=pl.String(),
                      reason=pl.String(), nav=pl.Float64(), benchmark_value=pl.Float64(),
                      btc_price=pl.Float64(), eth_price=pl.Float64(),
                      twr_index=pl.Float64(),            # 1 at the first counted snapshot; flows taken out
                      benchmark_index=pl.Float64())
FLOW_VALUES = derived("flow_values", ("account", "source", "id"),
                      "cash flows that count, at the price of their own time; value_usd null: no price",
                      account=pl.String(), source=pl.String(), id=pl.String(), time=TIME, kind=pl.String(),
                      asset=pl.String(), quantity=pl.Float64(),    # signed, the fee of a withdrawal included
                      price=pl.Float64(), price_route=pl.String(), value_usd=pl.Float64())
BENCHMARK_VALUES = derived("benchmark_values", ("account", "benchmark", "time"),
                           "each benchmark's worth at each counted snapshot from its start on",
                           account=pl.String(), benchmark=pl.String(), time=TIME, value=pl.Float64())
BENCHMARK_JOURNAL = derived("benchmark_journal", ("account", "benchmark", "time", "step", "asset"),
                            "every change of units, one row a leg, with the fact behind it",
                            account=pl.String(), benchmark=pl.String(), time=TIME,
                            step=pl.Int64(),             # 0, 1, 2 … in the order of application
                            event=pl.String(),           # init | deposit | withdrawal | rebalance
                            fact=pl.String(),            # "source:id" of a flow, "snapshot" or "schedule"
                            asset=pl.String(), price=pl.Float64(), units_before=pl.Float64(),
                            units_after=pl.Float64(), flow_usd=pl.Float64(), value_before=pl.Float64(),
                            value_after=pl.Float64(), warning=pl.String())
PERFORMANCE = derived("performance", ("account", "benchmark", "period"),
                      "time-weighted returns of account and benchmark, fractions, not annualised",
                      account=pl.String(), benchmark=pl.String(), period=pl.String(), from_time=TIME,
                      to_time=TIME, nav_from=pl.Float64(), nav_to=pl.Float64(), flows_usd=pl.Float64(),
                      gain_usd=pl.Float64(), twr=pl.Float64(), benchmark_twr=pl.Float64(),
                      alpha=pl.Float64(), max_drawdown=pl.Float64(), benchmark_max_drawdown=pl.Float64(),
                      intervals_set_aside=pl.Int64())

FACTS = {schema.name: schema for schema in (
    STORE_META, ACCOUNTS, RESPONSES, SNAPSHOTS, BALANCES, PRICES, CASH_FLOWS, CANDLES, RUNS)}
DERIVED = {schema.name: schema for schema in (
    HOLDINGS, NAV_HISTORY, FLOW_VALUES, BENCHMARK_VALUES, BENCHMARK_JOURNAL, PERFORMANCE)}

# What `compute.backtest` gives; in no table of the store.
BACKTEST_TRADES = derived("backtest_trades", ("side", "entry_time"),
                          "trades of a backtest; the exit's columns are null while the reason is OPEN",
                          side=pl.String(), entry_time=TIME, entry_price=pl.Float64(),
                          quantity=pl.Float64(),             # base asset
                          take_profit=pl.Float64(), stop_loss=pl.Float64(),
                          exit_time=TIME,                    # the open time of the candle of the exit
                          exit_price=pl.Float64(), reason=pl.String(),    # TP | SL | LIQUIDATION | OPEN
                          fee=pl.Float64(),                  # USDT, both sides, positive
                          funding=pl.Float64(),              # USDT, positive when received
                          pnl=pl.Float64(),                  # USDT, after fee and funding
                          reopen=pl.Int64())                 # 0 for the first trade of the position, then 1, 2 …
