"""Field names and JSON types are those of what Binance sent; a live recording beats a documented example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
