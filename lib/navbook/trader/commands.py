"""What `navbook trade …` does, as functions: the command line only parses words."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any

from navbook.compute.brackets import MINUTE
from navbook.errors import Locked, SettingsInvalid, TradeRefused
from navbook.exchange import values
from navbook.runner import locks, stores
from navbook.settings import Settings
from navbook.store import tables
from navbook.trader import loop, panicking, plans, wishes
from navbook.trader.journal import ENDING, PANIC, Journal, place
from navbook.trader.loop import Trader
from navbook.types import Environment

Told = Callable[[str], None]
ANSWER_S, STOP_S = 60.0, 120.0    # how long a running trader may take
LOOK_S = 0.1


def lock_of(account: str) -> str:
    """The lock that a trader of `account` holds."""
    return f"trade-{account}"


def _ready(config: Settings, account: str | None) -> str:
    """The account to trade with, once all that can be told without an exchange is in order."""
    chosen = plans.account_of(config, account)
    if config.environment is Environment.SANDBOX and not config.sandbox_url:
        raise SettingsInvalid("A sandbox that ends with the command would take its positions along: start one with "
                              "navbook sandbox, and name its address in sandbox_url.")
    stores.claim(config)
    return chosen


def _work(config: Settings, account: str, told: Told, do: Callable[[Trader], Coroutine[Any, Any, None]],
          **terms: bool) -> None:
    """Do it with the account's lock held; Ctrl-C and SIGTERM let it finish the step in hand."""
    async def work() -> None:
        async with loop.at_work(config, account, told, **terms) as trader:
            for name in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(name, trader.ending.set)
            await do(trader)

    with locks.hold(config, lock_of(account)):
        asyncio.run(work())


def start(config: Settings, account: str | None, told: Told, *, force: bool = False, take_over: bool = False) -> None:
    """Trade until stopped. Raises `Locked` where a trader of the account runs."""
    chosen = _ready(config, account)

    async def run(trader: Trader) -> None:
        names = ", ".join(plan.name for plan in trader.plans)
        told(f"Trading {names} on {config.environment} with {chosen}; Ctrl-C or navbook trade stop ends it.")
        await trader.run()

    _work(config, chosen, told, run, force=force, take_over=take_over)
    told("Stopped; what is open stays protected at the exchange, and nothing reopens until the next start.")


def step(config: Settings, account: str | None, told: Told, *, force: bool = False, take_over: bool = False) -> None:
    """One check. Raises `TradeRefused` when it left something to do."""
    well = True

    async def once(trader: Trader) -> None:
        nonlocal well
        well = await trader.check(trader.desk.now)

    _work(config, _ready(config, account), told, once, force=force, take_over=take_over)
    if not well:
        raise TradeRefused("The check left something to do: see what it said above; the next one goes on.")


def replay(config: Settings, account: str | None, since: str, until: str, told: Told,
           progress: Callable[[int, int], None], *, force: bool = False, take_over: bool = False) -> None:
    """Trade through [since, until] on the sandbox's clock. Raises `SettingsInvalid` for anything but a sandbox."""
    first, last = (values.milliseconds(tables.moment(text)) for text in (since, until))
    if config.environment is not Environment.SANDBOX:
        raise SettingsInvalid("A replay moves the clock of the exchange, which only a sandbox lets it: set environment "
                              "= \"sandbox\".")
    chosen = _ready(config, account)
    every = min(min(plan.rules.check_ms, MINUTE) for plan in plans.of_account(config, chosen))
    first = -(-first // every) * every
    if first > last:
        raise SettingsInvalid(f"There is no check from {since} to {until}; name a later --to.")

    async def go(trader: Trader) -> None:
        await trader.replay(first, last, progress)

    _work(config, chosen, told, go, force=force, take_over=take_over)


# -- what another process may be doing ---------------------------------------------------------------------------
def ask(config: Settings, what: str, name: str, told: Told, **content: Any) -> None:
    """Open, close or change a position: by the trader that runs, else here and now.

    Raises `TradeRefused`, `SettingsInvalid`, `ExchangeError`.
    """
    plan = plans.named(config, name)
    account = _ready(config, plan.account)
    said = ""

    async def do(trader: Trader) -> None:
        nonlocal said
        said = await wishes.fulfil(trader, what, name, **content)

    try:
        _work(config, account, lambda line: None, do)
    except Locked:
        said = _asked(config, account, what, name, content)
    told(said)


def _asked(config: Settings, account: str, what: str, name: str, content: dict[str, Any]) -> str:
    """What the running trader answers."""
    with closing(Journal(place(config, account))) as journal:
        number, end = journal.ask(what, name, **content), time.monotonic() + ANSWER_S
        try:
            while time.monotonic() < end:
                if (answer := journal.answered(number)) is not None:
                    said, failed = answer
                    if failed:
                        raise TradeRefused(said)
                    return said
                time.sleep(LOOK_S)
        finally:    # after Ctrl-C too: what nobody waits for is not done later
            journal.answer(number, "nobody was waiting any more", failed=True)
    raise TradeRefused(f"The trader of {account} did not answer within {ANSWER_S:.0f} s, and what was asked is taken "
                       "back unless it is being done just now; navbook trade status shows how it is.")


def stop(config: Settings, account: str | None, told: Told) -> None:
    """Let the trader of the account finish its step and end. Raises `TradeRefused` when it does not."""
    chosen = plans.account_of(config, account)
    if not locks.holder(config, lock_of(chosen)):
        told(f"No trader of {chosen} is running.")
        return
    with closing(Journal(place(config, chosen))) as journal:
        journal.write(ENDING, "asked")
    if not _free(config, chosen, STOP_S):
        raise TradeRefused(f"The trader of {chosen} was asked to stop and still runs after {STOP_S:.0f} s.")
    told(f"The trader of {chosen} has stopped; what is open stays protected at the exchange.")


def _free(config: Settings, account: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while locks.holder(config, lock_of(account)):
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_S)
    return True


def panic(config: Settings, account: str | None, told: Told, *, take_over: bool = False) -> None:
    """Close all our positions, cancel all our orders, reopen nothing. Raises `TradeRefused` for what is left."""
    chosen = _ready(config, account)
    with closing(Journal(place(config, chosen))) as journal:
        journal.write(ENDING, PANIC)
    _free(config, chosen, panicking.WAIT_S)    # a trader that hangs is not waited for
    left = asyncio.run(panicking.everything(config, chosen, told, take_over=take_over))
    if left:
        raise TradeRefused(f"Not all is closed: {'; '.join(left)}. Run navbook trade panic again, or close it on "
                           "Binance.")
    told(f"Nothing of this navbook's is open with {chosen}, and nothing reopens until navbook trade open.")


