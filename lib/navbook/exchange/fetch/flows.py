"""Money that came from outside or went there, from `since` to `until`, both included.

Weights in brackets: of the address, or UID: of the account.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from navbook.errors import RequestRejected
from navbook.exchange.client import Answer, Exchange
from navbook.exchange.paging import Call, between, by_number, halves, pages, whole_span, windows

CAPITAL_WINDOW = timedelta(days=89)     # deposits and withdrawals: below the limit of 90
TRANSFER_WINDOW = timedelta(days=7) - timedelta(seconds=1)
SUB_WINDOW = timedelta(days=29)         # subUserHistory gives 30 days
PAY_WINDOW = timedelta(days=89)         # of 90
C2C_WINDOW = timedelta(days=29)         # of 30
CAPITAL_PAGE, TRANSFER_PAGE, SUB_PAGE, PAY_PAGE, C2C_PAGE, FIAT_PAGE = 1000, 500, 200, 100, 100, 500
NOT_A_MASTER = -12022    # the key is a sub-account's
SUB_ACCOUNT_ERRORS = range(-12999, -11999)


async def deposits(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1]"""
    return await _by_offset(exchange, "GET /sapi/v1/capital/deposit/hisrec",
                            exchange.wire.get_deposit_history, since, until)


async def withdrawals(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[UID 18 000]"""
    return await _by_offset(exchange, "GET /sapi/v1/capital/withdraw/history",
                            exchange.wire.get_withdraw_history, since, until)


async def _by_offset(exchange: Exchange, endpoint: str, call: Call, since: datetime, until: datetime) -> list[Answer]:
    return [answer for start, end in windows(since, until, CAPITAL_WINDOW)
            for answer in await pages(exchange, endpoint, call, None, CAPITAL_PAGE,
                                      lambda page: {"offset": page * CAPITAL_PAGE, "limit": CAPITAL_PAGE},
                                      **between(start, end))]


async def sub_accounts(exchange: Exchange) -> list[Answer]:
    """[1] The sub-accounts of this key's account; none where Binance never opened them for it.

    Raises `RequestRejected` -12022 for a sub-account's own key.
    """
    try:
        return await pages(exchange, "GET /sapi/v1/sub-account/list", exchange.wire.get_sub_account_list,
                           "subAccounts", SUB_PAGE, by_number("limit", SUB_PAGE))
    except RequestRejected as problem:
        if problem.code == NOT_A_MASTER or problem.code not in SUB_ACCOUNT_ERRORS:
            raise
        return []


async def transfers_with_sub(exchange: Exchange, email: str, since: datetime, until: datetime) -> list[Answer]:
    """[1 for each direction and week] From and to the sub-account `email`, seen with the master's key."""
    return [answer for side in ("fromEmail", "toEmail") for start, end in windows(since, until, TRANSFER_WINDOW)
            for answer in await pages(
                exchange, "GET /sapi/v1/sub-account/universalTransfer", exchange.wire.get_universal_transfer_history,
                "result", TRANSFER_PAGE, by_number("limit", TRANSFER_PAGE), **{side: email}, **between(start, end))]


async def transfers_as_sub(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1 for each direction] Of the sub-account whose key this is; without a type it would list what went out alone."""
    return [answer for direction in (1, 2) for start, end in windows(since, until, SUB_WINDOW)
            for answer in await halves(exchange, "GET /sapi/v1/sub-account/transfer/subUserHistory",
                                       exchange.wire.get_subaccount_transfer_history, None, TRANSFER_PAGE,
                                       start, end, type=direction)]


async def pay(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[UID 3000]"""
    return [answer for start, end in windows(since, until, PAY_WINDOW)
            for answer in await halves(exchange, "GET /sapi/v1/pay/transactions", exchange.wire.get_pay_trade_history,
                                       "data", PAY_PAGE, start, end)]


async def c2c(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1 for each side] Both sides by name: not every version of the endpoint gives both when asked for none."""
    return [answer for side in ("BUY", "SELL") for start, end in windows(since, until, C2C_WINDOW)
            for answer in await pages(exchange, "GET /sapi/v1/c2c/orderMatch/listUserOrderHistory",
                                      exchange.wire.get_c2c_trade_history, "data", C2C_PAGE,
                                      by_number("rows", C2C_PAGE), tradeType=side,
                                      **between(start, end, ("startTimestamp", "endTimestamp")))]


async def fiat_deposits(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[UID 45 000]"""
    return await _fiat(exchange, "fiat/orders", 0, since, until)


async def fiat_withdrawals(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[UID 45 000]"""
    return await _fiat(exchange, "fiat/orders", 1, since, until)


async def card_buys(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1]"""
    return await _fiat(exchange, "fiat/payments", 0, since, until)


async def card_sells(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1]"""
    return await _fiat(exchange, "fiat/payments", 1, since, until)


async def _fiat(exchange: Exchange, path: str, side: int, since: datetime, until: datetime) -> list[Answer]:
    async def ask(start: datetime, end: datetime) -> list[Answer]:
        return await pages(exchange, f"GET /sapi/v1/{path}?transactionType={side}", exchange.sapi(path), "data",
                           FIAT_PAGE, by_number("rows", FIAT_PAGE), transactionType=side,
                           **between(start, end, ("beginTime", "endTime")))

    return await whole_span(ask, since, until)
