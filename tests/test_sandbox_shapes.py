"""Field names and JSON types are those of what Binance sent; a live recording beats a documented example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from binance_sandbox import unused
from test_sandbox_support import DAY, START, running

API = Path(__file__).parents[2] / "shared/data/api"
pytestmark = pytest.mark.skipif(not API.is_dir(), reason=f"the recordings are not at {API}")


@pytest.fixture(scope="module")
def sandbox():
    with running("--scenario", "demo") as sandbox:
        sandbox.set_clock(START + 88 * DAY)
        yield sandbox


def recorded(name: str) -> Any:
    return json.loads((API / "recorded" / f"{name}.json").read_text("utf-8"))


def documented(file: str, name: str) -> Any:
    return json.loads((API / "documented" / f"{file}.json").read_text("utf-8"))[name]["example"]


def of_symbol(rows: list[dict[str, Any]], symbol: str = "BTCUSDT") -> dict[str, Any]:
    return next(row for row in rows if row["symbol"] == symbol)


def assert_same_shape(ours: Any, theirs: Any, where: str = "", but: tuple[str, ...] = ()) -> None:
    """Every field of theirs is in ours with its type; lists by their first rows, filters by their type."""
    if isinstance(theirs, dict):
        missing = set(theirs) - set(ours) - set(but)
        assert not missing, f"{where} lacks {missing}"
        for key in set(theirs) - set(but):
            assert_same_shape(ours[key], theirs[key], f"{where}.{key}", but)
    elif isinstance(theirs, list) and theirs and "filterType" in theirs[0]:
        mine = {row["filterType"]: row for row in ours}
        for row in theirs:
            assert_same_shape(mine[row["filterType"]], row, f"{where}.{row['filterType']}")
    elif isinstance(theirs, list) and theirs and ours:
        assert_same_shape(ours[0], theirs[0], f"{where}[0]", but)
    else:
        assert type(ours) is type(theirs), f"{where}: {ours!r} is not like {theirs!r}"


def shape(value: Any, path: str = "", found: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Every field below `value` with the JSON types that it has; filters by their type."""
    found = {} if found is None else found
    found.setdefault(path, set()).add(type(value).__name__)
    if isinstance(value, dict):
        for key, inner in value.items():
            shape(inner, f"{path}.{key}", found)
    if isinstance(value, list):
        for inner in value:
            kind = inner.get("filterType", "") if isinstance(inner, dict) else ""
            shape(inner, f"{path}[{kind}]", found)
    return found


def live_recordings() -> list[tuple[str, str, str]]:
    """File, endpoint and symbol of every GET answer that was recorded from Binance itself, not through ccxt."""
    if not API.is_dir():
        return []
    rows = json.loads((API / "INDEX.json").read_text("utf-8"))
    return [(row["file"].removeprefix("api/recorded/").removesuffix(".json"), row["endpoint"].split()[1],
             (re.search(r"-([A-Z]+USDT)-", row["file"]) or ["", ""])[1])
            for row in rows if row["file"].startswith("api/recorded/") and row["kind"].startswith("recorded (")
            and row["endpoint"].startswith("GET ") and "(" not in row["endpoint"] and row["http_status"] == 200]


BY_OTHER_TESTS = {
    "error-2014-sapi": "test_account_recordings", "error-2015-api-v3-account": "test_account_recordings",
    "headers-api-v3-bookTicker-2026-07-15": "test_recorded_headers", "headers-fapi-premiumIndex-2026-07-04": "test_recorded_headers",
    "futures-testnet-order-log": "test_sandbox_futures_shapes.test_recorded_order_replies and its neighbours",
    "responses-quoted-from-public-threads": "test_sandbox_futures_shapes.test_the_position_quoted_in_2021 and its neighbour",
}


@pytest.mark.skipif(not API.is_dir(), reason=f"the recordings are not at {API}")
def test_no_live_recording_is_forgotten():
    """Whatever was recorded, but not through ccxt, is compared by one test or another."""
    rows = json.loads((API / "INDEX.json").read_text("utf-8"))
    live = {Path(row["file"]).stem for row in rows if "/recorded/" in row["file"] and "ccxt" not in row["kind"] + row["file"]}
    assert live == {file for file, _, _ in live_recordings()} | set(BY_OTHER_TESTS)
    assert {file.stem for file in (API / "recorded").glob("*.json")} - live == {"ccxt-static-responses", "leverage-brackets-subset"}


@pytest.mark.parametrize(("file", "path"), [
    ("headers-api-v3-bookTicker-2026-07-15", "/api/v3/ticker/bookTicker?symbol=BTCUSDT"),
    ("headers-fapi-premiumIndex-2026-07-04", "/fapi/v1/premiumIndex"),
])
def test_recorded_headers(sandbox, file, path):
    """Those that a client could want: what is used, when, and of what type the answer is."""
    theirs, ours = recorded(file), sandbox.ask("GET", path).headers
    wanted = {name for name in theirs if name.startswith("x-mbx-used") or name in ("content-type", "date", "content-length")}
    assert wanted <= set(ours)
    assert {name for name in ours if name.startswith("x-mbx")} <= set(theirs)
    assert ours["content-type"].startswith(theirs["content-type"])
    assert all(ours[name].isdecimal() for name in wanted if name.startswith("x-mbx"))


REDACTED = {".uid", ".vipLevel"}    # the recorder put a text where Binance sent a number
NEVER_HERE = {("[].updateTime", "int")}    # fundingInfo: no symbol here has changed its funding yet


@pytest.mark.parametrize(("file", "path", "symbol"), live_recordings() or [("", "", "")])
def test_every_live_recording(sandbox, file, path, symbol):
    """Any field that any recorded row has, with any of its types, is in ours."""
    theirs = shape(recorded(file))
    ours = shape(sandbox.read(path, "swing", **({"symbol": symbol} if symbol else {})))
    assert not set(theirs) - set(ours)
    wrong = {(key, kind) for key, kinds in theirs.items() if key not in REDACTED for kind in kinds - ours[key]}
    assert wrong <= NEVER_HERE


def test_public_recordings(sandbox):
    spot, futures = recorded("api-v3-exchangeInfo-curated-2026-07-03"), recorded("fapi-v1-exchangeInfo-2026-07-03")
    for path, theirs in (("/api/v3/exchangeInfo", spot), ("/fapi/v1/exchangeInfo", futures)):
        ours = sandbox.get(path)
        assert_same_shape({**ours, "symbols": of_symbol(ours["symbols"])}, {**theirs, "symbols": of_symbol(theirs["symbols"])}, path)
    assert_same_shape(sandbox.get("/api/v3/ticker/price"), recorded("api-v3-ticker-price-2026-07-05"))
    assert_same_shape(sandbox.get("/fapi/v1/premiumIndex"), recorded("fapi-v1-premiumIndex-2026-07-03"))


def test_account_recordings(sandbox):
    assert_same_shape(sandbox.read("/api/v3/account", "main"), recorded("api-v3-account-redacted-2026-07-05"), but=("uid",))
    info = recorded("sapi-v1-account-info-redacted-2026-07-05")
    assert_same_shape(sandbox.read("/sapi/v1/account/info", "main"), info, but=("vipLevel",))
    for name, status in (("error-2014-sapi", {}), ("error-2015-api-v3-account", {"X-MBX-APIKEY": "nobody"})):
        answer = sandbox.ask("GET", "/api/v3/account", headers=status)
        assert (answer.status, answer.body) == (401, recorded(name))


@pytest.mark.parametrize(("method", "path", "account", "file", "name", "params", "but"), [
    ("GET", "/sapi/v1/account/apiRestrictions", "main", "wallet", "get_api_key_permission", {}, ()),
    ("POST", "/sapi/v1/asset/get-funding-asset", "swing", "wallet", "funding_wallet", {}, ()),
    ("GET", "/sapi/v1/asset/wallet/balance", "main", "wallet", "query_user_wallet_balance", {"needBalanceDetail": "true"}, ()),
    ("POST", "/sapi/v3/asset/getUserAsset", "main", "wallet", "user_asset", {}, ()),
    ("GET", "/sapi/v1/capital/deposit/hisrec", "main", "wallet", "deposit_history", {}, ()),
    ("GET", "/sapi/v1/capital/withdraw/history", "main", "wallet", "withdraw_history", {}, ("withdrawOrderId",)),
    ("GET", "/sapi/v1/sub-account/list", "main", "sub_account", "query_sub_account_list", {}, ()),
    ("GET", "/sapi/v1/sub-account/universalTransfer", "main", "sub_account", "query_universal_transfer_history",
     {"startTime": START + 18 * DAY, "endTime": START + 24 * DAY}, ()),
    ("GET", "/sapi/v1/sub-account/transfer/subUserHistory", "sub", "sub_account", "sub_account_transfer_history",
     {"startTime": START + 10 * DAY, "endTime": START + 30 * DAY, "type": 1}, ()),
    ("GET", "/fapi/v2/account", "swing", "um_futures", "account_information_v2", {}, ()),
    ("GET", "/fapi/v3/account", "swing", "um_futures", "account_information_v3", {}, ()),
    ("GET", "/fapi/v3/balance", "swing", "um_futures", "futures_account_balance_v3", {}, ()),
    ("GET", "/fapi/v2/positionRisk", "swing", "um_futures", "position_information_v2", {}, ()),
    ("GET", "/fapi/v3/positionRisk", "swing", "um_futures", "position_information_v3", {}, ()),
])
def test_documented_examples(sandbox, method, path, account, file, name, params, but):
    ours, theirs = sandbox.read(path, account, method, **params), documented(file, name)
    assert_same_shape(ours, theirs, path, but)
    extra = set(ours[0] if isinstance(ours, list) else ours) - set(theirs[0] if isinstance(theirs, list) else theirs)
    assert extra <= {"ipRestrict", "notional", "isolatedWallet", "sourceAddress"}


RICH = {"spot": {"USDT": 10_000, "BTC": 5}, "funding": {"USDT": 5}, "margin": {"BTC": 1}, "futures": {"USDT": 500},
        "earn_flexible": {"USDT": 5}, "earn_locked": {"BTC": 1}}
EVENTS = [
    {"type": "deposit", "asset": "BTC", "amount": 1}, {"type": "withdrawal", "asset": "BTC", "amount": "0.5", "order_id": "x"},
    {"type": "transfer", "asset": "USDT", "amount": 1, "from_wallet": "spot", "to_wallet": "funding"},
    {"type": "convert", "from_asset": "USDT", "from_amount": 20, "to_asset": "BNB", "to_amount": "0.05"},
    {"type": "dust", "from_asset": "BTC", "from_amount": "0.0001", "to_amount": "0.001"}, {"type": "dividend", "asset": "BNB", "amount": 1},
    {"type": "fiat", "side": "deposit", "asset": "EUR", "amount": 9}, {"type": "pay", "asset": "USDT", "amount": 1},
    {"type": "fiat", "side": "buy", "asset": "EUR", "amount": 9, "coin": "BTC", "coin_amount": 1},
    *({"type": kind, "product": product, "asset": "USDT", "amount": 1} for product in ("flexible", "locked")
      for kind in ("earn_subscribe", "earn_redeem", "reward")),
    {"type": "fill", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.1"}, {"type": "sub_transfer", "to": "sub", "asset": "USDT", "amount": 1},
]
# Not in ours: rates by tier, what only merchants and boosted products have, the other two kinds of snapshot.
UNLIKE = re.compile(r"peg|trailing|strategy|prevented|workingFloor|usedSor|expiryReason"    # and of an order, what it has only at times
                    r"|tierAnnual.*\.|boost|(receiver|payer)Info\.|walletAssetCost\.|snapshotVos\[\]\.data\.(?!balances|totalAsset)|^\.[A-Z]{3}")


@pytest.fixture(scope="module")
def rich():
    with running() as sandbox:
        sandbox.control("limits", enforced=False)
        sandbox.account(balances=RICH)
        sandbox.account("sub", master="alice", balances={"spot": {"BTC": 1}})
        for event in EVENTS:
            sandbox.control("events", account="alice", time=START + 3_600_000, **event)
        sandbox.set_clock(START + 3 * DAY)
        yield sandbox


def documented_reads() -> list[tuple[str, str, str]]:
    files = ("convert", "fiat", "pay", "simple_earn", "sub_account", "wallet", "spot") if API.is_dir() else ()
    posts = ("/sapi/v1/asset/get-funding-asset", "/sapi/v3/asset/getUserAsset")
    return [(file, name, row["path"]) for file in files
            for name, row in json.loads((API / "documented" / f"{file}.json").read_text("utf-8")).items()
            if row["method"] == "GET" or row["path"] in posts]


ASKED = {"/sapi/v1/asset/transfer": {"type": "MAIN_FUNDING"}, "/sapi/v1/simple-earn/flexible/history/rewardsRecord": {"type": "ALL"},
         "/sapi/v1/asset/wallet/balance": {"needBalanceDetail": "true"}, "/sapi/v1/sub-account/transfer/subUserHistory": {"type": 1},
         "/sapi/v1/capital/deposit/address": {"coin": "BTC"}, "/sapi/v1/capital/deposit/address/list": {"coin": "BTC"}}
# The recording is the better witness, what is asked for needs its id, or the account has filters of its own in the example.
ELSEWHERE = ("/api/v3/exchangeInfo", "/api/v3/order", "/api/v3/orderList", "/api/v3/order/amendments", "/api/v3/myFilters",
             "/api/v3/referencePrice", "/api/v3/referencePrice/calculation", "/api/v3/executionRules", "/sapi/v1/convert/exchangeInfo",
             "/sapi/v1/convert/orderStatus")
DAY_AT_MOST = {"/api/v3/myTrades", "/api/v3/allOrders"}


def test_every_documented_read_that_we_serve(rich):
    """Field names and types of the documentation's examples, wherever there is something to show."""
    seen = 0
    for file, name, path in documented_reads():
        window = {"startTime": START, "endTime": START + (DAY if path in DAY_AT_MOST else 2 * DAY)}
        params = {"type": "SPOT", "symbol": "BTCUSDT", "transactionType": 0, "email": "sub@example.com", "interval": "1h", **window}
        if path in ELSEWHERE or path in unused.SAPI or path.startswith(("/sapi/v2/sub-account", "/sapi/v1/sub-account/margin")):
            continue
        method = json.loads((API / "documented" / f"{file}.json").read_text("utf-8"))[name]["method"]
        answer = rich.signed(path, "sub" if path.endswith("subUserHistory") else "alice", method, **{**params, **ASKED.get(path, {})})
        if answer.status == 404 or answer.body in ([], {"rows": [], "total": 0}):
            continue
        assert answer.status == 200, (path, answer.raw)
        theirs, ours = shape(documented(file, name)), shape(answer.body)
        missing = {key for key in theirs if key not in ours and not UNLIKE.search(key)}
        wrong = {key for key in theirs if key in ours and not theirs[key] <= ours[key] | {"float"}}
        assert (path, missing, {key for key in wrong if "float" not in ours[key]}) == (path, set(), set())
        seen += 1
    assert seen > 45
