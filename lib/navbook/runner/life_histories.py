"""Ask the exchange, once, for every cash flow of an account since the exchange opened.

What brings money in is cheap to ask for: of that, everything. What takes it out costs (withdrawals go ten a minute, a
master's transfers by the week): it is asked for from a year before the first flow on, and further back as long as
that finds an earlier one. A mark says when it was done; from then on `collect` keeps the histories up to date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from navbook import schemas
from navbook.errors import NavbookError, SettingsInvalid, SnapshotIncomplete
from navbook.exchange import client, histories, sources
from navbook.exchange.histories import Past
from navbook.exchange.reading import Reading
from navbook.exchange.sources import Source
from navbook.runner import collecting, locks, stores
from navbook.runner.harvest import Harvest
from navbook.runner.lifetime import MARK, OPENED, asked
from navbook.settings import Settings
from navbook.types import Environment

QUIET = timedelta(days=365)    # without any flow: nothing is expected before
COSTLY = (sources.WITHDRAWALS, sources.WITH_SUBS)


@dataclass
class Counted(Reading):
    """A reading that tells how many answers came."""

    tell: Callable[[int], None] = field(default=lambda answers: None)

    def keep(self, endpoint: str, answer: client.Answer) -> None:
        super().keep(endpoint, answer)
        self.tell(len(self.answers))


@dataclass(frozen=True)
class Stretch(Past):
    """One round of questions: some sources, from `begin` on, whatever was asked before."""

    wanted: frozenset[str] = frozenset()

    def rests(self, source: Source, now: datetime) -> bool:
        return source.name not in self.wanted


async def ask(config: Settings, account: str, tell: Callable[[int], None]) -> None:
    """One snapshot of `account`, its whole past if that was never asked for, and the prices of the flows' minutes.

    tell  is called with the number of answers so far

    Raises `SnapshotIncomplete` after what could be read was stored.
    """
    if config.environment is Environment.TESTNET:
        raise SettingsInvalid("The testnet knows no deposits and no withdrawals; there is no lifetime to tell of.")
    with locks.hold(config, "collect"):
        stores.claim(config)
        harvest = Harvest()
        async with collecting.connect(config, config.names(account)) as collector:
            now = (await collector.read(harvest))[0].time
            if not harvest.problems and asked(config, account) is None:
                harvest.take(await _past(collector, account, now, tell))
            await collector.candles(harvest, now)
        harvest.store(config)
    if harvest.problems:
        raise SnapshotIncomplete(" ".join(harvest.problems))


async def _past(collector: collecting.Collector, account: str, now: datetime, tell: Callable[[int], None]) -> Reading:
    """Every cash flow of `account` that the exchange lists, and the mark that it was asked."""
    exchange, reading = collector.exchanges[account], Counted(account, now, tell=tell)
    if isinstance(exchange, NavbookError):
        raise exchange
    is_sub = collector.config.accounts[account].master is not None
    known = collector.known.past(account, now, now - OPENED)

    async def read(wanted: list[Source], begin: datetime) -> None:
        stretch = Stretch(begin, {}, known.cash_flows, known.quarantine,
                          wanted=frozenset(source.name for source in wanted))
        await histories.cash_flows(exchange, reading, stretch, is_sub=is_sub)

    offered, begin = sources.of_flows(is_sub=is_sub), now
    await read([source for source in offered if source not in COSTLY], OPENED)
    while not reading.problems and (earlier := _quiet_before(reading)) < begin:
        await read([source for source in offered if source in COSTLY], earlier)
        begin = earlier
    if not reading.problems:
        mark = (account, MARK, now, begin.date().isoformat(), now)
        reading.add(schemas.HISTORY_MARKS, schemas.HISTORY_MARKS.rows([mark]))
    histories.quarantined(reading, known)
    return reading


def _quiet_before(reading: Reading) -> datetime:
    """Where a year without a flow begins, before the first one that `reading` knows."""
    first = reading.frame(schemas.CASH_FLOWS)["started_at"].min()
    return max(OPENED, (first if isinstance(first, datetime) else reading.time) - QUIET)
