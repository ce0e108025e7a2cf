"""From one net asset value to a later one: what each kind of event brought, to the cent. Pure.

    start + flows + realised + funding + commission + rewards + price effect + residual = end

Between two counted snapshots (without the first one's instant, with the last one's):

- *flows*: deposits and withdrawals at p(t) of their own time.
- *realised*, *funding*, *commission*, *rewards*: rows of INCOME by `KINDS`, and REWARDS, each at the quote of the
  next snapshot: with it the quantities there are valued.
- *price effect*: what was held at the first snapshot times the change of its price, in every wallet but futures;
  what came or went by flow times the change since its own time; and in the futures wallets, whose balance holds
  the unrealised profit, all that changed beyond what INCOME lists. Worked out the other way round: the change of
  value without changes of quantity at the new price. A price that appears or goes is a change of price.
- *residual*: the rest. Spot trades against the next snapshot's price (their fee, spread and timing), interest of
  margin loans, the inside of wallets known by value only (options, bots), kinds of income that `KINDS` does not
  name, and up to four cents of rounding. A transfer between wallets leaves nothing, provided that INCOME lists its
  futures side (TRANSFER); if not, price effect and residual are off by it, in opposite directions.

Balances are read seconds after the snapshot's time: funding of that very minute may count in one interval as
price effect, and in the next the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from navbook.compute import valuation
from navbook.compute.arrays import FloatArray, IntArray, codes, floats, microseconds, series
from navbook.schemas import BRIDGE, TIME
from navbook.types import Wallet

KINDS = {    # incomeType of GET /fapi/v1/income -> part
    "REALIZED_PNL": "realised_usd", "INSURANCE_CLEAR": "realised_usd", "DELIVERED_SETTELMENT": "realised_usd",
    "FUNDING_FEE": "funding_usd", "SPECIAL_FUNDING_FEE": "funding_usd",
    "COMMISSION": "commission_usd", "COMMISSION_REBATE": "commission_usd", "API_REBATE": "commission_usd",
    "REFERRAL_KICKBACK": "commission_usd", "FEE_RETURN": "commission_usd",
    "WELCOME_BONUS": "rewards_usd", "CONTEST_REWARD": "rewards_usd", "BFUSD_REWARD": "rewards_usd"}
PARTS = ("flows_usd", "realised_usd", "funding_usd", "commission_usd", "rewards_usd", "price_effect_usd")
BY_MARGIN = (Wallet.FUTURES.value, Wallet.COIN_FUTURES.value)    # their quantities hold unrealised profit


def bridge(account: str, periods: Iterable[tuple[str, datetime, datetime]], *, navs: pl.DataFrame,
           holdings: pl.DataFrame, flows: pl.DataFrame, income: pl.DataFrame, rewards: pl.DataFrame,
           quotes: pl.DataFrame) -> pl.DataFrame:
    """BRIDGE: one row of `account` for each of `periods` (name, from, to).

    A period starts at the last counted snapshot at or before its start, else at the first, and ends at the last
    counted one at or before its end. Rows are in whole cents, so that what is printed adds up.

    navs      [time, nav]  the account's counted snapshots, sorted by time
    holdings  HOLDINGS of the account; those of other snapshots are left out
    flows     [time, asset, quantity, value_usd]  counted flows, signed; those without a value are left out
    income    [time, kind, asset, amount]  INCOME of the account
    rewards   [time, asset, amount]  REWARDS of the account
    quotes    [time, asset, price], by asset, then time: USD at the counted snapshots, once each, of all assets of
              flows, income and rewards, and of those sold out since the snapshot before; without one a flow keeps
              its own value, income and rewards count nowhere, and what was sold out its last price
    """
    if navs.is_empty():
        return BRIDGE.empty()
    times = navs.select("time").with_row_index("at")
    held = _at(holdings.select("time", "wallet", "asset", "quantity", "price", "value_usd"), navs["time"])
    grown, gone = _moved(held, times)
    flowed, earned, rewarded, gone = _quoted([*(_seen(rows, times) for rows in (flows, income, rewards)), gone], quotes)
    changes = [_flowed(flowed), _earned(earned), _rewarded(rewarded), _worth(held, navs.height), grown, _sold_out(gone)]
    running = np.column_stack([_at_snapshots(part, changes, navs.height) for part in PARTS]).cumsum(axis=0)
    wanted = pl.DataFrame(list(periods), schema={"period": pl.String(), "start": TIME, "end": TIME}, orient="row")
    first = _last_at(navs["time"], wanted["start"])
    last = np.maximum(_last_at(navs["time"], wanted["end"]), first)
    nav = navs["nav"].to_numpy()
    usd = np.column_stack([nav[first], running[last] - running[first], nav[last]]).tolist()
    rows = [(account, name, start, end, *_adding_up(*parts)) for name, start, end, parts in zip(
        wanted["period"], navs["time"][first], navs["time"][last], usd, strict=True)]
    return BRIDGE.check(pl.DataFrame(rows, schema=BRIDGE.columns, orient="row"))


def _at(rows: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
    """`rows` [time, …] by time, with the position of their time `at` in sorted `times`; without other times' rows."""
    rows = rows if rows["time"].is_sorted() else rows.sort("time", maintain_order=True)
    grid, wanted = microseconds(times), microseconds(rows["time"])
    at = grid.searchsorted(wanted)
    known = grid[np.minimum(at, len(grid) - 1)] == wanted
    placed = rows.with_columns(at=pl.Series(at, dtype=pl.UInt32))
    return placed if known.all() else placed.filter(pl.Series(known))


def _last_at(times: pl.Series, moments: pl.Series) -> IntArray:
    """The position of the last of `times` at or before each of `moments`, else of the first."""
    following = microseconds(times).searchsorted(microseconds(moments), side="right")
    return np.maximum(following - 1, 0)


def _adding_up(*start_parts_end: float) -> tuple[float, ...]:
    """All in whole cents, with the residual before the last."""
    start, *parts, end = (round(usd, 2) + 0.0 for usd in start_parts_end)    # + 0.0: no minus zero
    return (start, *parts, round(end - start - sum(parts), 2) + 0.0, end)


def _at_snapshots(part: str, changes: Iterable[pl.DataFrame], snapshots: int) -> FloatArray:
    """What came to `part` at each snapshot, of frames [at, parts …]; `at` is the snapshot's position."""
    sums = np.zeros(snapshots)
    for change in changes:
        if part in change.columns:
            sums += np.bincount(change["at"].to_numpy(), change[part].fill_null(0.0).to_numpy(), minlength=snapshots)
    return sums


def _seen(rows: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """`rows` [time, asset, …] `at` the snapshot that sees them first, and at its time; later ones are left out."""
    seen = rows.sort("time").join_asof(times.with_columns(snapshot="time"), on="time", strategy="forward")
    return seen.drop_nulls("at").with_columns(time="snapshot")


def _quoted(frames: Sequence[pl.DataFrame], quotes: pl.DataFrame) -> list[pl.DataFrame]:
    """`frames` [time, asset, …], each with the `quote` of that time, or null."""
    rows = valuation.quote_rows(pl.concat([frame.select("time", "asset") for frame in frames]), quotes)
    found = quotes["price"].gather(rows)
    ends = np.cumsum([frame.height for frame in frames]).tolist()
    return [frame.with_columns(quote=found[end - frame.height:end]) for frame, end in zip(frames, ends, strict=True)]


def _flowed(flows: pl.DataFrame) -> pl.DataFrame:
    since = pl.col("quantity") * pl.col("quote") - pl.col("value_usd")
    return flows.select("at", flows_usd="value_usd", price_effect_usd=since)


def _earned(income: pl.DataFrame) -> pl.DataFrame:
    """Each kind in its part; all of them are what changed the futures wallets without any position."""
    usd = pl.col("amount").cast(pl.Float64) * pl.col("quote")
    part = pl.col("kind").replace_strict(KINDS, default=None, return_dtype=pl.String)
    named = {name: pl.when(part == name).then(usd) for name in dict.fromkeys(KINDS.values())}
    return income.select("at", **named, price_effect_usd=-usd)


def _rewarded(rewards: pl.DataFrame) -> pl.DataFrame:
    return rewards.select("at", rewards_usd=pl.col("amount").cast(pl.Float64) * pl.col("quote"))


def _worth(held: pl.DataFrame, snapshots: int) -> pl.DataFrame:
    """What the value of all holdings changed by since the snapshot before."""
    priced = held.drop_nulls("value_usd")
    worth = np.bincount(priced["at"].to_numpy(), priced["value_usd"].to_numpy(), minlength=snapshots)
    return pl.DataFrame({"at": np.arange(snapshots), "price_effect_usd": np.diff(worth, prepend=0.0)})


def _moved(held: pl.DataFrame, times: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Minus the changes of quantity since the snapshot before, at the new price; and what is there no longer.

    The latter: [at, time, asset, quantity, price], `at` the first snapshot without it, price the last it had.
    """
    line = held.filter(pl.col("wallet").is_in(BY_MARGIN).not_())
    assets = codes(line["asset"])
    lots = codes(line["wallet"]) * (assets.max(initial=0) + 1) + assets
    lots = lots.astype(np.min_scalar_type(lots.max(initial=0)))    # numpy sorts short numbers in no time
    order = np.argsort(lots, kind="stable")    # each lot's rows together, by time
    lots, at, quantity = lots[order], line["at"].to_numpy()[order].astype(np.int64), floats(line["quantity"])[order]
    follows = (lots[1:] == lots[:-1]) & (at[1:] == at[:-1] + 1)
    grown = quantity.copy()
    grown[1:] -= np.where(follows, quantity[:-1], 0.0)
    came = np.flatnonzero(grown)
    left = np.flatnonzero(np.append(~follows, True)) if len(at) else came
    gone = line[order[left]].select("asset", "quantity", "price", at=pl.Series(at[left] + 1, dtype=pl.UInt32))
    effect = series(-grown[came] * floats(line["price"])[order[came]])
    return pl.DataFrame({"at": at[came], "price_effect_usd": effect}), gone.join(times, on="at")


def _sold_out(gone: pl.DataFrame) -> pl.DataFrame:
    return gone.select("at", price_effect_usd=pl.col("quantity") * pl.coalesce("quote", "price"))
