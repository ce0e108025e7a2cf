"""The live loop over HTTP on a virtual clock gives the trades of a backtest, however often it is ended."""

from __future__ import annotations

import random
import subprocess
from datetime import UTC, datetime

from commands import NAVBOOK, SHARED, clean_environment, navbook
from navbook import settings
from navbook.exchange.client import Exchange
from navbook.trader.journal import Journal
from test_sandbox_support import MINUTE, START, started
from traders import TRADING, backtested, ms, same_trades, trading_floor, until

RECORDED = SHARED / "candles" / "um"
DAY = 1440 * MINUTE


def recorded_folder(folder, *symbols):
    """Real futures candles and funding rates, as a sandbox takes them."""
    folder.mkdir()
    for symbol in symbols:
        (folder / f"{symbol}-1m.parquet").symlink_to(RECORDED / f"{symbol}-1m-2025-05-04_06-03.parquet")
        (folder / f"{symbol}-funding.parquet").symlink_to(SHARED / "funding" / f"{symbol}-2025-03_06.parquet")
    return folder


def test_b50_a_day_lived_is_a_day_backtested(tmp_path, monkeypatch):
    """B11, B15, B16, B21, B24, B28: both sides, to the tick and the cent; real candles where they are, else made up."""
    symbol, first, arguments = "BTCUSDT", START, ()
    if RECORDED.exists():
        symbol, first = "SOLUSDT", ms(datetime(2025, 5, 12, tzinfo=UTC))
        arguments = ("--candles", recorded_folder(tmp_path / "candles", symbol))
    with trading_floor(tmp_path, monkeypatch, *map(str, arguments), start=first) as floor:
        floor.position("long", symbol, "LONG", tp_usdt=6.0, sl_usdt=5.0)
        floor.position("short", symbol, "SHORT", tp_usdt=7.5, sl_usdt=5.0, reopen_delay="7m", reopen_window="9m")
        floor.replay(first, first + DAY)
        wanted = backtested(floor.sandbox, floor.config, first, first + DAY)
        lived = floor.history()
        same_trades(until(lived, first + DAY), wanted)
        assert lived.height > 20
        assert floor.opened() == len(floor.trades())
        chains = {name: [trade for trade in floor.trades() if trade.name == name] for name in floor.positions}
        for chain in chains.values():    # each names the one that it reopened
            assert [trade.parent for trade in chain] == [None, *(trade.id for trade in chain[:-1])]
            assert [trade.reopen for trade in chain] == list(range(len(chain)))


class Killed(BaseException):
    """Nothing in navbook may catch it, as nothing catches a SIGKILL."""


def lethal(monkeypatch, chance):
    """Every request that writes and every write to the journal may be the last: before it, or after."""
    sent, run = Exchange.send, Journal._run

    def perhaps():
        if chance.random() < 0.02:
            raise Killed

    async def sending(self, *arguments, **named):
        perhaps()
        answer = await sent(self, *arguments, **named)
        perhaps()
        return answer

    def writing(self, *arguments):
        perhaps()
        done = run(self, *arguments)
        perhaps()
        return done

    monkeypatch.setattr(Exchange, "send", sending)
    monkeypatch.setattr(Journal, "_run", writing)


def test_b29_b30_killed_between_any_two_steps_it_gives_the_same_trades(tmp_path, monkeypatch):
    """The process ends at random moments, around what it writes; started again, it opens nothing twice."""
    monkeypatch.setattr("navbook.trader.entering.VISIBLE_S", 0.0)    # an order of a dead process needs no waiting here
    last, deaths = START + 120 * MINUTE, 0
    with trading_floor(tmp_path, monkeypatch) as floor:
        for side in ("LONG", "SHORT"):
            floor.position(side.lower(), side=side, tp_usdt=1.0, sl_usdt=1.5, reopen_delay="1m")
        with monkeypatch.context() as fatal:
            lethal(fatal, random.Random(7))
            while True:
                try:
                    floor.replay(START, last)
                    break
                except Killed:
                    deaths += 1
        assert deaths > 10
        same_trades(until(floor.history(), last), backtested(floor.sandbox, floor.config, START, last))
        filled = [trade for trade in floor.trades() if trade.quantity]
        assert floor.opened() == len(filled) > 6
        floor.look()
        assert not any(floor.naked.values())


def test_b30_a_replay_that_was_killed_goes_on(tmp_path):
    """Real processes and SIGKILL, at the command line."""
    last = START + 240 * MINUTE
    replay = ["trade", "replay", "--from", "2026-06-01T00:00", "--to", "2026-06-01T04:00"]
    with started() as sandbox:
        sandbox.account("main", permissions=TRADING, balances={"futures": {"USDT": "10000"}})
        variables = {f"NAVBOOK_MAIN_{part.upper()}": value for part, value in sandbox.keys["main"].items()}
        (tmp_path / "navbook.toml").write_text(
            f'sandbox_url = "{sandbox.url}"\n[accounts.main]\n[trade.long]\naccount = "main"\nsymbol = "BTCUSDT"\n'
            'side = "LONG"\ntp_usdt = 1\nsl_usdt = 1\nreopen_delay = "1m"\n')
        process = subprocess.Popen([NAVBOOK, *replay], cwd=tmp_path, env=clean_environment() | variables,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(3):    # it is in hedge mode, it has opened and closed
            process.stdout.readline()
        process.kill()
        process.communicate()
        assert START < sandbox.get("/sandbox/state")["now"] < last
        done = navbook(*replay, folder=tmp_path, variables=variables)
        assert done.returncode == 0, done.stderr
        assert sandbox.get("/sandbox/state")["now"] == last
        told = navbook("trade", "history", "--format", "csv", folder=tmp_path).stdout.splitlines()
        wanted = backtested(sandbox, settings.load(tmp_path / "navbook.toml"), START, last)
    assert told[0] == ("name,side,entry_time,entry_price,quantity,take_profit,stop_loss,exit_time,exit_price,reason,fee,"
                       "funding,pnl,reopen")
    assert [tuple(row.split(",")[2:4]) for row in told[1:]][:wanted.height] == [
        (f"{time:%Y-%m-%dT%H:%M:%SZ}", repr(price)) for time, price in wanted.select("entry_time", "entry_price").rows()]
    assert wanted.height > 4
