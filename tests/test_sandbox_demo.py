"""The built-in demo: three accounts, their flows and trades, on generated and on recorded prices."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from binance_sandbox.events import Deposit, Fill, Transfer, Withdrawal
from binance_sandbox.valuation import wallet_value
from binance_sandbox.world import Options, build_state
from test_sandbox_support import DAY, HOUR, START

REAL = Path(__file__).parents[2] / "shared/data/candles/spot"
WORLDS = [pytest.param(Options(scenario="demo", seed=seed, start=START - back * DAY), id=f"seed {seed}, {back} days back")
          for seed, back in ((1, 0), (2, 400), (3, 1200), (4, -1000))]
WORLDS.append(pytest.param(Options(scenario="demo", start=1_704_067_200_000, candles=REAL), id="recorded 2024",
                           marks=pytest.mark.skipif(not REAL.is_dir(), reason=f"the real candles are not at {REAL}")))


@pytest.mark.parametrize("options", WORLDS)
def test_no_balance_is_ever_negative(options):
    state = build_state(options)
    for event in sorted(state.ledger.events.values(), key=lambda event: event.time):
        for name in state.ledger.accounts:
            holdings = state.ledger.holdings(name, event.time)
            for wallet, assets in holdings.wallets.items():
                for asset, amounts in assets.items():
                    assert min(amounts.free, amounts.locked, amounts.withdrawing) >= 0, (name, wallet, asset, event.time)


def test_what_it_holds():
    state = build_state(Options(scenario="demo", start=START))
    accounts, events = state.ledger.accounts, state.ledger.events.values()
    assert {name: account.master for name, account in accounts.items()} == {"main": None, "swing": None, "sub": "main"}
    for account in accounts.values():
        assert len(account.api_key) == len(account.api_secret) == 64
        assert account.api_key.isalnum()
        assert [right for right, given in account.permissions.items() if given] == ["enableReading"]
    across = [event for event in events if isinstance(event, Transfer) and event.to != event.account]
    flows = [event for event in events if isinstance(event, Deposit | Withdrawal)] + across
    assert 12 <= len(flows) <= 16
    assert [(event.account, event.to) for event in across] == [("main", "sub")]
    assert {event.asset for event in flows} == {"BTC", "ETH", "USDT", "USDC"}
    assert sum(isinstance(event, Deposit) and event.transfer_type == 1 for event in events) == 1
    fills = [event for event in events if isinstance(event, Fill)]
    assert {fill.symbol for fill in fills} == {"BTCUSDT", "ETHUSDT"}
    assert 18 <= len(fills) <= 26
    assert min(event.time for event in events) > START + DAY
    assert max(event.time for event in events) < START + 88 * DAY
    assert all(event.time % HOUR for event in events)    # odd times


def test_where_it_ends():
    state = build_state(Options(scenario="demo", start=START))
    worth = wallet_value(state.market, state.ledger.holdings("main", START), "spot", "USDT", START)
    assert 28_000 < worth < 40_000
    swing = state.ledger.holdings("swing", START + 88 * DAY)
    open_positions = {symbol: position.amount for (symbol, _), position in swing.positions.items()}
    assert open_positions == {"BTCUSDT": Decimal("0.1"), "ETHUSDT": Decimal("-1.9")}
    assert "futures" not in state.ledger.holdings("main", START + 88 * DAY).wallets
    assert swing.wallets["funding"]["USDC"].free == 3700


def test_without_a_start_its_history_lies_behind_us():
    state = build_state(Options(scenario="demo"))
    assert state.start % (4 * HOUR) == 0
    assert 90 * DAY <= state.clock.now() - state.start < 90 * DAY + 4 * HOUR
    assert state.clock.speed == 1
