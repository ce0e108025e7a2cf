"""Ask Binance; parse nothing but what paging needs. Weights and windows: BINANCE documentation of each path.

Each function returns the answers as they came, one `Answer` a page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from navbook.errors import AnswerUnreadable
from navbook.exchange.client import Answer, Exchange

HISTORY_WINDOW = timedelta(days=89)     # deposits and withdrawals: below the limit of 90
TRANSFER_WINDOW = timedelta(days=7) - timedelta(seconds=1)
SUB_WINDOW = timedelta(days=29)         # subUserHistory gives 30 days
PAGE = 1000
TRANSFER_PAGE = 500
SUB_PAGE = 200
MILLISECOND = timedelta(milliseconds=1)


async def spot_account(exchange: Exchange) -> Answer:
    return await exchange.ask("GET /api/v3/account", exchange.wire.get_account, omitZeroBalances="true")


async def funding_wallet(exchange: Exchange) -> Answer:
    return await exchange.ask("POST /sapi/v1/asset/get-funding-asset", exchange.wire.funding_wallet)


async def futures_account(exchange: Exchange) -> Answer:
    return await exchange.ask("GET /fapi/v3/account", exchange.wire.futures_account, version=3)


async def wallet_totals(exchange: Exchange) -> Answer:
    """The exchange's own value of every wallet, in USDT."""
    return await exchange.ask("GET /sapi/v1/asset/wallet/balance",
                              exchange.wire.margin_v1_get_asset_wallet_balance, quoteAsset="USDT")


async def account_flags(exchange: Exchange) -> Answer:
    return await exchange.ask("GET /sapi/v1/account/info", exchange.wire.margin_v1_get_account_info)


async def tickers(exchange: Exchange) -> Answer:
    """Last price of every pair that trades; without the status Binance lists dead pairs at old prices."""
    return await exchange.ask("GET /api/v3/ticker/price", exchange.wire.get_symbol_ticker,
                              symbolStatus="TRADING")


async def last_closed_candle(exchange: Exchange, symbol: str, minute: datetime) -> Answer:
    """The spot 1m candle that opens at `minute`, or the last one before it."""
    return await exchange.ask("GET /api/v3/klines", exchange.wire.get_klines, symbol=symbol, interval="1m",
                              endTime=milliseconds(minute), limit=1)


async def deposits(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    return await _by_offset(exchange, "GET /sapi/v1/capital/deposit/hisrec",
                            exchange.wire.get_deposit_history, since, until)


async def withdrawals(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    return await _by_offset(exchange, "GET /sapi/v1/capital/withdraw/history",
                            exchange.wire.get_withdraw_history, since, until)


async def sub_accounts(exchange: Exchange) -> list[Answer]:
    """The sub-accounts of this key's account; a sub-account's own key is refused with -12022."""
    return await _by_page(exchange, "GET /sapi/v1/sub-account/list", exchange.wire.get_sub_account_list,
                          "subAccounts", SUB_PAGE)


async def transfers_with_sub(exchange: Exchange, email: str, since: datetime, until: datetime) -> list[Answer]:
    """Transfers from and to the sub-account `email`, seen with the master's key."""
    return [answer for side in ("fromEmail", "toEmail") for start, end in windows(since, until, TRANSFER_WINDOW)
            for answer in await _by_page(
                exchange, "GET /sapi/v1/sub-account/universalTransfer", exchange.wire.get_universal_transfer_history,
                "result", TRANSFER_PAGE, **{side: email}, startTime=milliseconds(start), endTime=milliseconds(end))]


async def transfers_as_sub(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """Transfers in (type 1) and out (type 2) of the sub-account whose key this is."""
    return [answer for direction in (1, 2) for start, end in windows(since, until, SUB_WINDOW)
            for answer in await _sub_transfers(exchange, direction, start, end)]


async def _sub_transfers(exchange: Exchange, direction: int, start: datetime, end: datetime) -> list[Answer]:
    endpoint = "GET /sapi/v1/sub-account/transfer/subUserHistory"
    answer = await exchange.ask(endpoint, exchange.wire.get_subaccount_transfer_history, type=direction,
                                startTime=milliseconds(start), endTime=milliseconds(end), limit=TRANSFER_PAGE)
    if _rows(answer.payload) < TRANSFER_PAGE:
        return [answer]
    if end - start <= MILLISECOND:
        raise AnswerUnreadable(endpoint, f"it lists no more than {TRANSFER_PAGE} transfers of one millisecond")
    middle = start + (end - start) / 2    # the endpoint has no pages: a full answer is asked for in halves
    return [*await _sub_transfers(exchange, direction, start, middle),
            *await _sub_transfers(exchange, direction, middle, end)]


async def _by_offset(exchange: Exchange, endpoint: str, call: Callable[..., Awaitable[Any]],
                     since: datetime, until: datetime) -> list[Answer]:
    answers = []
    for start, end in windows(since, until, HISTORY_WINDOW):
        answers += await _pages(exchange, endpoint, call, None, PAGE, lambda page: {"offset": page * PAGE},
                                startTime=milliseconds(start), endTime=milliseconds(end))
    return answers


async def _by_page(exchange: Exchange, endpoint: str, call: Callable[..., Awaitable[Any]], key: str, size: int,
                   **params: Any) -> list[Answer]:
    return await _pages(exchange, endpoint, call, key, size, lambda page: {"page": page + 1}, **params)


async def _pages(exchange: Exchange, endpoint: str, call: Callable[..., Awaitable[Any]], key: str | None, size: int,
                 place: Callable[[int], dict[str, int]], **params: Any) -> list[Answer]:
    """Ask until a page is not full. Raises `AnswerUnreadable` when one repeats the page before: it would never end."""
    answers: list[Answer] = []
    while not answers or _rows(answers[-1].payload, key) == size:
        answer = await exchange.ask(endpoint, call, **params, **place(len(answers)), limit=size)
        if answers and answer.body == answers[-1].body:
            raise AnswerUnreadable(endpoint, f"its page {len(answers) + 1} repeats the one before")
        answers.append(answer)
    return answers


def _rows(payload: Any, key: str | None = None) -> int:
    """How many rows an answer has; 0 for one of another form, which its parser will refuse."""
    rows = payload if key is None else payload.get(key) if isinstance(payload, dict) else None
    return len(rows) if isinstance(rows, list) else 0


def windows(since: datetime, until: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Cover [since, until], both included, by windows no longer than `longest`; neighbours share an edge."""
    start = since
    while start < until or start == since == until:
        yield start, min(start + longest, until)
        start += longest


def milliseconds(time: datetime) -> int:
    """Since the epoch, exactly; `timestamp()` would go through a float."""
    return (time - datetime.fromtimestamp(0, time.tzinfo)) // timedelta(milliseconds=1)
