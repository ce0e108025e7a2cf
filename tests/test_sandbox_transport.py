"""Transport and rights: bodies, booleans, gzip, time units, keys of all kinds, permissions; as BINANCE.md 2 and 13 say."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from test_sandbox_support import START, running

ACCOUNT, ASSETS, TRANSFER = "/api/v3/account", "/sapi/v3/asset/getUserAsset", "/sapi/v1/asset/transfer"


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account(balances={"spot": {"BTC": 1}}, permissions={"enableReading": True, "enableFutures": True})
        sandbox.account("reader", balances={"spot": {"BTC": 1}, "futures": {"USDT": 100}})
        yield sandbox


RSA_KEY, ED_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048), ed25519.Ed25519PrivateKey.generate()
SIGNERS = {"rsa": (RSA_KEY, lambda text: RSA_KEY.sign(text, padding.PKCS1v15(), hashes.SHA256())), "ed25519": (ED_KEY, ED_KEY.sign)}


@pytest.mark.parametrize("kind", SIGNERS)
def test_public_keys(sandbox, kind):
    key, sign = SIGNERS[kind]
    sandbox.control("accounts", name=kind, api_key=f"{kind}key", public_key=pem(key), balances={"spot": {"ETH": 2}})
    for text in (f"timestamp={START}", f"recvWindow=5000&timestamp={START}&note=a%3Ab", f"timestamp={START}&note=a:b"):
        signature = base64.b64encode(sign(text.encode())).decode()
        sent = text.replace("a:b", "a%3Ab")    # signed before it was encoded
        for encoded in (quote(signature, safe=""), signature):
            answer = sandbox.ask("GET", f"{ACCOUNT}?{sent}&signature={encoded}", headers={"X-MBX-APIKEY": f"{kind}key"})
            assert answer.status == 200, answer.raw
        changed = sandbox.ask("GET", f"{ACCOUNT}?{sent}&signature={quote(signature[:-4].swapcase() + signature[-4:], safe='')}",
                              headers={"X-MBX-APIKEY": f"{kind}key"})
        assert changed.body["code"] == -1022    # base64 is case-sensitive
    no_base64 = sandbox.ask("GET", f"{ACCOUNT}?timestamp={START}&signature=%C3%A9", headers={"X-MBX-APIKEY": f"{kind}key"})
    assert no_base64.body["code"] == -1022
    shown = next(row for row in sandbox.get("/sandbox/state")["accounts"] if row["name"] == kind)
    assert (shown["api_secret"], shown["public_key"]) == ("", pem(key))


@pytest.mark.parametrize("given", ["-----BEGIN", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_other_keys_are_refused(sandbox, given):
    assert sandbox.control("accounts", expect=400, name="x", api_key="x", public_key=given)["key"] == "public_key"


def test_hex_in_any_case_and_keys_that_cannot_be(sandbox):
    query = urlencode({"timestamp": START})
    signed = sandbox.signed(ACCOUNT, timestamp=START)
    assert signed.status == 200
    assert sandbox.ask("GET", f"{ACCOUNT}?{query}&signature=x", headers={"X-MBX-APIKEY": "not a key"}).body["code"] == -2014


@pytest.mark.parametrize("given", ["true", "TRUE", "True"])
def test_booleans_in_any_case(sandbox, given):
    assert len(sandbox.read(ACCOUNT, omitZeroBalances=given)["balances"]) == 1
    assert sandbox.signed(ACCOUNT, omitZeroBalances="yes").body["code"] == -1100


def test_an_empty_body_and_no_content_type(sandbox):
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))
    connection.putrequest("GET", "/api/v3/ping", skip_accept_encoding=True)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"{}")
    connection.close()
    assert sandbox.signed(ASSETS, method="POST").status == 200    # everything in the query


def test_gzip_only_when_offered(sandbox):
    path = "/api/v3/exchangeInfo"
    plain = sandbox.ask("GET", path)
    assert "content-encoding" not in plain.headers
    sandbox.connection.request("GET", path, headers={"Accept-Encoding": "gzip, deflate, br"})
    response = sandbox.connection.getresponse()
    raw = response.read()
    assert response.getheader("content-encoding") == "gzip"
    assert int(response.getheader("content-length")) == len(raw) < len(plain.raw)
    assert json.loads(gzip.decompress(raw)) == plain.body
    assert gzip.decompress(raw) == plain.raw


def test_microseconds_on_spot_alone(sandbox):
    micro = {"X-MBX-TIME-UNIT": "microsecond"}
    assert sandbox.ask("GET", "/api/v3/time", headers=micro).body == {"serverTime": START * 1000}
    assert sandbox.ask("GET", "/fapi/v1/time", headers=micro).body == {"serverTime": START}
    path = f"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1&startTime={(START - 60_000) * 1000}"
    row, plain = sandbox.ask("GET", path, headers=micro).body[0], sandbox.ask("GET", path).body[0]
    assert (row[0], row[6]) == (plain[0] * 1000, plain[6] * 1000 + 999)
    assert row[1:6] == plain[1:6]
    assert sandbox.ask("GET", "/api/v3/aggTrades?symbol=BTCUSDT&limit=1", headers=micro).body[0]["T"] > 10**15
    assert sandbox.signed(ACCOUNT, timestamp=START * 1000).status == 200    # and so may the caller


def test_rights(sandbox):
    """A key that may read and no more is refused where something would change."""
    for path, params in ((TRANSFER, {"type": "MAIN_FUNDING", "asset": "BTC", "amount": 1}),
                         ("/sapi/v1/sub-account/universalTransfer", {}), ("/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 5})):
        answer = sandbox.signed(path, "reader", "POST", **params)
        assert (answer.status, answer.body["code"]) == (401, -2015)
    assert sandbox.signed("/fapi/v1/leverage", "alice", "POST", symbol="BTCUSDT", leverage=5).status == 200
    assert sandbox.signed("/fapi/v3/account", "reader").status == 200    # reading futures needs no more than reading
    for path in ("/sapi/v1/margin/allPairs", "/sapi/v1/spot/delist-schedule"):    # the key alone
        assert sandbox.ask("GET", path).body["code"] == -2014
        assert sandbox.ask("GET", path, headers={"X-MBX-APIKEY": "readerkey"}).status == 200


def test_flags_totals_and_answers_agree(sandbox):
    """A wallet is absent everywhere or nowhere."""
    wallets = {"margin": {"USDT": 5}, "futures": {"USDT": 5}, "coin_futures": {"BTC": 1}, "earn_flexible": {"BTC": 1}}
    for number, wallet in enumerate([None, *wallets]):
        name = f"agree{number}"
        sandbox.account(name, balances={wallet: wallets[wallet]} if wallet else {})
        info, rights = sandbox.read("/sapi/v1/account/info", name), sandbox.read("/sapi/v1/account/apiRestrictions", name)
        active = {row["walletName"]: row["activate"] for row in sandbox.read("/sapi/v1/asset/wallet/balance", name)}
        opened = {path: sandbox.signed(path, name).status == 200 for path in (
            "/fapi/v3/account", "/dapi/v1/account", "/sapi/v1/margin/account", "/sapi/v1/portfolio/account")}
        assert opened["/fapi/v3/account"] == opened["/dapi/v1/account"] == info["isFutureEnabled"] == active["USDⓈ-M Futures"]
        assert active["COIN-M Futures"] == info["isFutureEnabled"]
        assert opened["/sapi/v1/margin/account"] == info["isMarginEnabled"] == active["Cross Margin"] == (wallet == "margin")
        assert opened["/sapi/v1/portfolio/account"] == info["isPortfolioMarginRetailEnabled"] == rights["enablePortfolioMarginTrading"]
        assert sandbox.read(ACCOUNT, name)["uid"] == next(
            row["uid"] for row in sandbox.get("/sandbox/state")["accounts"] if row["name"] == name)
        if info["isFutureEnabled"]:    # what the account may do; the key may not (apiRestrictions)
            config, account = sandbox.read("/fapi/v1/accountConfig", name), sandbox.read("/fapi/v2/account", name)
            assert {key: config[key] for key in config if key.startswith("can")} == {
                key: account[key] for key in account if key.startswith("can")}
    sandbox.account("agreesub", master="agree0")
    listed = sandbox.read("/sapi/v1/sub-account/list", "agree0")["subAccounts"]
    assert [row["subUserId"] for row in listed] == [sandbox.read(ACCOUNT, "agreesub")["uid"]]


def test_the_same_requests_get_the_same_bytes():
    """Scenario, seed, clock and requests decide every byte."""
    def everything():
        with running("--scenario", "demo+bear", "--seed", "7") as sandbox:
            sandbox.control("faults", path="/sapi/*", code=-1000, probability="0.5")
            sandbox.control("limits", enforced=False)
            sandbox.account(balances={"spot": {"USDT": 9}, "earn_flexible": {"BTC": 1}}, permissions={"permitsUniversalTransfer": True})
            said = []
            for day in range(0, 88, 20):
                now = START + day * 86_400_000 + 12_345
                sandbox.set_clock(now)
                said += [sandbox.signed(path, name, timestamp=now, **params).raw for name in ("swing", "alice") for path, params in (
                    (ACCOUNT, {}), ("/fapi/v3/account", {}), ("/sapi/v1/capital/deposit/hisrec", {}), ("/api/v3/klines", {"symbol": "ETHBTC", "interval": "1h"}),
                    ("/sapi/v1/asset/wallet/balance", {"needBalanceDetail": "true"}), ("/api/v3/ticker/24hr", {}))]
                said.append(sandbox.signed(TRANSFER, method="POST", timestamp=now, type="MAIN_FUNDING", asset="USDT", amount=1).raw)
            return said

    first = everything()
    assert first == everything()
    assert len(set(first)) > 20
