"""A64, N12: what is wrong with a key is told apart: network, region, clock, key, secret, address, right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exchanges import START, by_path, canned, keys_of, nobody, says, talk
from navbook.exchange import check
from navbook.types import Environment

RIGHTS, SCHEDULE, FUTURES = "/sapi/v1/account/apiRestrictions", "/sapi/v1/spot/delist-schedule", "/fapi/v3/account"
REFUSED = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
pytestmark = pytest.mark.usefixtures("no_backoff")


def findings(url: str, keys=None) -> dict[str, str]:
    """What is wrong, by subject; the sentences are one line each."""
    found = talk(url, check.key, keys)
    assert all("\n" not in one.told and one.told.endswith((".", ")")) for one in found)
    return {one.about: one.level for one in found}


def told_by(answers: dict[str, object]) -> dict[str, str]:
    with canned(by_path(answers)) as (url, _):
        return findings(url, keys_of("main"))


def test_a64_a_key_that_can_only_read_from_one_address_is_fine(binance):
    name = binance.account(permissions={"enableReading": True, "ipRestrict": True})
    assert findings(binance.url, keys_of(name)) == {"network": "ok", "key": "ok"}


@pytest.mark.parametrize(("permissions", "about", "level"), [
    ({"enableWithdrawals": True}, "withdrawing", "error"), ({"enableFutures": True}, "trading", "warning"),
    ({"enableSpotAndMarginTrading": True}, "trading", "warning"), ({"permitsUniversalTransfer": True}, "withdrawing", "warning"),
    ({"ipRestrict": False}, "address", "warning"), ({"enablePortfolioMarginTrading": True}, "margin", "warning"),
])
def test_n12_what_a_collecting_key_should_not_be_able_to_do(binance, permissions, about, level):
    name = binance.account(permissions={"enableReading": True, "ipRestrict": True, **permissions})
    assert findings(binance.url, keys_of(name)) == {"network": "ok", "key": "ok", about: level}


def test_a64_a_key_that_nobody_knows(binance):
    assert findings(binance.url, keys_of("nobody")) == {"network": "ok", "key": "error"}


def test_a64_a_secret_of_another_key(binance):
    name = binance.account()
    assert findings(binance.url, keys_of(name, secret="another secret")) == {"network": "ok", "secret": "error"}


def test_a64_a_key_without_the_right_to_read(binance):
    name = binance.account(permissions={"enableReading": False})
    assert findings(binance.url, keys_of(name)) == {"network": "ok", "reading": "error"}


@pytest.mark.parametrize(("refusal", "about"), [
    ((400, {"code": -2008, "msg": "Invalid Api-Key ID."}), "environment"), ((401, {"code": -2014, "msg": "API-key format invalid."}), "key"),
    ((401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action, request ip: 203.0.113.7"}), "address"),
    ((400, {"code": -1022, "msg": "Signature for this request is not valid."}), "secret"), ((451, {}), "region"), ((403, []), "region"),
    ((500, {}), "network"), ((200, {"enableReading": False}), "reading"), ((200, []), "network"),
])
def test_a64_each_refusal_has_its_name(refusal, about):
    assert told_by({RIGHTS: refusal}) == {"network": "ok", about: "error"}


def test_a64_the_address_that_binance_saw_is_named():
    refusal = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action, request ip: 203.0.113.7"})
    with canned(by_path({RIGHTS: refusal})) as (url, _):
        told = talk(url, check.key, keys_of("main"))[-1].told
    assert told == "Binance does not take this key from 203.0.113.7; add that address to the key's list. (-2015)"


@pytest.mark.parametrize(("schedule", "about"), [([], "reading"), (REFUSED, "key"), ((500, {}), "network")])
def test_a64_what_2015_lumps_together_is_told_apart(schedule, about):
    found = told_by({RIGHTS: REFUSED, SCHEDULE: schedule})
    assert found[about] == "error"


def test_a64_no_network_and_a_region_that_is_not_served():
    assert findings(nobody()) == {"network": "error"}
    with canned(says(451)) as (url, _):
        assert findings(url) == {"region": "error"}


def test_on_the_testnet_the_futures_account_answers_for_the_key(binance):
    async def conversation(exchange):
        exchange.environment = Environment.TESTNET
        return await check.key(exchange)

    known = binance.account({"futures": {"USDT": "5"}})
    assert [one.level for one in binance.talk(conversation, known)] == ["ok", "ok"]
    assert [one.about for one in binance.talk(conversation, "nobody")] == ["network", "key"]
    assert not [path for path in binance.asked() if path.startswith("/sapi")]


def test_a_clock_that_is_wrong_is_set_right_first(binance):
    """The offset to the exchange's own time: a machine that is an hour off is no broken key."""
    binance.clock(START + timedelta(hours=1))
    assert findings(binance.url, keys_of(binance.account()))["key"] == "ok"
