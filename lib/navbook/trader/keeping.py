"""From the journal into the store, in batches: orders, fills, positions. And the trades as a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute.brackets import MINUTE
from navbook.compute.decisions import TradeState
from navbook.errors import NavbookError
from navbook.exchange import values
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.trader.desk import Desk, at
from navbook.trader.journal import Journal
from navbook.trader.rows import CLOSE, ENTRY, PROFIT, STOP, Trade

PARTS = {ENTRY: "entry", STOP: "stop", PROFIT: "take profit", CLOSE: "close"}


def store(config: Settings, account: str, journal: Journal) -> None:
    """Append what the store does not have yet; what is interrupted is done again, which changes nothing."""
    names = {trade.id: trade.name for trade in journal.trades()}
    batches: tuple[tuple[str, FrameSchema, Callable[[dict[str, Any]], dict[str, Any]]], ...] = (
        ("orders", schemas.ORDERS, lambda row: _order(row, account, journal.instance, names)),
        ("trades", schemas.POSITIONS, lambda row: _position(row, account, journal)),
        ("fills", schemas.FILLS, lambda row: _fill(row, account)))
    for table, schema, made in batches:
        rows = journal.unstored(table)
        if rows:
            _append(config, schema, [made(row) for row in rows])
            journal.mark_stored(table, rows)


def try_to_store(config: Settings, desk: Desk) -> None:
    """`store`, or say why not: the journal has it all, and a position must not lose its trader to the store."""
    try:
        store(config, desk.account, desk.journal)
    except NavbookError as problem:
        desk.say("", "not stored", f"The journal could not be copied into the store, which is tried again: {problem}",
                 "warning")


def _append(config: Settings, schema: FrameSchema, rows: list[dict[str, Any]]) -> None:
    from navbook.store import tables  # deltalake takes its time, and most checks store nothing
    tables.append(config.location, schema, schema.rows(rows))


def _order(row: dict[str, Any], account: str, instance: str, names: dict[int, str]) -> dict[str, Any]:
    return {"account": account, "client_id": row["client_id"], "instance": instance, "name": names[row["trade"]],
            "number": row["trade"], "part": PARTS[row["part"]], "symbol": row["symbol"], "side": row["side"],
            "quantity": _amount(row["quantity"]), "trigger_price": _amount(row["trigger"]), "status": row["status"],
            "order_id": row["order_id"], "algo_id": row["algo_id"], "time": at(row["created"]), "note": row["note"],
            "seen_at": at(row["changed"])}


def _position(row: dict[str, Any], account: str, journal: Journal) -> dict[str, Any]:
    newest = {order.part: order.client_id for order in journal.orders(row["id"])}
    amounts = ("amount_usdt", "leverage", "tp_usdt", "sl_usdt", "quantity", "entry_price", "take_profit", "stop_loss",
               "exit_price", "fee", "funding", "pnl")
    return {"account": account, "instance": journal.instance, "number": row["id"], "time": at(row["due"]),
            **{key: row[key] for key in ("name", "symbol", "side", "parent", "reopen", "margin_type", "state", "reason",
                                         "note")},
            **{key: _amount(row[key]) for key in amounts},
            "entry_order": newest.get(ENTRY), "stop_order": newest.get(STOP), "profit_order": newest.get(PROFIT),
            "opened_at": _moment(row["entry_time"]), "closed_at": _moment(row["exit_time"]),
            "seen_at": at(row["changed"])}


def _fill(row: dict[str, Any], account: str) -> dict[str, Any]:
    told = json.loads(row["row"])
    return {**told, "account": account, "time": datetime.fromisoformat(told["time"]),
            "seen_at": datetime.fromisoformat(told["seen_at"]),
            **{key: Decimal(told[key]) for key in ("price", "quantity", "fee", "realized_pnl")}}


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else values.amount(text)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else at(ms)


# -- as a table --------------------------------------------------------------------------------------------------
def history(journal: Journal) -> pl.DataFrame:
    """[name, …]: the closed trades in the columns of `Backtest.trades`, by their entries.

    Times are the candles' that entry and exit fell into, as in a backtest; `positions` has them to the millisecond.
    """
    closed = [trade for trade in journal.trades() if trade.state is TradeState.CLOSED]
    frame = pl.DataFrame([_closed(trade) for trade in closed], schema={"name": pl.String(), **schemas.TRADE},
                         orient="row")
    return frame.sort("entry_time", "name", maintain_order=True)


def _closed(trade: Trade) -> dict[str, Any]:
    numbers = ("entry_price", "quantity", "take_profit", "stop_loss", "exit_price", "fee", "funding", "pnl")
    return {"name": trade.name, "side": trade.side.value, "entry_time": _candle(trade.entry_time),
            "exit_time": _candle(trade.exit_time), "reason": trade.reason and trade.reason.value,
            "reopen": trade.reopen,
            **{key: None if getattr(trade, key) is None else float(getattr(trade, key)) for key in numbers}}


def _candle(ms: int | None) -> datetime | None:
    return None if ms is None else at(ms // MINUTE * MINUTE)
