"""A year as CSV: what an accountant asks for, one sheet a subject.

Times are UTC. Amounts of facts are exact, figures that were worked out have eight places. Texts that a
spreadsheet would take for a formula have a ' before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl
from polars import selectors

from navbook import schemas
from navbook.runner import printing
from navbook.schemas import FrameSchema

FLOW = ("account", "source", "id")
DERIVED_PLACES = pl.Decimal(38, 8)

# Sheets of one table: its columns in order, under names that say the unit.
PLAIN: dict[str, tuple[FrameSchema, dict[str, str]]] = {
    "income": (schemas.INCOME, {
        "account": "account", "time": "time_utc", "market": "market", "kind": "kind", "symbol": "symbol",
        "asset": "asset", "amount": "amount_in_asset", "note": "note", "id": "id"}),
    "trades": (schemas.FILLS, {
        "account": "account", "time": "time_utc", "market": "market", "symbol": "symbol", "side": "side",
        "position_side": "position_side", "price": "price_in_quote", "quantity": "quantity", "fee": "fee_in_fee_asset",
        "fee_asset": "fee_asset", "realized_pnl": "realized_pnl_in_margin_asset", "maker": "maker",
        "order_id": "order_id", "id": "id"}),
    "rewards": (schemas.REWARDS, {
        "account": "account", "time": "time_utc", "source": "source", "asset": "asset", "amount": "amount_in_asset",
        "note": "note", "id": "id"}),
    "converts": (schemas.CONVERTS, {
        "account": "account", "time": "time_utc", "source": "source", "from_asset": "from_asset",
        "from_amount": "from_amount_in_from_asset", "to_asset": "to_asset", "to_amount": "to_amount_in_to_asset",
        "status": "status", "id": "id"}),
    "fees": (schemas.FEES, {
        "account": "account", "period": "period", "from_time": "from_utc", "to_time": "due_utc", "final": "final",
        "settled_at": "settled_utc", "nav": "nav_usd",
        "mark_before": "mark_before_usd", "mark_after": "mark_after_usd", "alpha": "alpha_fraction",
        "rate": "rate_fraction", "fee_usd": "fee_usd", "reason": "reason", "collected_usd": "collected_usd",
        "waived_usd": "waived_usd", "adjusted_usd": "adjusted_usd", "pending_usd": "pending_usd"}),
    "fee_payments": (schemas.FEE_PAYMENTS, {
        "account": "account", "time": "time_utc", "period": "period", "action": "action", "amount_usd": "amount_usd",
        "tx_id": "tx_id", "note": "note", "revoked": "revoked", "id": "id"}),
}
TABLES = (*(schema for schema, _ in PLAIN.values()), schemas.CASH_FLOWS, schemas.FLOW_VALUES, schemas.SNAPSHOTS,
          schemas.NAV_HISTORY)    # what `year` reads


def year(frames: Mapping[str, pl.DataFrame], start: datetime, end: datetime) -> dict[str, str]:
    """CSV text of each sheet by its name: the rows of `frames` (by table) from `start` up to before `end`.

    Fees belong where they fall due, at the last instant too: at midnight they are the old year's.
    """
    sheets = {name: frames[schema.name].rename(names).select(names.values()) for name, (schema, names) in PLAIN.items()}
    sheets |= {"flows": _flows(frames["cash_flows"], frames["flow_values"]),
               "snapshots": _snapshots(frames["snapshots"], frames["nav_history"])}
    return {name: _text(sheet, start, end) for name, sheet in sheets.items()}


def _flows(cash_flows: pl.DataFrame, flow_values: pl.DataFrame) -> pl.DataFrame:
    """Every movement, those that people added too; what counts has a value, or none where nothing prices it."""
    valued = flow_values.select(*FLOW, "time", "kind", "asset", "quantity", "price", "price_route", "value_usd",
                                counts=pl.lit(value=True))
    both = cash_flows.join(valued, on=FLOW, how="full", coalesce=True, suffix="_valued")
    return both.select(
        "account", pl.coalesce("time_valued", "time").alias("time_utc"),
        pl.coalesce("kind_valued", "kind").alias("kind"),
        pl.coalesce("asset", "asset_valued").alias("asset"), amount_in_asset="amount", fee_in_asset="fee",
        counted_in_asset="quantity", price_usd="price", price_route="price_route", value_usd="value_usd",
        counts=pl.col("counts").fill_null(value=False), status="status", internal="internal",
        started_utc="started_at", tx_id="tx_id", counterparty="counterparty", note="note", source="source", id="id")


def _snapshots(snapshots: pl.DataFrame, nav_history: pl.DataFrame) -> pl.DataFrame:
    worked_out = nav_history.select("account", "time", "grade", "reason", "nav", "benchmark_value", "btc_price",
                                    "eth_price", "twr_index", "benchmark_index")
    both = snapshots.join(worked_out, on=("account", "time"), how="left", suffix="_worked_out")
    return both.select(
        "account", pl.col("time").alias("time_utc"), pl.coalesce("grade_worked_out", "grade").alias("grade"),
        pl.coalesce("reason_worked_out", "reason").alias("reason"), nav_usd="nav", benchmark_usd="benchmark_value",
        btc_price_usd="btc_price", eth_price_usd="eth_price", exchange_total_usd="exchange_total_usd",
        twr_index="twr_index", benchmark_index="benchmark_index", wallets="wallets")


def _text(sheet: pl.DataFrame, start: datetime, end: datetime) -> str:
    if "time_utc" in sheet.columns:
        inside = sheet.filter(pl.col("time_utc").is_between(start, end, "left"))
    else:
        inside = sheet.filter(pl.col("due_utc").is_between(start, end, "right"))
    ordered = inside.sort(*inside.columns[:2], *inside.columns[::-1])
    finite = selectors.float().is_finite()
    return printing.text(ordered.with_columns(
        pl.when(finite).then(selectors.float()).round(8).cast(DERIVED_PLACES),
        selectors.datetime().dt.strftime("%FT%T%.fZ")), "csv")
