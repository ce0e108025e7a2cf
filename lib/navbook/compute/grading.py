"""Net asset value, the exchange's own totals beside it, and how far a snapshot can be trusted. Pure.

Grades: DESIGN "Snapshot grades". The exchange values wallets with its own index, at its own moment: a
residual within the tolerance is expected. BINANCE documentation, "Query user wallet balance".
"""

from __future__ import annotations

import numpy as np
import polars as pl

from navbook.compute.arrays import floats, microseconds
from navbook.frames import by_account
from navbook.schemas import RECONCILIATION, TIME
from navbook.types import COUNTED, Grade, Wallet

TOTAL = "total"    # the row of all wallets
EARN = "earn"      # the exchange reports flexible and locked together
TOGETHER = {Wallet.EARN_FLEXIBLE.value: EARN, Wallet.EARN_LOCKED.value: EARN}
NO_GAPS = pl.DataFrame(schema={"account": pl.String, "time": TIME, "assets": pl.String})
NOT_READ = "the exchange's own total could not be read"


def reconciliation(holdings: pl.DataFrame, wallet_totals: pl.DataFrame, snapshots: pl.DataFrame,
                   tolerance: float) -> pl.DataFrame:
    """RECONCILIATION: each wallet, and all of them, beside the exchange's own value.

    A withdrawal under way stands in a wallet's total still or not any more: the nearer reading counts.
    Snapshots of grade incomplete are left out: there is nothing to compare.
    """
    usable = snapshots.filter(pl.col("grade") != Grade.INCOMPLETE.value)
    rows = pl.concat([_wallets(usable, holdings, wallet_totals), _totals(usable, holdings)])
    allowed = tolerance * pl.max_horizontal(pl.col("exchange_usd").abs(), pl.col("value_usd").abs())
    return RECONCILIATION.shaped(rows.select(
        *KEY, "value_usd", "exchange_usd", residual_usd=pl.col("apart"), within=pl.col("apart").abs() <= allowed,
        note=pl.when(pl.col("exchange_usd").is_null()).then(pl.lit(NOT_READ))).sort(KEY))


KEY = ("account", "time", "wallet")


def _apart() -> pl.Expr:
    return pl.col("value_usd") - pl.col("exchange_usd")


def _wallets(snapshots: pl.DataFrame, holdings: pl.DataFrame, wallet_totals: pl.DataFrame) -> pl.DataFrame:
    """[account, time, wallet, value_usd, exchange_usd, apart]: a row for each wallet that the exchange told."""
    if wallet_totals.is_empty():
        holdings = holdings.clear()    # there is nothing to sum them up for
    ours, theirs = (rows.with_columns(pl.col("wallet").replace(TOGETHER)).group_by(KEY, maintain_order=True).agg(
        pl.col("value_usd").cast(pl.Float64).sum().alias(name))
        for rows, name in ((holdings, "value_usd"), (wallet_totals, "exchange_usd")))
    both = (theirs.join(snapshots.select("account", "time"), on=["account", "time"], how="semi")
            .join(ours, on=KEY, how="left").with_columns(pl.col("value_usd").fill_null(0.0)))
    return both.select(*KEY, "value_usd", "exchange_usd", apart=_apart())


def _totals(snapshots: pl.DataFrame, holdings: pl.DataFrame) -> pl.DataFrame:
    """[account, time, wallet, value_usd, exchange_usd, apart]: all wallets together, a row a snapshot."""
    held = by_account(holdings)
    both = [_sums(mine, held.get(account, holdings.clear()))
            for account, mine in by_account(snapshots.sort("account", "time")).items()]
    empty = pl.DataFrame(schema={"account": pl.String, "time": TIME, "exchange_usd": pl.Float64,
                                 "value_usd": pl.Float64, "moving": pl.Float64})
    known = pl.concat([empty, *both])
    without = _apart() - pl.col("moving")
    nearer = pl.when(without.abs() < _apart().abs()).then(without).otherwise(_apart())
    return known.select("account", "time", pl.lit(TOTAL).alias("wallet"), "value_usd", "exchange_usd", apart=nearer)


def _sums(snapshots: pl.DataFrame, holdings: pl.DataFrame) -> pl.DataFrame:
    """The value of all holdings of one account, and of those under way, at each of its snapshots, sorted by time."""
    times, held = microseconds(snapshots["time"]), microseconds(holdings["time"])
    row = times.searchsorted(held)
    here = times[np.minimum(row, len(times) - 1)] == held
    worth = np.where(here, np.nan_to_num(floats(holdings["value_usd"])), 0.0)
    moving = worth * (holdings["wallet"] == Wallet.IN_TRANSIT).to_numpy()
    every, under_way = (np.bincount(row, weights=amounts, minlength=len(times) + 1)[:len(times)].astype(float)
                        for amounts in (worth, moving))
    return snapshots.select("account", "time", exchange_usd=pl.col("exchange_total_usd").cast(pl.Float64)).with_columns(
        value_usd=every, moving=under_way)


def net_asset_value(snapshots: pl.DataFrame, reconciled: pl.DataFrame,
                    gaps: pl.DataFrame = NO_GAPS) -> pl.DataFrame:
    """[account, time, grade, reason, nav], sorted: the sum of what has a price, and how far it can be trusted.

    snapshots   SNAPSHOTS; an incomplete one stays so and has no nav, a backfilled one stays backfilled
    reconciled  of `reconciliation`: its totals; one further off than the tolerance makes a snapshot provisional
    gaps        of `valuation.price_gaps`: they make a snapshot incomplete, since a smaller sum would look like a loss

    An asset that nothing prices is listed in `holdings` and left out of the sum.
    """
    off = pl.format("{} USD from the exchange's own total", pl.col("residual_usd").round(2))
    totals = reconciled.filter(pl.col("wallet") == TOTAL)
    apart = totals.filter(pl.col("within").not_()).select("account", "time", why=off)    # few: texts are slow
    known = (snapshots.select("account", "time", "grade", "reason")
             .join(totals.select("account", "time", nav="value_usd"), on=["account", "time"], how="left",
                   maintain_order="left")
             .join(apart, on=["account", "time"], how="left", maintain_order="left")
             .join(gaps, on=["account", "time"], how="left", maintain_order="left")
             .with_columns(
                 grade=pl.when(pl.col("assets").is_null()).then("grade").otherwise(pl.lit(Grade.INCOMPLETE.value)),
                 reason=pl.coalesce("reason", pl.format("no price of {}", "assets"))))
    final = pl.col("grade").is_in([Grade.INCOMPLETE.value, Grade.BACKFILLED.value])
    return known.select(
        "account", "time",
        grade=pl.when(final).then("grade").when(pl.col("why").is_not_null()).then(pl.lit(Grade.PROVISIONAL.value))
                .otherwise(pl.lit(Grade.COMPLETE.value)),
        reason=pl.when(final).then("reason").otherwise("why"),
        nav=pl.when(pl.col("grade") != Grade.INCOMPLETE.value).then("nav"),
    ).sort("account", "time")


def graded(navs: pl.DataFrame, unpriced: pl.DataFrame, flows_until: pl.DataFrame) -> pl.DataFrame:
    """`navs` with the grade that the flows allow: an unpriced one, or unknown ones, make it provisional.

    navs         of `net_asset_value`
    unpriced     [account, time, asset]  flows without a value although their asset has a market
    flows_until  [account, flows_until]  up to when all cash flows of an account are known, null: never read
    """
    counted = navs.filter(pl.col("grade").is_in([grade.value for grade in COUNTED]))
    ends = counted.select("account", "time", snapshot="time")
    first = ends.group_by("account").agg(first=pl.col("time").min())
    inside = unpriced.join(first, on="account").filter(pl.col("time") > pl.col("first")).sort("time")
    hit = (inside.join_asof(ends.sort("time"), on="time", by="account", strategy="forward", check_sortedness=False)
           .group_by("account", time="snapshot").agg(assets=pl.col("asset").unique().sort().str.join(", ")))
    late = pl.col("flows_until").is_null() | (pl.col("flows_until") < pl.col("time"))
    why = (pl.when(pl.col("assets").is_not_null()).then(pl.format("no price for a flow of {}", "assets"))
             .when(late).then(pl.lit("cash flows not read yet")))
    judged = (navs.join(hit, on=["account", "time"], how="left").join(flows_until, on="account", how="left")
              .with_columns(why=pl.when(pl.col("grade") == Grade.COMPLETE).then(why)))
    return judged.select(
        "account", "time", "nav",
        grade=pl.when(pl.col("why").is_not_null()).then(pl.lit(Grade.PROVISIONAL.value)).otherwise("grade"),
        reason=pl.coalesce("reason", "why")).sort("account", "time")
