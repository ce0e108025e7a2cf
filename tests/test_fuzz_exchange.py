"""A whole collection in which any answer may be spoilt: what is right is kept, what is not is told, nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import astuple
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import START, keys_of, local_binance
from fuzzing import ANYTHING, LEAVES, as_json, examples, in_time, spoilt, tried
from navbook import schemas, settings
from navbook.errors import NavbookError, RequestRejected
from navbook.exchange import client, contracts, market_history, orders_read, values
from navbook.exchange.client import Answer, Exchange
from navbook.runner.collecting import Collector
from navbook.runner.harvest import Harvest
from navbook.runner.known import Known
from navbook.types import Environment

NOW = START + timedelta(hours=2)
BALANCES = {"spot": {"USDT": "100", "BTC": "0.5"}, "funding": {"USDT": "7"}, "futures": {"USDT": "3000"}, "coin_futures": {"BTC": "0.5"},
            "margin": {"ETH": "2"}, "isolated_margin": {"SOL": "3", "USDT": "4"},
            "earn_flexible": {"BTC": "0.1", "BFUSD": "50"}, "earn_locked": {"ETH": "1.5"}}
EVENTS = (
    ("deposit", {"asset": "USDT", "amount": "5"}), ("withdrawal", {"asset": "USDT", "amount": "3", "fee": "1"}),
    ("withdrawal", {"asset": "USDT", "amount": "2", "status": 4}), ("pay", {"asset": "USDT", "amount": "7"}),
    ("pay", {"asset": "USDT", "amount": "-8"}), ("fiat", {"side": "deposit", "asset": "EUR", "amount": "100", "fee": "1"}),
    ("fiat", {"side": "buy", "asset": "EUR", "amount": "20", "coin": "BTC", "coin_amount": "0.004"}),
    ("c2c", {"side": "BUY", "asset": "USDT", "amount": "11", "fiat": "EUR", "total_price": "10", "fee": "0.5"}),
    ("dividend", {"asset": "BNB", "amount": "1", "info": "Launchpool"}), ("reward", {"asset": "BTC", "amount": "0.01"}),
    ("convert", {"from_asset": "USDT", "from_amount": "20", "to_asset": "BNB", "to_amount": "0.06"}),
    ("dust", {"from_asset": "BNB", "from_amount": "0.1", "to_amount": "0.001", "to_asset": "BTC"}),
    ("transfer", {"from_wallet": "spot", "to_wallet": "funding", "asset": "USDT", "amount": "9"}),
    ("fill", {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "50000", "market": "futures", "commission": "0.2"}))


class Wire(SimpleNamespace):
    """python-binance, of which nobody calls anything here."""

    timestamp_offset = 0

    def __getattr__(self, name: str) -> None:
        return None


class Recorded(Exchange):
    """Answers from a recording; `other` in the place of one of them."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.environment, self.answers, self.wire = Environment.SANDBOX, answers, Wire()
        self.heard = lambda endpoint, answer: None
        self.asked = 0

    async def ask(self, endpoint: str, call: Callable[..., Awaitable[Any]], **params: Any) -> Answer:
        self.asked += 1
        assert self.asked < 2000, f"asks for ever: {endpoint}"
        answer = self.answers.get(key_of(endpoint, params))
        if answer is None:
            raise RequestRejected(endpoint, -1100, "This was never asked for.")
        self.heard(endpoint, answer)
        return answer


def key_of(endpoint: str, params: dict[str, Any]) -> str:
    return f"{endpoint} {sorted(params.items())}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The settings of an account that has everything, and what was answered to a collection of it."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "navbook.toml").write_text('[benchmark]\nrebalance = "never"\n[accounts.main]\n', encoding="utf-8")
    config, answers = settings.load(folder / "navbook.toml"), {}

    with pytest.MonkeyPatch.context() as patch, local_binance() as binance:
        patch.setenv("XDG_STATE_HOME", str(folder))
        name = binance.account(BALANCES)
        binance.account(master=name)
        for minute, (kind, fields) in enumerate(EVENTS):
            binance.event(kind, name, START + timedelta(minutes=minute), **fields)
        binance.clock(NOW)
        asking = Exchange.ask

        async def recording(exchange: Exchange, endpoint: str, call: Any, **params: Any) -> Answer:
            answers[key_of(endpoint, params)] = answer = await asking(exchange, endpoint, call, **params)
            return answer

        async def record() -> dict[str, pl.DataFrame]:
            async with client.connect(Environment.SANDBOX, binance.url) as public, client.connect(
                    Environment.SANDBOX, binance.url, keys_of(name)) as private:
                found = await collected(config, public, private)
                await trading(private)
                return found

        patch.setattr(Exchange, "ask", recording)
        found = asyncio.run(record())
    return SimpleNamespace(config=config, answers=answers, found=found, keys=sorted(answers))


async def collected(config: settings.Settings, public: Exchange, private: Exchange) -> dict[str, pl.DataFrame]:
    """The facts of one collection, by table."""
    harvest, known = Harvest(), Known.read(config)
    collector = Collector(config, ["main"], known, public, {"main": private})
    readings = await collector.read(harvest, lookback=timedelta(days=1))
    await collector.candles(harvest, readings[0].time)
    harvest.frames["snapshots"] = [harvest.snapshots(config)] if "snapshots" in harvest.frames else []
    return {name: harvest.frame(schemas.FACTS[name]) for name in harvest.frames} | {"problems": harvest.problems}


async def trading(exchange: Exchange) -> None:
    """Everything that a trader and a backtest ask beside."""
    found = await contracts.read(exchange, {"BTCUSDT"})
    for contract in found.values():
        assert contract.most_leverage >= contract.leverage_for(1000.0) >= 0
    for call in (orders_read.held(exchange), orders_read.cross_margin(exchange), orders_read.is_hedged(exchange),
                 orders_read.symbol_settings(exchange), orders_read.price(exchange, "BTCUSDT"), orders_read.clock(exchange),
                 orders_read.open_orders(exchange, "BTCUSDT"), orders_read.open_conditional(exchange, "BTCUSDT"),
                 orders_read.fills(exchange, "main", "BTCUSDT", START, NOW), orders_read.funding(exchange, "main", "BTCUSDT", START, NOW),
                 orders_read.funding_rate(exchange, "BTCUSDT", START), orders_read.may_withdraw(exchange),
                 market_history.minutes(exchange, "um", "BTCUSDT", START, START + timedelta(minutes=5), NOW),
                 market_history.settlements(exchange, "BTCUSDT", START - timedelta(days=1), START, NOW),
                 market_history.symbol_filters(exchange, "BTCUSDT", NOW)):
        with suppress(NavbookError):
            await call


def attempt(world: SimpleNamespace, answers: dict[str, Answer]) -> dict[str, Any] | NavbookError:
    return tried(lambda: asyncio.run(collected(world.config, Recorded(answers), Recorded(answers))))


def test_a_recording_gives_what_the_exchange_gave(world):
    """So that what follows differs by what was spoilt alone."""
    found = attempt(world, world.answers)
    assert isinstance(found, dict)
    assert found["problems"] == []
    assert {name: kept(name, found) for name in found} == {name: kept(name, world.found) for name in world.found}
    assert {"cash_flows", "transfers", "rewards", "converts", "income", "fills", "balances", "prices", "candles"} <= set(found)
    assert found["balances"]["wallet"].n_unique() >= 8


def kept(name: str, found: dict[str, Any]) -> Any:
    return found[name] if name == "problems" else found[name].sort(schemas.FACTS[name].key).rows()


@given(data=st.data())
@examples(60, weight=8)
def test_a_spoilt_answer_is_told_and_spoils_nothing_else(world, data):
    key = data.draw(st.sampled_from(world.keys))
    other = data.draw(spoilt(world.answers[key].payload))
    found = attempt(world, world.answers | {key: said(other)})
    if isinstance(found, dict):
        no_nonsense(found)


@given(data=st.data())
@examples(30, weight=16)
def test_a_spoilt_answer_to_a_trader_is_told(world, data):
    key = data.draw(st.sampled_from([key for key in world.keys if "/fapi/" in key or "apiRestrictions" in key]))
    other = data.draw(spoilt(world.answers[key].payload))
    tried(lambda: asyncio.run(trading(Recorded(world.answers | {key: said(other)}))))


def said(payload: Any) -> Answer:
    """As it comes over the wire: a number too long for Python is an answer that is not JSON, and never gets here."""
    body = as_json(payload)
    try:
        return Answer(body, json.loads(body, parse_float=Decimal))
    except ValueError:
        return Answer("null", None)


def no_nonsense(found: dict[str, Any]) -> None:
    """Nothing that counts is null or below what it can be, and only an account that was read whole is complete."""
    for name, optional in (("balances", ()), ("prices", ()), ("transfers", ()), ("fills", ()), ("rewards", ("note",)), ("converts", ()),
                           ("cash_flows", ("tx_id", "counterparty", "note"))):
        if name in found:
            assert not [column for column in found[name].columns if column not in optional and found[name][column].has_nulls()], name
    if "cash_flows" in found:
        assert found["cash_flows"].filter((pl.col("amount") < 0) | (pl.col("fee") < 0)).is_empty()
        assert found["cash_flows"].filter(pl.col("time").dt.year().is_between(1970, 2100).not_()).is_empty()
    if "prices" in found:
        assert found["prices"].filter(pl.col("price") < 0).is_empty()
    if found["problems"] == [] and "snapshots" in found:
        assert set(found["snapshots"]["grade"]) <= {"complete", "provisional"}


# -- single values ----------------------------------------------------------------------------------------------------
@given(LEAVES | ANYTHING)
@examples(300)
def test_an_amount_is_the_number_that_was_said_or_none(value):
    """To the eighteenth decimal, which no asset on Binance goes beyond."""
    try:
        number = values.amount(value)
    except ValueError:
        return
    exact = Decimal(str(value))
    assert number.is_finite()
    assert abs(number - exact) <= Decimal("5e-19")
    assert exact.as_tuple().exponent < -18 or number == exact


@given(LEAVES | ANYTHING)
@examples(300)
def test_every_single_value_is_read_or_refused_in_a_sentence(value):
    for read in (values.amount, values.moved, values.text, values.identity, values.integer, values.flag, values.from_ms, values.from_text,
                 values.words):
        try:
            with in_time():
                found = read(value)
        except (ValueError, TypeError, ArithmeticError, AttributeError):    # what `rows.UNREADABLE` names
            continue
        assert found is None or isinstance(found, (str, int, Decimal)) or found.tzinfo is not None


@given(ANYTHING)
@examples(100)
def test_the_totals_of_futures_are_read_or_refused(payload):
    found = tried(lambda: orders_read.wallet_of(payload))
    assert isinstance(found, NavbookError) or all(number.is_finite() for number in astuple(found))
