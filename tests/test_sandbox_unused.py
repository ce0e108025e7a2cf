"""Reads of products that nobody here used, and of the whole market: there, empty or even, and shaped as documented."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from binance_sandbox import unused
from test_sandbox_futures_support import BTC, Trader
from test_sandbox_shapes import shape
from test_sandbox_support import DAY, HOUR, START, running

DOCUMENTED = Path(__file__).parents[2] / "shared/data/api/documented"
STATISTICS = ("openInterestHist", "topLongShortAccountRatio", "topLongShortPositionRatio", "globalLongShortAccountRatio",
              "takerlongshortRatio", "basis")


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.control("limits", enforced=False)
        Trader(sandbox).market("BUY", "0.02")
        sandbox.account("lender", balances={"margin": {"BTC": 1}, "spot": {"USDT": 100}})
        sandbox.control("clock", advance_ms=DAY + HOUR)
        yield sandbox


def outline(value, depth=0):
    """The keys and types of the upper two levels; what is in lists does not count."""
    if isinstance(value, dict) and depth < 2:
        return {key: outline(inner, depth + 1) for key, inner in value.items()}
    return type(value).__name__


def documented():
    """path -> example, of what the documentation shows among the paths that nobody uses."""
    if not DOCUMENTED.is_dir():
        return {}
    rows = [row for file in DOCUMENTED.glob("*.json") for row in json.loads(file.read_text("utf-8")).values()]
    return {row["path"]: row["example"] for row in rows if row["path"] in unused.SAPI}


@pytest.mark.parametrize("path", [path for path, content in unused.SAPI.items() if content is not unused.RETIRED])
def test_an_account_that_never_used_it(sandbox, path):
    answer = sandbox.read(path)
    assert answer == unused.SAPI[path]
    if path in documented():
        assert outline(answer) == outline(documented()[path])


def test_enough_of_them_are_documented():
    assert not DOCUMENTED.is_dir() or len(documented()) > 15


def test_retired_ones_say_so(sandbox):
    assert sandbox.signed("/sapi/v1/staking/position").body["code"] == -1016


@pytest.mark.parametrize("path", list(unused.MARGIN))
def test_margin_wants_a_margin_account(sandbox, path):
    assert sandbox.read(path, "lender") == unused.MARGIN[path]
    assert sandbox.signed(path).body["code"] == -3003


def test_what_belongs_to_others(sandbox):
    assert sandbox.signed("/fapi/v1/pmAccountInfo", asset="BTC").body["code"] == -21001
    assert sandbox.signed("/dapi/v1/order", symbol="BTCUSD_PERP", orderId=1).body["code"] == -2013
    assert sandbox.signed("/api/v3/orderList", orderListId=1).body["code"] == -2013
    assert sandbox.ask("GET", f"/api/v3/referencePrice?symbol={BTC}").body["code"] == -2043
    assert sandbox.read("/api/v3/myFilters", symbol=BTC)["symbolFilters"] == sandbox.get(
        "/api/v3/exchangeInfo", symbol=BTC)["symbols"][0]["filters"]


def test_one_position_mode_for_both_families(sandbox):
    trader = Trader(sandbox, "modes")
    trader.sandbox.signed("/dapi/v1/positionSide/dual", "modes", "POST", dualSidePosition="true")
    assert trader.ask("GET", "v1/positionSide/dual") == {"dualSidePosition": True}
    assert sandbox.read("/dapi/v1/positionSide/dual", "modes") == {"dualSidePosition": True}


# -- the whole market ------------------------------------------------------------------------------------------
def test_statistics_of_the_market(sandbox):
    """Finished periods, ascending; the volumes are those of the candles, the interest that of the accounts."""
    asked = {"symbol": BTC, "pair": BTC, "contractType": "PERPETUAL", "period": "1h"}
    rows = {name: sandbox.get(f"/futures/data/{name}", **asked) for name in STATISTICS}
    assert {len(found) for found in rows.values()} == {30}
    assert {found[-1]["timestamp"] for found in rows.values()} == {START + DAY}
    volumes = sandbox.get("/fapi/v1/klines", symbol=BTC, interval="1h", startTime=START + DAY, limit=1)[0]
    taker = rows["takerlongshortRatio"][-1]
    assert float(taker["buyVol"]) == pytest.approx(float(volumes[9]), abs=1e-3)
    assert float(taker["buyVol"]) + float(taker["sellVol"]) == pytest.approx(float(volumes[5]), abs=1e-3)
    held = [row["sumOpenInterest"] for row in rows["openInterestHist"]]
    assert (held[0], held[-1]) == ("0.00000000", "0.02000000")
    first = sandbox.get("/futures/data/openInterestHist", **asked, startTime=START, limit=2)
    assert [row["timestamp"] for row in first] == [START, START + HOUR]
    assert sandbox.ask("GET", f"/futures/data/basis?pair={BTC}&contractType=PERPETUAL&period=7h").body["code"] == -1130


@pytest.mark.skipif(not DOCUMENTED.is_dir(), reason=f"the documented examples are not at {DOCUMENTED}")
@pytest.mark.parametrize(("name", "path"), [
    ("open_interest_statistics", "openInterestHist"), ("top_trader_long_short_ratio_accounts", "topLongShortAccountRatio"),
    ("taker_buy_sell_volume", "takerlongshortRatio"), ("basis", "basis"), ("long_short_ratio", "globalLongShortAccountRatio"),
])
def test_documented_statistics(sandbox, name, path):
    theirs = json.loads((DOCUMENTED / "um_futures.json").read_text("utf-8"))[name]["example"]
    asked = {"symbol": BTC, "pair": BTC, "contractType": "PERPETUAL", "period": "1h"}
    assert shape(sandbox.get(f"/futures/data/{path}", **asked)) == shape(theirs)


def test_premium_index_and_funds(sandbox):
    assert {row[4] for row in sandbox.get("/fapi/v1/premiumIndexKlines", symbol=BTC, interval="1h")} == {"0.00000000"}
    assert sandbox.get("/fapi/v1/constituents", symbol=BTC)["constituents"][0]["symbol"] == BTC
    assert sandbox.get("/fapi/v1/symbolAdlRisk", symbol=BTC)["adlRisk"] == "low"
    assert sandbox.get("/dapi/v1/openInterest", symbol="BTCUSD_PERP")["openInterest"] == "0"


# -- converts --------------------------------------------------------------------------------------------------
def test_converts(sandbox):
    sandbox.control("events", type="convert", account="lender", from_asset="USDT", from_amount=20, to_asset="BNB", to_amount="0.05")
    now = sandbox.now
    flow = sandbox.read("/sapi/v1/convert/tradeFlow", "lender", startTime=now - HOUR, endTime=now)["list"]
    for key in ("orderId", "quoteId"):
        assert [sandbox.read("/sapi/v1/convert/orderStatus", "lender", **{key: flow[0][key]})] == flow
    assert sandbox.signed("/sapi/v1/convert/orderStatus", "alice", orderId=flow[0]["orderId"]).body["code"] == -2013
    assert sandbox.signed("/sapi/v1/convert/orderStatus", "lender").body["code"] == -1102
    pairs = sandbox.get("/sapi/v1/convert/exchangeInfo", fromAsset="BTC", toAsset="USDT")
    assert [(row["fromAsset"], row["toAsset"]) for row in pairs] == [("BTC", "USDT")]
    assert {"asset": "BTC", "fraction": 8} in sandbox.read("/sapi/v1/convert/assetInfo", "lender")


# -- who hangs up ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/fapi/v1/order", "/sandbox/clock"])
def test_who_hangs_up_leaves_no_trace(sandbox, path, caplog):
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\nabc".encode())
    for _ in range(20):    # until the server has surely noticed
        sandbox.get("/api/v3/time")
    assert not caplog.records


def test_a_path_has_one_spelling(sandbox):
    assert sandbox.ask("GET", "/api/v3/time/").status == 404
