"""The engine on its clock: funding, liquidation, any path of the clock alike, and the books always even."""

from __future__ import annotations

import time
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_sandbox.accounts import read_account
from binance_sandbox.event_fields import read_event
from binance_sandbox.fields import Fields
from binance_sandbox.futures.model import CONDITIONAL, Algo, Order
from binance_sandbox.generator import Generator
from binance_sandbox.ledger import Ledger
from binance_sandbox.market import Market
from binance_sandbox.world import Options, build_state
from test_sandbox_futures_support import BTC, Trader
from test_sandbox_support import DAY, HOUR, MINUTE, START, running


@pytest.fixture
def sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def trader(sandbox):
    trader = Trader(sandbox)
    trader.price(60_000)
    return trader


# -- funding ---------------------------------------------------------------------------------------------------
def test_funding_is_paid_at_its_times_by_who_is_there(trader):
    trader.sandbox.control("funding", symbol=BTC, rate="0.0001")
    trader.market("BUY", "0.1")
    premium = trader.sandbox.get("/fapi/v1/premiumIndex", symbol=BTC)
    assert (premium["nextFundingTime"], premium["lastFundingRate"]) == (START + 8 * HOUR, "0.00010000")
    trader.wait(8 * HOUR - 1)
    assert trader.income("FUNDING_FEE") == []
    trader.wait(1)
    row = trader.income("FUNDING_FEE")[0]
    assert (row["income"], row["time"], row["asset"], row["symbol"], row["tradeId"]) == ("-0.60000000", START + 8 * HOUR, "USDT", BTC, "")
    assert trader.wallet() == D("10000") - 3 - D("0.6")
    trader.wait(16 * HOUR - 1)
    trader.market("SELL", "0.1")    # a moment before the fourth
    trader.wait(DAY)
    assert [row["time"] for row in trader.income("FUNDING_FEE")] == [START + 8 * HOUR, START + 16 * HOUR]
    trader.market("SELL", "0.1")
    trader.wait(8 * HOUR)
    assert trader.income("FUNDING_FEE")[-1]["income"] == "0.60000000"    # a short is paid


def test_a_symbol_has_its_own_interval(trader):
    trader.price(150, "SOLUSDT")
    trader.sandbox.control("funding", symbol="SOLUSDT", rate="-0.0002", interval_hours=1)
    trader.market("BUY", "10", symbol="SOLUSDT")
    trader.wait(3 * HOUR)
    rows = trader.income("FUNDING_FEE")
    assert [(row["income"], row["time"]) for row in rows] == [("0.30000000", START + hour * HOUR) for hour in (1, 2, 3)]
    assert [row["fundingTime"] for row in trader.sandbox.get("/fapi/v1/fundingRate", symbol="SOLUSDT", startTime=START + 1)] == [
        START + hour * HOUR for hour in (1, 2, 3)]
    info = {row["symbol"]: row["fundingIntervalHours"] for row in trader.sandbox.get("/fapi/v1/fundingInfo")}
    assert (info["SOLUSDT"], info[BTC]) == (1, 8)


def test_seeded_rates_are_small_and_the_history_says_what_was_paid(trader):
    trader.market("BUY", "0.1")
    trader.wait(30 * DAY)
    history = {row["fundingTime"]: row for row in trader.sandbox.get("/fapi/v1/fundingRate", symbol=BTC, limit=1000)}
    paid = trader.income("FUNDING_FEE", startTime=START, endTime=START + 30 * DAY)
    assert len(paid) == 90
    assert all(abs(D(row["fundingRate"])) <= D("0.003") for row in history.values())
    for row in paid:
        due = history[row["time"]]
        assert D(row["income"]) == -(D("0.1") * D(due["markPrice"]) * D(due["fundingRate"])).quantize(D("1e-8"))
    assert {row["rateType"] for row in history.values()} == {"Regular"}


def test_funding_changes_an_isolated_position_s_own_margin(trader):
    trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    trader.sandbox.control("funding", symbol=BTC, rate="0.001")
    trader.market("BUY", "0.1")
    trader.wait(8 * HOUR)
    assert trader.positions()[f"{BTC} BOTH"]["isolatedWallet"] == "294.00000000"    # 300 less 6
    assert trader.asset()["crossWalletBalance"] == "9697.00000000"


def test_told_positions_pay_none_until_an_order_joins_them(trader):
    trader.sandbox.control("events", type="fill", market="futures", account="alice", symbol=BTC, side="BUY", quantity="0.1")
    trader.wait(DAY)
    assert trader.income("FUNDING_FEE") == []
    trader.market("BUY", "0.1")
    trader.wait(DAY)
    assert len(trader.income("FUNDING_FEE")) == 3


# -- liquidation -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("side", "price", "low", "high"), [("BUY", "57228.91566265", 57_000, 60_000), ("SELL", "62749.00398406", 60_000, 63_000)])
def test_an_isolated_position_is_liquidated_on_its_price(trader, side, price, low, high):
    """0.1 BTC at 60 000 with 300 of margin: (300 - 6000) / (0.0004 - 0.1); the rest of the wallet is safe."""
    trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    trader.market(side, "0.1")
    assert trader.positions()[f"{BTC} BOTH"]["liquidationPrice"] == price
    order = trader.limit("BUY", "0.1", 57_100) if side == "SELL" else trader.limit("SELL", "0.1", 62_900)
    last = low if side == "BUY" else high
    trader.candles((60_000, high, low, last), start=START + MINUTE)
    trader.wait(2 * MINUTE)
    assert trader.amounts() == {}
    forced = trader.ask("GET", "v1/forceOrders", symbol=BTC)[0]
    assert (forced["status"], forced["timeInForce"], forced["clientOrderId"][:10]) == ("FILLED", "IOC", "autoclose-")
    assert trader.trades()[-1]["price"] == price
    assert trader.order(order["orderId"])["status"] == "CANCELED"
    assert trader.wallet() == D("9697")    # fee of the entry; what was left of 300 went to the insurance fund
    rows = {row["incomeType"]: D(row["income"]) for row in trader.income()}
    assert rows["REALIZED_PNL"] + rows["INSURANCE_CLEAR"] == -300


def test_a_cross_wallet_goes_with_all_its_positions(sandbox):
    trader = Trader(sandbox, usdt="1000")
    trader.price(60_000)
    trader.price(2000, "ETHUSDT")
    trader.market("BUY", "0.2")    # 12 000
    trader.market("BUY", "1", symbol="ETHUSDT")
    rows = trader.positions()
    # (993 - 8 (ETH's margin) - 12 000) / (0.0008 - 0.2)
    assert rows[f"{BTC} BOTH"]["liquidationPrice"] == "55296.18473895"
    trader.price(55_291)
    assert trader.amounts() == {}
    assert trader.wallet() == 0
    assert {order["symbol"] for order in trader.ask("GET", "v1/forceOrders")} == {BTC, "ETHUSDT"}
    assert trader.refused("POST", "v1/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.01") == -2019


def test_a_jump_far_beyond_is_borne_by_the_insurance_fund(trader):
    trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    trader.market("BUY", "0.1")
    trader.price(40_000)
    assert trader.wallet() == D("9697")
    assert trader.income("INSURANCE_CLEAR")[0]["income"] == "1700.00000000"    # 2000 lost, 300 there


def test_a_stop_before_the_liquidation_price_saves_the_rest(trader):
    trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    trader.market("BUY", "0.1")
    trader.algo("SELL", "STOP_MARKET", 57_500, closePosition="true", workingType="MARK_PRICE")
    trader.candles((60_000, 60_000, 50_000, 50_000), start=START + MINUTE)
    trader.wait(2 * MINUTE)
    assert trader.ask("GET", "v1/forceOrders") == []
    assert trader.trades()[-1]["price"] == "57500.00"


# -- the clock -------------------------------------------------------------------------------------------------
def test_the_clock_goes_back_only_over_nothing(trader):
    trader.wait(HOUR)
    trader.sandbox.control("clock", advance_ms=-HOUR // 2)
    trader.market("BUY", "0.1")
    refused = trader.sandbox.control("clock", advance_ms=-1, expect=400)
    assert refused["key"] == "now"
    assert str(START + HOUR // 2) in refused["error"]
    trader.wait(MINUTE)
    trader.sandbox.control("clock", advance_ms=-MINUTE)    # nothing happened in between
    assert trader.amounts() == {f"{BTC} BOTH": "0.100"}


def test_what_the_engine_did_to_a_told_position_is_undone_with_the_clock(sandbox):
    trader = Trader(sandbox, usdt="1000")
    trader.price(60_000)
    sandbox.control("events", type="fill", market="futures", account="alice", symbol=BTC, side="BUY", quantity="0.2")
    trader.candles((60_000, 60_000, 50_000, 50_000), start=START + HOUR)
    for _ in range(2):
        trader.wait(DAY)
        assert (trader.amounts(), trader.wallet(), len(trader.ask("GET", "v1/forceOrders"))) == ({}, 0, 1)
        sandbox.set_clock(START)
        assert (trader.amounts(), trader.wallet(), trader.ask("GET", "v1/forceOrders")) == ({f"{BTC} BOTH": "0.200"}, 1000, [])


def test_recorded_gaps_hold_the_last_close(tmp_path):
    rows = [(0, 60_000, 60_000, 60_000, 60_000), (1, 60_000, 60_000, 60_000, 60_000), (30, 58_000, 58_500, 58_000, 58_200)]
    text = "open_time,open,high,low,close,volume\n" + "".join(
        f"{START + minute * MINUTE},{','.join(map(str, prices))},1\n" for minute, *prices in rows)
    (tmp_path / "BTCUSDT-1m.csv").write_text(text)
    with running("--candles", str(tmp_path)) as sandbox:
        trader = Trader(sandbox)
        trader.market("BUY", "0.1")
        row = trader.algo("SELL", "STOP_MARKET", 59_000, closePosition="true")
        trader.wait(HOUR)
        seen = trader.algo_state(row["algoId"])
        assert (seen["triggerTime"], seen["actualPrice"]) == (START + 30 * MINUTE, "58000.00000")


def test_the_same_requests_get_the_same_bytes():
    def life():
        with running("--seed", "5") as sandbox:
            trader = Trader(sandbox)
            first = trader.market("BUY", "0.1")
            trader.algo("SELL", "STOP_MARKET", str(int(float(sandbox.get("/fapi/v1/ticker/price", symbol=BTC)["price"]) * 0.97)), closePosition="true")
            trader.wait(20 * DAY)
            return [first, *(sandbox.signed(f"/fapi/{path}", symbol=BTC).raw for path in (
                "v1/allAlgoOrders", "v1/allOrders", "v1/userTrades", "v1/income", "v3/account", "v3/positionRisk"))]

    assert life() == life()


# -- properties ------------------------------------------------------------------------------------------------
SYMBOLS = (BTC, "ETHUSDT", "SOLUSDT")
SHARED = Generator(3)    # a pure function: its days are made once
STEP = 15_000
ORDERS = st.fixed_dictionaries({
    "wait": st.integers(0, 400), "symbol": st.sampled_from(SYMBOLS), "side": st.sampled_from(["BUY", "SELL"]),
    "what": st.sampled_from(["MARKET", "MARKET", "LIMIT", *CONDITIONAL]), "account": st.sampled_from(["a", "b"]),
    "size": st.integers(1, 60), "away": st.integers(1, 150), "close": st.booleans(),
})
PROPERTY = settings(database=None, deadline=None, max_examples=40)


def world(isolated):
    market = Market(SHARED)
    state = build_state(Options(start=START))
    state.market = market
    state.ledger = ledger = Ledger(market)
    state.__post_init__()
    for name in ("a", "b"):
        ledger.add_account(read_account(Fields({"name": name, "api_key": name, "api_secret": name,
                                                "balances": {"futures": {"USDT": "3000"}}}), START))
        desk = state.futures.desk(name)
        desk.leverages = dict.fromkeys(SYMBOLS, 50)
        desk.isolated = set(SYMBOLS) if isolated else set()
    return state


def act(state, order):
    """Place what `order` describes, if it can be, as the rules would."""
    engine, symbol, account = state.futures, order["symbol"], order["account"]
    contract, price = engine.contract(symbol), engine.price(symbol)
    sign = 1 if order["side"] == "BUY" else -1
    quantity = contract.step * max(1, int(D(order["size"]) * 40 / price / contract.step))
    away = price * order["away"] / 10_000
    if order["what"] in ("MARKET", "LIMIT"):
        engine.place(Order(id=engine.number("order"), account=account, symbol=symbol, client_id="", side=order["side"],
                           position_side="BOTH", type=order["what"], quantity=quantity, time=engine.time,
                           price=contract.on_tick(price - sign * away) if order["what"] == "LIMIT" else D(0)))
        return
    algo = Algo(id=engine.number("algo"), account=account, symbol=symbol, client_id="", type=order["what"], side=order["side"],
                position_side="BOTH", quantity=quantity, created=engine.time, close_position=order["close"], callback=D(1))
    algo.trigger = contract.on_tick(price + (away if algo.rises else -away))
    algo.price = algo.trigger if algo.type in ("STOP", "TAKE_PROFIT") else D(0)
    if not algo.reached(price) and not (algo.close_position and not engine.closable(account, symbol, "BOTH", algo.sign)):
        engine.place_algo(algo)


def live(orders, partition, isolated):
    """The state after all orders and some days, with the clock stopping at the moments of `partition`, too."""
    state, now = world(isolated), START
    moments = []
    for order in orders:
        now += order["wait"] * STEP * 7 + 1
        moments.append((now, order))
    end = now + 3 * DAY
    stops = sorted([*moments, *((START + part, None) for part in partition if START + part < end), (end, None)], key=lambda stop: stop[0])
    for moment, order in stops:
        state.futures.advance(moment)
        if order:
            act(state, order)
            check_books(state)
    check_books(state)
    return state


def check_books(state):
    """Wallet = opening + all income; positions = the sum of their fills; nothing is out of nowhere."""
    engine = state.futures
    for name, desk in engine.desks.items():
        book = state.ledger.holdings(name, engine.time)
        assert book.wallets["futures"]["USDT"].total == 3000 + sum(row.amount for row in desk.income)
        by_kind = {kind: sum(row.amount for row in desk.income if row.kind == kind) for kind in ("REALIZED_PNL", "COMMISSION")}
        assert by_kind == {"REALIZED_PNL": sum(trade.profit for trade in desk.trades), "COMMISSION": -sum(trade.commission for trade in desk.trades)}
        for symbol in SYMBOLS:
            sides = [(1 if trade.side == "BUY" else -1) * trade.quantity for trade in desk.trades if trade.symbol == symbol]
            position = book.positions.get((symbol, "BOTH"))
            assert (position.amount if position else 0) == sum(sides)
            if position:
                assert position.isolated >= 0 or desk.isolated
                assert bool(position.amount) or not position.isolated
        for order in desk.orders.values():
            filled = sum(trade.quantity for trade in desk.trades if trade.order == order.id)
            assert order.executed == filled
            assert order.open == (order.id in desk.open_orders)


def seen(state):
    engine = state.futures
    return {name: (desk.orders, desk.algos, desk.trades, desk.income, state.ledger.holdings(name, engine.time).wallets,
                   state.ledger.holdings(name, engine.time).positions) for name, desk in engine.desks.items()}


@PROPERTY
@given(orders=st.lists(ORDERS, min_size=1, max_size=8), isolated=st.booleans(),
       partition=st.lists(st.integers(0, 4 * DAY), max_size=30))
def test_any_partition_of_the_clock_gives_the_same_world(orders, isolated, partition):
    assert seen(live(orders, partition, isolated)) == seen(live(orders, [], isolated))


@settings(PROPERTY, max_examples=6)
@given(orders=st.lists(ORDERS, min_size=2, max_size=6), isolated=st.booleans())
def test_looking_at_every_point_finds_no_more(orders, isolated):
    """The scan that passes over quiet minutes misses nothing: a clock that stops every quarter minute agrees."""
    partition = [START + 60 * MINUTE + step * STEP - START for step in range(4 * 240)]
    assert seen(live(orders, partition, isolated)) == seen(live(orders, [], isolated))


def test_a_late_event_leaves_what_was_done_alone(trader):
    trader.market("BUY", "0.1")
    trader.wait(HOUR)
    trader.sandbox.control("events", type="transfer", account="alice", asset="USDT", amount="0", from_wallet="futures", to_wallet="spot", time=START - HOUR)
    trader.sandbox.control("events", type="fill", market="futures", account="alice", symbol=BTC, side="BUY", quantity="0.1", price="50000", time=START - HOUR)
    row = trader.positions()[f"{BTC} BOTH"]
    assert (row["positionAmt"], row["entryPrice"]) == ("0.200", "55000")
    assert [trade["qty"] for trade in trader.trades()] == ["0.100", "0.100"]


def test_events_of_a_scenario_read_as_before():
    """A fill in the future counts from its time on, and its position is the engine's from then."""
    state = world(isolated=False)
    event = {"type": "fill", "market": "futures", "account": "a", "symbol": BTC, "side": "BUY", "quantity": "0.01", "time": START + DAY}
    state.ledger.add_event(read_event(Fields(event), START, state.ledger.events))
    state.futures.advance(START + 2 * DAY)
    assert state.futures.position("a", BTC, "BOTH").amount == D("0.01")
    assert not state.futures.position("a", BTC, "BOTH").traded


def test_a_year_in_a_few_seconds():
    """Three accounts, nine positions, each with both exits: 500 hourly steps are to take less than two seconds."""
    state = world(isolated=False)
    for name in ("a", "b"):
        for symbol in SYMBOLS:
            act(state, {"account": name, "symbol": symbol, "side": "BUY", "what": "MARKET", "size": 5, "away": 0, "close": False})
    began = time.perf_counter()
    for hour in range(500):
        state.futures.advance(START + (hour + 1) * HOUR)
    assert time.perf_counter() - began < 4    # 8760 steps in 30 s would be 1.7; this machine may be busy
