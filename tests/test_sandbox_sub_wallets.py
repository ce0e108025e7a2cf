"""A sub-account's futures and margin as its master sees them: the figures that its own key reads, documented shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from test_sandbox_futures_support import BTC
from test_sandbox_shapes import shape
from test_sandbox_support import running

DOCUMENTED = Path(__file__).parents[2] / "shared/data/api/documented/sub_account.json"
FUTURES, MARGIN = "/sapi/v2/sub-account/futures", "/sapi/v1/sub-account/margin"
SUB = {"email": "sub@example.com", "futuresType": 1}


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account("head")
        sandbox.account("sub", master="head", permissions={"enableReading": True, "enableFutures": True},
                        balances={"futures": {"USDT": 1000}, "coin_futures": {"BTC": 2}, "margin": {"BTC": 1, "USDT": -100}})
        sandbox.account("plain", master="head")
        sandbox.control("prices", symbol=BTC, price=60_000)
        sandbox.read("/fapi/v1/order", "sub", "POST", symbol=BTC, side="BUY", type="MARKET", quantity="0.1")
        sandbox.control("prices", symbol=BTC, price=61_000)
        yield sandbox


def test_futures(sandbox):
    own = sandbox.read("/fapi/v2/account", "sub")
    seen = sandbox.read(f"{FUTURES}/account", "head", **SUB)["futureAccountResp"]
    for theirs, ours in (("totalMaintMargin", "totalMaintenanceMargin"), ("totalWalletBalance", "totalWalletBalance"),
                         ("totalUnrealizedProfit", "totalUnrealizedProfit")):
        assert seen[ours] == own[theirs]
    assert seen["totalUnrealizedProfit"] == "100.00000000"
    position = sandbox.read(f"{FUTURES}/positionRisk", "head", **SUB)["futurePositionRiskVos"]
    risk = sandbox.read("/fapi/v2/positionRisk", "sub", symbol=BTC)[0]
    assert [(row["positionAmount"], row["liquidationPrice"]) for row in position] == [(risk["positionAmt"], risk["liquidationPrice"])]
    total = sandbox.read(f"{FUTURES}/accountSummary", "head", futuresType=1)["futureAccountSummaryResp"]
    assert total["totalMarginBalance"] == own["totalMarginBalance"]
    assert [row["email"] for row in total["subAccountList"]] == ["sub@example.com"]    # plain opened none
    coins = sandbox.read(f"{FUTURES}/account", "head", **SUB | {"futuresType": 2})["deliveryAccountResp"]["assets"]
    assert {row["asset"]: row["walletBalance"] for row in coins}["BTC"] == "2.00000000"


def test_margin_and_status(sandbox):
    own = sandbox.read("/sapi/v1/margin/account", "sub")
    seen = sandbox.read(f"{MARGIN}/account", "head", email=SUB["email"])
    assert (seen["totalNetAssetOfBtc"], seen["marginUserAssetVoList"]) == (own["totalNetAssetOfBtc"], own["userAssets"])
    assert sandbox.read(f"{MARGIN}/accountSummary", "head")["totalLiabilityOfBtc"] == own["totalLiabilityOfBtc"] != "0.00000000"
    rows = {row["email"]: (row["isFutureEnabled"], row["isMarginEnabled"]) for row in sandbox.read("/sapi/v1/sub-account/status", "head")}
    assert rows == {"sub@example.com": (True, True), "plain@example.com": (False, False)}


@pytest.mark.parametrize(("path", "change", "code"), [
    (f"{FUTURES}/account", {"email": "nobody@example.com"}, -12001), (f"{FUTURES}/account", {"email": ""}, -1102),
    (f"{FUTURES}/account", {"email": "head@example.com"}, -12001), (f"{FUTURES}/account", {"futuresType": 3}, -1130),
    (f"{FUTURES}/positionRisk", {"futuresType": ""}, -1102), (f"{FUTURES}/account", {"email": "plain@example.com"}, -2015),
    (f"{MARGIN}/account", {"email": "plain@example.com"}, -3003),
])
def test_refused(sandbox, path, change, code):
    assert sandbox.signed(path, "head", **SUB | change).body["code"] == code


def test_a_sub_account_has_no_subs(sandbox):
    assert sandbox.signed("/sapi/v1/sub-account/status", "sub").body["code"] == -12022


@pytest.mark.skipif(not DOCUMENTED.is_file(), reason=f"the documented examples are not at {DOCUMENTED}")
@pytest.mark.parametrize("path", [f"{FUTURES}/account", f"{FUTURES}/positionRisk", f"{FUTURES}/accountSummary", f"{MARGIN}/account",
                                  f"{MARGIN}/accountSummary", "/sapi/v1/sub-account/status"])
def test_documented_shapes(sandbox, path):
    theirs = next(row["example"] for row in json.loads(DOCUMENTED.read_text("utf-8")).values() if row["path"] == path)
    ours = sandbox.read(path, "head", **SUB)
    wanted = {key: kinds for key, kinds in shape(theirs).items() if not key.startswith(".delivery")}
    assert wanted == {key: kinds for key, kinds in shape(ours).items() if key in wanted}
