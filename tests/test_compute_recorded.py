"""NAV of account payloads that were recorded, through the parsers that a collection uses, beside a sum worked out by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from commands import SHARED
from navbook import schemas
from navbook.compute.books import Facts
from navbook.exchange import parse
from navbook.runner import rebuild
from navbook.settings import Settings
from worlds import only

RECORDED = SHARED / "api" / "recorded"
NOW = datetime(2026, 7, 5, 12, tzinfo=UTC)
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="../shared/data/api/recorded is not beside this checkout")


def recording(name):
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def payload(endpoint):
    return next(each["payload"] for each in recording("ccxt-static-responses.json")["responses"] if each["endpoint"] == endpoint)


def test_nav_of_the_recorded_spot_and_futures_accounts():
    """Prices of 2026-07-05: LTCUSDT 45.92, ETHUSDT 1792.89; USDT counts 1, BTC is 0.

    LTC      0.919741   *   45.92 =  42.23450672
    ETH      0.02229833 * 1792.89 =  39.9784528737
    futures 31.022612   *    1    =  31.022612
                                    113.2355715937
    """
    prices = parse.market.prices(recording("api-v3-ticker-price-2026-07-05.json"), NOW)
    assert only(prices, symbol="LTCUSDT")["price"] == Decimal("45.92")
    assert only(prices, symbol="ETHUSDT")["price"] == Decimal("1792.89")
    spot = parse.wallets.spot(payload("GET /api/v3/account"), "main", NOW, prices["symbol"])
    futures = parse.wallets.futures(payload("GET /fapi/v2/account"), "main", NOW)
    rows = {"accounts": ("main", 1, 1, None, NOW, NOW), "snapshots": ("main", NOW, "complete", None, "{}", None, NOW, NOW)}
    facts = Facts(**{name: schemas.FACTS[name].rows([row]) for name, row in rows.items()}, balances=pl.concat([spot, futures]),
                  prices=prices, cash_flows=schemas.CASH_FLOWS.empty(), candles=schemas.CANDLES.empty())
    found = rebuild.compute(facts, Settings())
    assert only(found["nav_history"])["nav"] == pytest.approx(113.2355715937, abs=1e-10)
    assert only(found["holdings"], asset="LTC")["value_usd"] == pytest.approx(42.23450672, abs=1e-10)
    assert only(found["holdings"], asset="ETH")["value_usd"] == pytest.approx(39.9784528737, abs=1e-10)
    assert only(found["holdings"], wallet="futures", asset="USDT")["value_usd"] == pytest.approx(31.022612, abs=1e-10)
