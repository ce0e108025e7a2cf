"""Rows as Binance documents them, and what was recorded of it, for the tests of navbook.exchange.parse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from commands import SHARED
from navbook.exchange.rows import Parsed

NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)
COINS = ("BTC", "ETH", "LDO", "LDY")


def good(parsed: Parsed) -> pl.DataFrame:
    """The rows, all of which could be read."""
    assert parsed.unread == ()
    return parsed.frame


def answer(*rows: dict[str, object]) -> dict[str, object]:
    """What fiat, C2C and Pay say around their rows."""
    return {"code": "000000", "message": "success", "data": list(rows), "total": len(rows), "success": True}


def deposit(**fields: object) -> dict[str, object]:
    """The documented row; without a field where it is None."""
    row = {"id": "769800519366885376", "amount": "0.001", "coin": "BNB", "network": "BNB", "status": 1, "txId": "98A3",
           "insertTime": 1_661_493_146_000, "completeTime": 1_661_493_206_000, "transferType": 0} | fields
    return {name: value for name, value in row.items() if value is not None}


def withdrawal(**fields: object) -> dict[str, object]:
    row = {"id": "b6ae22b3aa844210a7041aee7589627c", "amount": "8.91000000", "transactionFee": "0.004", "coin": "USDT",
           "status": 6, "txId": "0xb5ef", "applyTime": "2019-10-12 11:12:02", "network": "ETH", "transferType": 0,
           "completeTime": "2019-10-12 11:16:41"} | fields
    return {name: value for name, value in row.items() if value is not None}


def transfer(**fields: object) -> dict[str, object]:
    return {"tranId": 92275823339, "fromEmail": "sub@x.com", "toEmail": "main@x.com", "asset": "BNB", "amount": "0.01",
            "createTimeStamp": 1_640_317_374_000, "status": "SUCCESS", "clientTranId": "test"} | fields


def sub_transfer(**fields: object) -> dict[str, object]:
    return {"counterParty": "master", "email": "main@x.com", "type": 1, "asset": "BTC", "qty": "1", "status": "SUCCESS",
            "tranId": 11798835829, "time": 1_544_433_325_000} | fields


def payment(**fields: object) -> dict[str, object]:
    return {"orderType": "C2C", "transactionId": "M_P_7150", "transactionTime": 1_610_090_460_133, "amount": "5",
            "currency": "USDT", "walletType": 1, "fundsDetail": [],
            "payerInfo": {"name": "Jack", "type": "USER", "binanceId": "12345678"},
            "receiverInfo": {"name": "Alan", "type": "MERCHANT", "email": "alan@binance.com", "binanceId": "34355667"}} | fields


def recording(name: str) -> object:
    file = SHARED / "api" / name
    if not file.exists():
        pytest.skip(f"needs ../shared/data/api/{name}, which is not in this repository")
    return json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)


def example(file: str, name: str) -> object:
    """The example of a documented endpoint."""
    return recording(f"documented/{file}.json")[name]["example"]
