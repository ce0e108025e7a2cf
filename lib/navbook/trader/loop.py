"""A trader at work on one account: one check, check after check as time passes, or a replay on the sandbox's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing

from navbook import vault
from navbook.compute.brackets import MINUTE
from navbook.compute.decisions import TradeState
from navbook.errors import ExchangeError, ExchangeUnavailable, NavbookError, SettingsInvalid
from navbook.exchange import client, orders_read
from navbook.runner import alerts
from navbook.runner.sandbox import Sandbox
from navbook.settings import Settings
from navbook.trader import adopting, checking, keeping, modes, plans, wishes
from navbook.trader.desk import Desk, at
from navbook.trader.journal import ENDING, Journal, place
from navbook.trader.plans import Plan
from navbook.types import Environment, Purpose

POLL_S = {Environment.SANDBOX: 0.2, Environment.TESTNET: 2.0}    # the sandbox's clock may jump
RETRY_S = 30.0               # after a check that failed as a whole, unless the host says when
STORE_EVERY_S = 60.0
HEARTBEAT_S = 5.0
WALLET_EVERY_S = 30.0        # for pages without a key
REPLAY_TRIES, REPLAY_WAIT_S, REPLAY_LONGEST_S = 8, 0.2, 3.0    # of one check, before a replay goes on as time would
EXPOSED_MS = 5000            # a check that left something to do while a position was open is made again so soon

Told = Callable[[str], None]


class Trader:
    """The positions of one account; made by `at_work`."""

    def __init__(self, config: Settings, desk: Desk, positions: Sequence[Plan]) -> None:
        self.config, self.desk, self.plans = config, desk, positions
        self.ending = asyncio.Event()    # finish the step in hand, then end
        self._stored_at, self._beat_at, self._wallet_at = time.monotonic(), -HEARTBEAT_S, -WALLET_EVERY_S

    async def check(self, now: int) -> bool:
        """One check at `now`; False when something is left to do. Raises `ExchangeError`."""
        well = await checking.check(self.desk, self.plans, now)
        self._beat(now, "" if well else "the last check left something to do")
        await self._alert(well=well)
        if time.monotonic() - self._stored_at > STORE_EVERY_S:
            self.store()
        return well

    async def _alert(self, *, well: bool) -> None:
        """Send what a person should look at, after the check: a slow messenger must not keep a stop waiting.

        A check that went well ends the alerts of those before.
        """
        cause, found = f"trader of {self.desk.account}", dict(self.desk.alerts)
        self.desk.alerts.clear()
        try:
            for name, said in found.items():
                await asyncio.to_thread(alerts.trouble, self.config, f"{cause}: {name}" if name else cause, said,
                                        alerts.Level.CRITICAL)
            for opened in [each for each in alerts.opened(self.config) if each.startswith(cause)] if well else ():
                if opened.removeprefix(cause).removeprefix(": ") not in found:
                    await asyncio.to_thread(alerts.over, self.config, opened, "A check went well again.")
        except NavbookError as problem:
            self.desk.say("", "alert", f"An alert could not be sent: {problem}", "warning")

    def _beat(self, now: int, trouble: str) -> None:
        """What `status` shows; not with every quiet check, for each is a write to the disk."""
        if trouble or time.monotonic() - self._beat_at > HEARTBEAT_S or self.desk.journal.read("trouble"):
            self._beat_at = time.monotonic()
            self.desk.journal.write("checked", now)
            self.desk.journal.write("trouble", trouble)

    async def _note_wallet(self) -> None:
        """Its figures go into the journal: whoever serves the trading page has no key to ask for them."""
        self._wallet_at = time.monotonic()
        try:
            wallet = await orders_read.wallet(self.desk.exchange)
        except ExchangeError as problem:
            self.desk.say("", "wallet", f"The wallet could not be read: {problem}", "warning")
        else:
            self.desk.journal.note_wallet(self.desk.now, wallet)

    def store(self) -> None:
        """What the journal learnt goes into the store's tables, or does with a later try."""
        keeping.try_to_store(self.config, self.desk)
        self._stored_at = time.monotonic()

    # -- as time passes ------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Check after check until `ending` is set, or `navbook trade stop` asks for it."""
        due = 0
        while not self.ending.is_set():
            pause = POLL_S[self.config.environment]
            try:
                self.desk.now = await orders_read.clock(self.desk.exchange)
                asked = await self._wishes()
                if self.ending.is_set():
                    break
                if asked or self.desk.now >= due:
                    well = await self.check(self.desk.now)
                    due = checking.next_check(self.desk, self.plans, self.desk.now)
                    due = due if well or not self._is_exposed() else min(due, self.desk.now + EXPOSED_MS)
                if time.monotonic() - self._wallet_at > WALLET_EVERY_S:
                    await self._note_wallet()
                pause = min(pause, max(due - self.desk.now, 1) / 1000)
            except ExchangeError as problem:
                pause = self._failed(str(problem), problem)
                await self._alert(well=False)
            except NavbookError:
                raise
            except Exception as problem:    # the loop outlives its own faults, and says so
                pause = self._failed(f"The check failed: {type(problem).__name__}: {problem}", problem)
                await self._alert(well=False)
            await self._sleep(pause)

    def _failed(self, said: str, problem: Exception) -> float:
        """Say it, show it in the status; seconds until the next try."""
        self.desk.say("", "failed", said, "alert")
        self._beat(self.desk.now, said)
        wanted = problem.retry_after if isinstance(problem, ExchangeUnavailable) else None
        return max(wanted or 0.0, min(RETRY_S, 10 * POLL_S[self.config.environment]))

    async def _wishes(self) -> bool:
        """Do what other processes asked; whether there was anything."""
        if self.desk.journal.read(ENDING):
            self.ending.set()
        asked = self.desk.journal.asked()
        for number, what, name, content in asked:
            try:
                said = await wishes.fulfil(self, what, name, **content)
                self.desk.journal.answer(number, said)
            except NavbookError as problem:
                self.desk.journal.answer(number, str(problem), failed=True)
            except Exception as problem:    # asked again with each look, it would keep all checks away
                self.desk.journal.answer(number, f"{type(problem).__name__}: {problem}", failed=True)
                raise
        return bool(asked)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ending.wait(), seconds)
        except TimeoutError:
            return

    # -- on the sandbox's clock ----------------------------------------------------------------------------------
    async def replay(self, first: int, last: int, progress: Callable[[int, int], None]) -> None:
        """Move the sandbox's clock from check to check in [first, last], both included.

        A replay that was ended begins with the check of the sandbox's present time. Raises `SettingsInvalid` where
        there is no sandbox, `ExchangeError`.
        """
        if self.config.environment is not Environment.SANDBOX or not self.config.sandbox_url:
            raise SettingsInvalid("A replay moves the clock of the exchange, which only a sandbox lets it: set "
                                  "environment = \"sandbox\" and sandbox_url.")
        sandbox = Sandbox(self.config.sandbox_url)
        now = await orders_read.clock(self.desk.exchange)
        if not (self.desk.journal.trades() and first <= now <= last):
            now = first
        while True:
            self._move(sandbox, now)
            await self._surely(now)
            if self.ending.is_set() or now >= last:
                break
            progress((now - first) // MINUTE, -(-(last - first) // MINUTE))
            now = min(checking.next_check(self.desk, self.plans, now), last)
        self._beat_at = -HEARTBEAT_S
        self._beat(now, self.desk.journal.read("trouble") or "")
        await self._note_wallet()

    def _move(self, sandbox: Sandbox, now: int) -> None:
        sandbox.set_clock(at(now))
        self.desk.exchange.wire.timestamp_offset = now - int(time.time() * 1000)

    async def _surely(self, now: int) -> None:
        """One check, made again where the exchange could not be reached: on a clock that stands it is still now."""
        for attempt in range(REPLAY_TRIES):
            try:
                if await self.check(now) or not self._is_exposed():
                    return
            except ExchangeError as problem:
                wait = self._failed(str(problem), problem) if isinstance(problem, ExchangeUnavailable) else 0.0
                if attempt + 1 == REPLAY_TRIES:
                    self.desk.say("", "failed", str(problem), "alert")
                    return
                await self._sleep(wait if wait > RETRY_S else 0.0)
            await self._sleep(min(REPLAY_WAIT_S * 2 ** attempt, REPLAY_LONGEST_S))

    def _is_exposed(self) -> bool:
        """Whether a position is open, or may be: an entry whose answer got lost."""
        journal = self.desk.journal
        return any(trade.state is TradeState.OPEN or journal.is_in_doubt(trade) for trade in journal.unfinished())


@asynccontextmanager
async def at_work(config: Settings, account: str, told: Told, *, force: bool = False,
                  take_over: bool = False) -> AsyncIterator[Trader]:
    """A trader on `account` that was let in: host, key, modes and other traders' orders are checked.

    The account's lock must be held. Raises `OrdersForbidden`, `SettingsInvalid`, `ExchangeError`.
    """
    positions = plans.of_account(config, account)
    if not positions:
        raise SettingsInvalid(f"No position is configured for {account}: add a section such as [trade.btc_long] with "
                              f"account = \"{account}\" to navbook.toml.")
    keys = vault.keys(config, account)
    with closing(Journal(place(config, account))) as journal:
        journal.write(ENDING, "")    # at once: a stop or panic that comes while the rest is made ready holds
        async with client.connect(config.environment, config.sandbox_url, keys, Purpose.TRADE) as exchange:
            desk = Desk(exchange, journal, account, told, force=force)
            exchange.stumbled = lambda said: desk.say("", "stumbled", said)
            desk.now = await orders_read.clock(exchange)
            await modes.prepare(desk, positions)
            await adopting.other_traders(desk, positions, take_over=take_over)
            trader = Trader(config, desk, adopting.as_opened(desk, positions))
            try:
                yield trader
            finally:
                trader.store()

