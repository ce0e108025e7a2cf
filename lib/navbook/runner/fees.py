"""Performance fees as people ask for them: what fell due, what is pending, what became of it.

The fee periods come from `navbook benchmark`; payments are facts, counted the moment they are recorded.
"""

from __future__ import annotations

import shlex
from decimal import Decimal
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import fees
from navbook.runner import flows
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import FlowKind

CENT = Decimal("0.01")
PENDING = pl.col("pending_usd").is_null() | (pl.col("pending_usd").abs() >= float(CENT) / 2)
NAMES = ("tx_id", "id", "flow")    # what a payment may name a withdrawal by
NONE_YET = "No fee periods are worked out yet; run navbook benchmark."


def schedule(config: Settings) -> fees.Schedule:
    """When fees fall due, as `config` says."""
    return fees.Schedule(every=config.fees.every, day=config.fees.day, hour=config.fees.hour)


def rates(config: Settings) -> dict[str, float]:
    """The fee rate of each account, a fraction of the gain."""
    return {name: account.fee_rate for name, account in config.accounts.items()}


def table(config: Settings, account: str = "all") -> pl.DataFrame:
    """FEES of `account` with every payment up to now. Raises `SettingsInvalid` for an unknown account."""
    flows.known_account(config, account)
    periods, payments = (tables.read(config.location, schema, account=account)
                         for schema in (schemas.FEES, schemas.FEE_PAYMENTS))
    return fees.settled(periods, payments, rates(config))


def listed(config: Settings, account: str = "all", month: str | None = None, last: int | None = None) -> pl.DataFrame:
    """FEES of `account`, of the periods that begin in `month` (2026-06), the `last` so many of each account."""
    rows = table(config, account)
    if month:
        rows = rows.filter(pl.col("period").str.starts_with(month))
    return rows.group_by("account", maintain_order=True).tail(last) if last else rows


def due(config: Settings, account: str = "all") -> pl.DataFrame:
    """FEES with something pending, whether owed or collected too much, or with a fee that is not known."""
    return table(config, account).filter(PENDING)


def shown(rows: pl.DataFrame) -> pl.DataFrame:
    """FEES as it is listed, in whole cents."""
    return in_cents(rows.select(
        "account", "period", pl.col("to_time").alias("due"), "nav", pl.col("mark_before").alias("mark"), "alpha",
        "rate", "fee_usd", *fees.SUMS, "pending_usd", "reason"))


def in_cents(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with dollars as exact amounts of whole cents."""
    dollars = [name for name in rows.columns if name.endswith("_usd") or name in ("nav", "mark")]
    return rows.with_columns(pl.col(dollars).round(2).cast(pl.Decimal(38, 2)))


def summary(config: Settings, account: str = "all") -> pl.DataFrame:
    """One row an account: what all its periods came to, and how far it is from its mark (a fraction of it)."""
    final = pl.col("final")
    money = [pl.col(name).sum() for name in (*fees.SUMS, "pending_usd")]
    sums = (table(config, account).sort("account", "from_time", nulls_last=False)
            .group_by("account", maintain_order=True).agg(
                pl.col("fee_usd").filter(final).sum(), *money, running_usd=pl.col("fee_usd").filter(~final).sum(),
                not_known=(final & pl.col("fee_usd").is_null()).sum(), nav=pl.col("nav").drop_nulls().last(),
                mark=pl.col("mark_after").last()))
    return in_cents(sums.with_columns(above_mark=pl.col("nav") / pl.col("mark") - 1))


def configuration(config: Settings) -> pl.DataFrame:
    """One row an account: its rate, the schedule, and when the next fee falls due (UTC)."""
    stored = tables.read(config.location, schemas.ACCOUNTS)["account"]
    running = table(config).filter(~pl.col("final")).select("account", next_due="to_time")
    plan, rate = config.fees, rates(config)
    every = {"month": f"month, day {plan.day}, {plan.hour:02}:00 UTC", "day": f"day, {plan.hour:02}:00 UTC",
             "hour": "hour"}[plan.every]
    rows = [(name, rate.get(name, 0.0), every) for name in sorted({*stored, *rate})]
    columns = {"account": pl.String(), "rate": pl.Float64(), "every": pl.String()}
    return (pl.DataFrame(rows, schema=columns, orient="row")
            .join(running, on="account", how="left", maintain_order="left"))


def entries(config: Settings, account: str = "all") -> pl.DataFrame:
    """Everything that was recorded of fees, revoked or not, oldest first."""
    flows.known_account(config, account)
    known = tables.read(config.location, schemas.FEE_PAYMENTS, account=account)
    return (known.with_columns(number=pl.col("id").str.slice(1).cast(pl.Int64)).sort("number")
            .select(pl.col("id").alias("entry"), "account", "period", "action", "amount_usd", "rate", "tx_id", "time",
                    "note", "revoked"))


def hints(config: Settings, account: str = "all") -> list[str]:
    """The fee withdrawals that no payment names, a sentence each, with the command that records them."""
    withdrawals = transactions(config, account).filter(pl.col("kind") == FlowKind.FEE_WITHDRAWAL)
    payments = tables.read(config.location, schemas.FEE_PAYMENTS, account=account).filter(~pl.col("revoked"))
    named = pl.any_horizontal(pl.col(NAMES).is_in(payments["tx_id"].drop_nulls().unique().implode()))
    owed = due(config, account).filter(pl.col("pending_usd") > 0)
    return [_hint(flow, owed.filter(pl.col("account") == flow["account"]))
            for flow in withdrawals.filter(~named).sort("time", "flow").iter_rows(named=True)]


def transactions(config: Settings, account: str) -> pl.DataFrame:
    """FLOW_VALUES with NAMES: `tx_id` (else the flow), `id`, and `flow`, which is source:id."""
    values = tables.read(config.location, schemas.FLOW_VALUES, account=account)
    told = tables.read(config.location, schemas.CASH_FLOWS, account=account).select("account", "source", "id", "tx_id")
    return (values.join(told, on=["account", "source", "id"], how="left")
            .with_columns(flow=pl.format("{}:{}", "source", "id"))
            .with_columns(tx_id=pl.coalesce("tx_id", "flow")))


def _hint(withdrawal: dict[str, Any], owed: pl.DataFrame) -> str:
    value = cents(-withdrawal["value_usd"]) if withdrawal["value_usd"] is not None else None
    said = (f"{withdrawal['account']}: {withdrawal['flow']} of {withdrawal['time']:%Y-%m-%d} "
            f"({'of unknown value' if value is None else f'{value:,} USD'}) is a fee withdrawal that no payment names")
    if owed.is_empty() or value is None:
        return f"{said}."
    amount = min(value, cents(owed["pending_usd"][0]))
    return (f"{said}: navbook fees collect {withdrawal['account']} {owed['period'][0]} "
            f"--tx {shlex.quote(withdrawal['tx_id'])} --amount {amount}")


def cents(usd: float) -> Decimal:
    """A figure as it is paid."""
    return Decimal(repr(usd)).quantize(CENT) + 0    # never -0.00
