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
    """The columns of a frame, and what no two rows of it share."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, Any]    # name -> polars dtype
    about: str

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with its columns in order, or raise `SchemaMismatch` or `KeyRepeated`."""
        whole = self.shaped(frame)
        if frame.height > 1 and frame.select(pl.struct(self.key).is_duplicated().any()).item():
            repeated = frame.filter(pl.struct(self.key).is_duplicated())
            raise KeyRepeated(self.name, self.key, repeated.select(self.key).row(0))
        return whole

    def shaped(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with its columns in order, or raise `SchemaMismatch`; its keys may repeat."""
        names = {*self.columns, *frame.columns}
        if wrong := {name: (frame.schema.get(name, "missing"), self.columns.get(name, "in the schema"))
                     for name in sorted(names) if frame.schema.get(name) != self.columns.get(name)}:
            raise SchemaMismatch(self.name, wrong)
        ordered = list(self.columns)
        return frame if frame.columns == ordered else frame.select(ordered)

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.columns)

    def rows(self, rows: list[tuple[Any, ...]] | list[dict[str, Any]]) -> pl.DataFrame:
        """A checked frame of `rows`, each a tuple in column order or a dict."""
        return self.check(pl.DataFrame(rows, schema=self.columns, orient="row"))


def fact(name: str, key: tuple[str, ...], about: str, /, **columns: Any) -> FrameSchema:
    """The schema of a table that is only added to; each row says when it was seen."""
    return FrameSchema(name, key, {**columns, "seen_at": TIME}, about)


def derived(name: str, key: tuple[str, ...], about: str, /, **columns: Any) -> FrameSchema:
    """The schema of a table that is rebuilt from facts."""
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
                  internal=pl.Boolean(),             # from or to another Binance account
                  tx_id=pl.String(), counterparty=pl.String(), note=pl.String())    # words from outside
WALLET_TOTALS = fact("wallet_totals", ("account", "time", "name"),
                     "the exchange's own value of each wallet, in USDT",
                     account=pl.String(), time=TIME, name=pl.String(),    # as the exchange calls it
                     wallet=pl.String(),    # as we do; "earn" is flexible and locked, "other" any without a name here
                     value_usd=AMOUNT)
TRANSFERS = fact("transfers", ("account", "id"),
                 "moves between wallets of one account: no cash flow",
                 account=pl.String(), id=pl.String(), time=TIME, kind=pl.String(), asset=pl.String(), amount=AMOUNT,
                 status=pl.String())
REWARDS = fact("rewards", ("account", "source", "id"),
               "dividends, interest, airdrops: income, no cash flow; negative when taken back",
               account=pl.String(), source=pl.String(), id=pl.String(), time=TIME, asset=pl.String(), amount=AMOUNT,
               note=pl.String())
CONVERTS = fact("converts", ("account", "source", "id"),
                "one asset for another outside the order book: neither cash flow nor income",
                account=pl.String(), source=pl.String(), id=pl.String(), time=TIME, from_asset=pl.String(),
                from_amount=AMOUNT, to_asset=pl.String(), to_amount=AMOUNT, status=pl.String())
INCOME = fact("income", ("account", "market", "kind", "id", "symbol", "asset"),
              "what futures paid and cost: realised profit, funding, commission, …, signed",
              account=pl.String(), market=pl.String(), kind=pl.String(), id=pl.String(), symbol=pl.String(),
              asset=pl.String(), time=TIME, amount=AMOUNT, note=pl.String())
FILLS = fact("fills", ("account", "market", "symbol", "id"),
             "every trade of an order, as the exchange keeps it for three months",
             account=pl.String(), market=pl.String(), symbol=pl.String(), id=pl.String(), time=TIME,
             order_id=pl.String(), side=pl.String(), position_side=pl.String(), price=AMOUNT, quantity=AMOUNT,
             fee=AMOUNT, fee_asset=pl.String(), realized_pnl=AMOUNT, maker=pl.Boolean())
ORDERS = fact("orders", ("account", "client_id"),
              "every order of the trader, written down before it was sent, and what became of it",
              account=pl.String(), client_id=pl.String(), instance=pl.String(), name=pl.String(),
              number=pl.Int32(),                     # of its trade, in `positions`
              part=pl.String(),                      # entry | stop | take profit | close
              symbol=pl.String(), side=pl.String(),  # LONG | SHORT: the leg
              quantity=AMOUNT, trigger_price=AMOUNT, status=pl.String(),    # the exchange's word for it
              order_id=pl.String(), algo_id=pl.String(), time=TIME, note=pl.String())
POSITIONS = fact("positions", ("account", "instance", "number"),
                 "every trade of the trader: opened, protected, closed, and what came of it, in USDT",
                 account=pl.String(),
                 instance=pl.String(),               # of the journal that numbers them
                 number=pl.Int32(), name=pl.String(), symbol=pl.String(), side=pl.String(),
                 time=TIME,                          # when its entry was due
                 state=pl.String(),                  # entering | open | closed | void: never filled
                 parent=pl.Int32(), reopen=pl.Int64(),    # the trade that it reopened; how often the chain was
                 amount_usdt=AMOUNT, leverage=AMOUNT, tp_usdt=AMOUNT, sl_usdt=AMOUNT, margin_type=pl.String(),
                 quantity=AMOUNT, entry_price=AMOUNT, take_profit=AMOUNT, stop_loss=AMOUNT,
                 entry_order=pl.String(), stop_order=pl.String(), profit_order=pl.String(),    # client ids
                 opened_at=TIME, closed_at=TIME, exit_price=AMOUNT, reason=pl.String(),    # types.ExitReason
                 fee=AMOUNT, funding=AMOUNT, pnl=AMOUNT, note=pl.String())
MANUAL_ENTRIES = fact("manual_entries", ("id",),
                      "what people know and the exchange does not; a revoked one counts no more",
                      id=pl.String(), account=pl.String(), action=pl.String(),    # types.Action
                      time=TIME,                          # of an added flow
                      source=pl.String(), flow=pl.String(),    # the listed flow that is marked or priced
                      kind=pl.String(),                   # of the flow; null in a mark: it is no flow
                      asset=pl.String(), amount=AMOUNT, price_usd=AMOUNT, note=pl.String(), revoked=pl.Boolean())
FEE_PAYMENTS = fact("fee_payments", ("account", "id"),
                    "what became of fees that were due",
                    account=pl.String(), id=pl.String(), period=pl.String(), action=pl.String(),    # types.FeeAction
                    time=TIME, amount_usd=AMOUNT,
                    rate=pl.Float64(),              # that of the fee when this was recorded: agreed on
                    tx_id=pl.String(), note=pl.String(), revoked=pl.Boolean())
CLOSINGS = fact("closings", ("account", "benchmark", "month"),
                "the figures of a month as they were when it was closed",
                account=pl.String(), benchmark=pl.String(), month=pl.String(), from_time=TIME, to_time=TIME,
                nav_from=pl.Float64(), nav_to=pl.Float64(), flows_usd=pl.Float64(), gain_usd=pl.Float64(),
                twr=pl.Float64(), benchmark_twr=pl.Float64(), alpha=pl.Float64(), fee_usd=pl.Float64())
QUARANTINE = fact("quarantine", ("account", "endpoint", "id"),
                  "rows of answers that no parser could read, word for word",
                  account=pl.String(), endpoint=pl.String(), id=pl.String(),    # of the text
                  time=TIME, reason=pl.String(),    # null: it could be read since
                  body=pl.String())
HISTORY_MARKS = fact("history_marks", ("account", "source"),
                     "up to when each history of an account was read whole",
                     account=pl.String(), source=pl.String(), until=TIME,    # null: the exchange does not give it
                     note=pl.String())                                       # why it does not
CANDLES = fact("candles", ("market", "symbol", "interval", "open_time"),
               "closed candles; volume in the base asset",
               market=pl.String(), symbol=pl.String(), interval=pl.String(), open_time=TIME,
               open=AMOUNT, high=AMOUNT, low=AMOUNT, close=AMOUNT, volume=AMOUNT)
FUNDING_RATES = fact("funding_rates", ("market", "symbol", "time"),
                     "what longs pay shorts at each settlement, as a fraction of the position at the mark price",
                     market=pl.String(), symbol=pl.String(), time=TIME,    # on its minute; the exchange is seconds off
                     rate=AMOUNT, mark_price=AMOUNT)                       # null where it is not told
SYMBOL_FILTERS = fact("symbol_filters", ("market", "symbol"),
                      "what the exchange rounds a symbol's market orders and prices to",
                      market=pl.String(), symbol=pl.String(), step_size=AMOUNT,    # of the quantity, in the base asset
                      tick_size=AMOUNT)                                            # of the price
RUNS = fact("runs", ("run",), "every run of a job and how it ended",
            run=pl.String(), job=pl.String(), account=pl.String(), started_at=TIME, ended_at=TIME,
            status=pl.String(), reason=pl.String())    # types.RunStatus
SLOTS = fact("slots", ("job", "time"), "what became of every time at which a job was due",
             job=pl.String(), time=TIME, fate=pl.String(),    # types.Fate
             reason=pl.String(),                              # why, where it did not simply run
             run=pl.String())                                 # that served it, or caught it up

CONFIG_HISTORY = fact("config_history", ("time", "key"), "what `navbook config` changed in navbook.toml, and who did",
                      time=TIME, key=pl.String(), account=pl.String(),    # null: for all
                      who=pl.String(), old=pl.String(), new=pl.String())  # null: not set; secrets are hidden
# No Delta table: the view `logs` reads the JSON lines of the store's log as they are.
LOGS = derived("logs", ("time",), "what every run did, line by line",
               time=TIME, level=pl.String(), event=pl.String(), category=pl.String(), run=pl.String(),
               account=pl.String(), operation=pl.String(), seconds=pl.Float64(), success=pl.Boolean(),
               reason=pl.String())

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
                      "returns and risk of account (or group) and benchmark by period, as fractions; statistics are of "
                      "daily returns, scaled to the period, or to 365 days when it is longer",
                      account=pl.String(), benchmark=pl.String(), period=pl.String(), from_time=TIME,
                      to_time=TIME, nav_from=pl.Float64(), nav_to=pl.Float64(), flows_usd=pl.Float64(),
                      gain_usd=pl.Float64(),             # nav_to - nav_from - flows_usd
                      benchmark_gain_usd=pl.Float64(),   # the same of the benchmark that began at nav_from
                      twr=pl.Float64(), benchmark_twr=pl.Float64(), alpha=pl.Float64(),
                      mwr=pl.Float64(), benchmark_mwr=pl.Float64(),    # money-weighted; a year's from 365 days on
                      simple_gain=pl.Float64(),          # gain_usd over nav_from and deposits
                      volatility=pl.Float64(), benchmark_volatility=pl.Float64(), sharpe=pl.Float64(),
                      sortino=pl.Float64(), max_drawdown=pl.Float64(), drawdown_days=pl.Float64(),
                      recovery_days=pl.Float64(),        # null: not recovered
                      benchmark_max_drawdown=pl.Float64(), beta=pl.Float64(), tracking_error=pl.Float64(),
                      information_ratio=pl.Float64(), up_capture=pl.Float64(), down_capture=pl.Float64(),
                      verdict=pl.String(),               # ahead | behind | too early
                      alpha_low=pl.Float64(), alpha_high=pl.Float64(),    # 95 % of block bootstraps
                      intervals_set_aside=pl.Int64())
BENCHMARK_CONFIGS = derived("benchmark_configs", ("account", "benchmark"),
                            "each account's benchmarks and where they stand",
                            account=pl.String(), account_id=pl.Int64(), benchmark=pl.String(), weights=pl.String(),
                            rebalance_day=pl.Int64(), rebalance_hour=pl.Int64(),    # null: never
                            withdrawal=pl.String(), initialized_at=TIME, btc_units=pl.Float64(),
                            eth_units=pl.Float64(), rebalance_count=pl.Int64(),
                            last_rebalance_timestamp=TIME, next_rebalance_timestamp=TIME)
RECONCILIATION = derived("reconciliation", ("account", "time", "wallet"),
                         "each wallet beside the exchange's own value of it; wallet total: all of them",
                         account=pl.String(), time=TIME, wallet=pl.String(), value_usd=pl.Float64(),
                         exchange_usd=pl.Float64(), residual_usd=pl.Float64(),
                         within=pl.Boolean(), note=pl.String())    # within: the tolerance; null: not known
BRIDGE = derived("bridge", ("account", "period"),
                 "from the first net asset value of a period to its last: the parts add up",
                 account=pl.String(), period=pl.String(), from_time=TIME, to_time=TIME, nav_from=pl.Float64(),
                 flows_usd=pl.Float64(), realised_usd=pl.Float64(), funding_usd=pl.Float64(),
                 commission_usd=pl.Float64(), rewards_usd=pl.Float64(), price_effect_usd=pl.Float64(),
                 residual_usd=pl.Float64(), nav_to=pl.Float64())
FEES = derived("fees", ("account", "period"),
               "the performance fee of each fee period, above the high-water mark and ahead of the benchmark",
               account=pl.String(), period=pl.String(),    # named after its start: 2026-06, 2026-06-30, 2026-06-30T23
               from_time=TIME, to_time=TIME,           # when it begins and falls due, not when snapshots were taken
               final=pl.Boolean(),                     # something was collected at its end or later; else it runs
               settled_at=TIME,                        # its last complete snapshot, which nav and mark are of
               nav=pl.Float64(),
               mark_before=pl.Float64(), mark_after=pl.Float64(),    # the high-water mark, flows followed
               alpha=pl.Float64(), rate=pl.Float64(),
               fee_usd=pl.Float64(),                   # null: not known. Of a running period: so far, not due
               reason=pl.String(),                     # why there is none
               collected_usd=pl.Float64(), waived_usd=pl.Float64(), adjusted_usd=pl.Float64(),
               pending_usd=pl.Float64())               # due + adjusted - collected - waived; null: not known
GROUP_HISTORY = derived("group_history", ("account", "time"),
                        "net asset value of each group (its name stands in account); null when a member's is",
                        account=pl.String(), time=TIME, grade=pl.String(), reason=pl.String(), members=pl.Int64(),
                        nav=pl.Float64(), benchmark_value=pl.Float64(), twr_index=pl.Float64(),
                        benchmark_index=pl.Float64())
RESTATEMENTS = derived("restatements", ("account", "benchmark", "month", "figure"),
                       "figures of closed months that are others now; now is null where there is none any more",
                       account=pl.String(), benchmark=pl.String(), month=pl.String(), figure=pl.String(),
                       closed=pl.Float64(), now=pl.Float64(), difference=pl.Float64())

TRADE = {"side": pl.String(), "entry_time": TIME, "entry_price": pl.Float64(),
         "quantity": pl.Float64(),             # base asset
         "take_profit": pl.Float64(), "stop_loss": pl.Float64(),
         "exit_time": TIME,                    # the open time of the candle of the exit
         "exit_price": pl.Float64(), "reason": pl.String(),    # TP | SL | LIQUIDATION | OPEN
         "fee": pl.Float64(),                  # USDT, both sides, positive
         "funding": pl.Float64(),              # USDT, positive when received
         "pnl": pl.Float64(),                  # USDT, after fee and funding
         "reopen": pl.Int64()}                 # 0 for the first trade of the position, then 1, 2 …
BACKTESTS = derived("backtests", ("name",),
                    "each backtest by its name, as it was run last: what came out, and how much of it is luck",
                    name=pl.String(), symbol=pl.String(), market=pl.String(), from_time=TIME, to_time=TIME,
                    candles=pl.Int64(), missing=pl.Int64(),    # minutes of the period that there is no candle of
                    rules=pl.String(), costs=pl.String(),      # JSON: BracketRules, Costs without the funding frame
                    intrabar=pl.String(), trades=pl.Int64(), wins=pl.Int64(), losses=pl.Int64(),
                    liquidations=pl.Int64(), ambiguous=pl.Int64(), pnl=pl.Float64(), fees=pl.Float64(),
                    funding=pl.Float64(), max_drawdown=pl.Float64(),    # USDT
                    pnl_pessimistic=pl.Float64(), pnl_optimistic=pl.Float64(), pnl_path=pl.Float64(),
                    gain=pl.Float64(),                 # pnl over amount_usdt
                    buy_and_hold=pl.Float64(),         # of the symbol
                    benchmark=pl.Float64(),            # half BTC, half ETH; null: their candles are not all known
                    filters_seen_at=TIME,              # of the exchange's step and tick; null: neither was used
                    settings=pl.Int64(),               # tried in the sweep
                    better=pl.Int64(),                 # of them
                    deflated_sharpe=pl.Float64(),      # that the best one has skill; null: too few periods
                    overfitting=pl.Float64(),          # that the best one is below the median out of sample
                    chance_of_loss=pl.Float64(),       # of the same trades drawn again
                    walk_forward_pnl=pl.Float64())     # chosen on the past alone, summed over the folds
BACKTEST_TRADES = derived("backtest_trades", ("name", "side", "entry_time"),
                          "trades of each backtest; the exit's columns are null while the reason is OPEN",
                          name=pl.String(), **TRADE)
BACKTEST_EQUITY = derived("backtest_equity", ("name", "time"),
                          "amount_usdt in the strategy, in its symbol and in half BTC, half ETH, hour by hour",
                          name=pl.String(), time=TIME, price=pl.Float64(), strategy=pl.Float64(),
                          pessimistic=pl.Float64(), optimistic=pl.Float64(),    # what one candle hides
                          buy_and_hold=pl.Float64(), benchmark=pl.Float64())
BACKTEST_SWEEPS = derived("backtest_sweeps", ("name", "setting"),
                          "every setting that a backtest tried",
                          name=pl.String(), setting=pl.String(),    # JSON: rule -> value
                          trades=pl.Int64(), wins=pl.Int64(), losses=pl.Int64(), pnl=pl.Float64(), fees=pl.Float64(),
                          funding=pl.Float64(), max_drawdown=pl.Float64(), liquidations=pl.Int64(),
                          ambiguous=pl.Int64(), excess=pl.Float64())
PARITY = derived("parity", ("name", "number"),
                 "each live trade beside the backtest's over the same minutes; the parts add up to the difference",
                 name=pl.String(), number=pl.Int64(),        # 1, 2 … in the order of the entries
                 side=pl.String(), found=pl.String(),        # both | live only | backtest only
                 live_entry_time=TIME, live_entry_price=pl.Float64(), live_exit_time=TIME,
                 live_exit_price=pl.Float64(), live_reason=pl.String(), live_pnl=pl.Float64(),
                 backtest_entry_time=TIME, backtest_entry_price=pl.Float64(), backtest_exit_time=TIME,
                 backtest_exit_price=pl.Float64(), backtest_reason=pl.String(), backtest_pnl=pl.Float64(),
                 difference=pl.Float64(),                    # USDT, live less backtest; what is open counts 0
                 delay=pl.Float64(), slippage=pl.Float64(), fee=pl.Float64(), funding=pl.Float64(),
                 manual=pl.Float64(), data=pl.Float64())     # compute.parity says what each is

FACTS = {schema.name: schema for schema in (
    STORE_META, ACCOUNTS, RESPONSES, SNAPSHOTS, BALANCES, WALLET_TOTALS, PRICES, CASH_FLOWS, TRANSFERS, REWARDS,
    CONVERTS, INCOME, FILLS, ORDERS, POSITIONS, HISTORY_MARKS, CANDLES, FUNDING_RATES, SYMBOL_FILTERS, MANUAL_ENTRIES,
    FEE_PAYMENTS, CLOSINGS, QUARANTINE, RUNS, SLOTS, CONFIG_HISTORY)}
DERIVED = {schema.name: schema for schema in (
    HOLDINGS, NAV_HISTORY, FLOW_VALUES, BENCHMARK_VALUES, BENCHMARK_JOURNAL, BENCHMARK_CONFIGS, PERFORMANCE,
    RECONCILIATION, BRIDGE, FEES, GROUP_HISTORY, RESTATEMENTS, BACKTESTS, BACKTEST_TRADES, BACKTEST_EQUITY,
    BACKTEST_SWEEPS, PARITY)}
TABLES = {**FACTS, **DERIVED}
