"""Margins, brackets and liquidation prices: cases worked by hand, and the recorded positions."""

from __future__ import annotations

import json
from decimal import Decimal as D
from pathlib import Path

import pytest

from binance_sandbox.futures.contracts import BRACKETS, OTHERS, brackets, contract_of
from binance_sandbox.futures.margin import Leg, liquidation_price, maintenance
from binance_sandbox.pairs import KNOWN

RECORDED = Path(__file__).parents[2] / "shared/data/api/recorded"
BTC, ETH = contract_of(KNOWN["BTCUSDT"]), contract_of(KNOWN["ETHUSDT"])


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"the recordings are not at {RECORDED}")
def test_brackets_are_the_recorded_ones():
    """Floors and cums follow from caps and rates by the recurrence of BINANCE.md 8.1."""
    recorded = json.loads((RECORDED / "leverage-brackets-subset.json").read_text())
    for base in (*BRACKETS, "ADA"):
        ours = brackets(BRACKETS.get(base, OTHERS))
        theirs = [row["info"] for row in recorded[f"{base}/USDT:USDT"]]
        assert [(row.leverage, row.floor, row.cap, row.rate, row.cum) for row in ours] == [
            (int(row["initialLeverage"]), D(row["notionalFloor"]), D(row["notionalCap"]), D(row["maintMarginRatio"]),
             D(row["cum"])) for row in theirs], base


@pytest.mark.parametrize(("notional", "margin"), [
    (D(0), D(0)),
    (D(50_000), D(200)),            # the cap still belongs to the first bracket
    (D(50_001), D("200.005")),      # 0.5 % of it less 50: the margin has no jump
    (D(600_000), D(2950)),
    (D(1_000_000), D(5550)),        # 0.65 % less 950
])
def test_maintenance_margin(notional, margin):
    assert maintenance(BTC, notional) == margin


@pytest.mark.parametrize(("legs", "wallet", "price"), [
    # BINANCE.md 8.1 has 54216.87 with 0.4 %; at 1 BTC the bracket at 54 000 is the second: (6000 + 50 - 60000) / (0.005 - 1)
    pytest.param([("1", "60000")], "6000", "54221.10552763", id="isolated long, second bracket"),
    pytest.param([("0.1", "60000")], "600", "54216.86746987", id="a tenth of it: the first bracket, 0.4 %"),
    pytest.param([("-0.1", "60000")], "600", "65737.05179282", id="short: (600 + 6000) / (0.0004 + 0.1)"),
    pytest.param([("0.1", "60000")], "7000", "0", id="more than the position is worth: none"),
    pytest.param([("0.1", "60000"), ("-0.1", "61000")], "100", "0", id="a balanced hedge has none"),
    pytest.param([("0.2", "60000"), ("-0.1", "60000")], "600", "54655.87044534", id="hedge: one price for both sides"),
])
def test_liquidation_price(legs, wallet, price):
    found = liquidation_price(BTC, [Leg(D(amount), D(entry)) for amount, entry in legs], D(wallet))
    assert found == D(price)


def test_other_positions_count_on_a_cross_wallet():
    """1000 of loss elsewhere is 1000 less wallet; so is their maintenance margin."""
    leg = [Leg(D("0.1"), D(60000))]
    assert (liquidation_price(BTC, leg, D(3000), other_maintenance=D(100), other_profit=D(-1000))
            == liquidation_price(BTC, leg, D(1900)))


def test_the_bracket_is_the_one_at_the_liquidation_price():
    """50 BTC bought at 60000 (3 000 000, third bracket): liquidated in it, not in a lower one's terms."""
    price = liquidation_price(BTC, [Leg(D(50), D(60000))], D(300_000))
    notional = 50 * price
    assert BTC.bracket(notional).number == 3
    left = D(300_000) + 50 * (price - 60000)
    assert left == pytest.approx(maintenance(BTC, notional), abs=D("0.001"))


def test_the_recorded_position_of_2024():
    """ccxt-static-responses: 0.009 BTC at 67445.9, LP 64846.98753790; the wallet that this means gives it back."""
    amount, entry, price = D("0.009"), D("67445.9"), D("64846.98753790")
    wallet = amount * (entry - price) + maintenance(BTC, amount * price)
    assert liquidation_price(BTC, [Leg(amount, entry)], wallet) == pytest.approx(price, abs=D("1e-7"))
    assert (amount * D("67502.68519858") * D("0.004")).quantize(D("1e-8")) == D("2.43009667")    # recorded: ...666, cut


@pytest.mark.parametrize(("leverage", "most"), [(125, 50_000), (100, 600_000), (21, 70_000_000), (20, 100_000_000), (1, 1_800_000_000)])
def test_the_largest_position_at_a_leverage(leverage, most):
    assert BTC.most_notional(leverage) == most
