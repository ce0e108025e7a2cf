"""What is no cash flow but forgotten by Binance, from `since` to `until`. Weights in brackets, as in `flows`."""

from __future__ import annotations

from datetime import datetime, timedelta

from navbook.exchange.client import Answer, Exchange
from navbook.exchange.paging import Call, between, by_number, halves, pages, windows

HALF_YEAR = timedelta(days=179)         # dividends and transfers: of 180 days
MONTH = timedelta(days=29)              # of 30 days
WEEK = timedelta(days=7) - timedelta(seconds=1)
INCOME_PAGE, FILLS_PAGE, EARN_PAGE, DIVIDEND_PAGE, CONVERT_PAGE, TRANSFER_PAGE = 1000, 1000, 100, 500, 1000, 100


async def transfers(exchange: Exchange, kind: str, since: datetime, until: datetime) -> list[Answer]:
    """[1] Between two wallets of the account; `kind` is one direction, such as MAIN_UMFUTURE."""
    return [answer for start, end in windows(since, until, HALF_YEAR)
            for answer in await pages(exchange, "GET /sapi/v1/asset/transfer",
                                      exchange.wire.query_universal_transfer_history, "rows", TRANSFER_PAGE,
                                      by_number("size", TRANSFER_PAGE, "current"), type=kind, **between(start, end))]


async def dividends(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[10]"""
    return [answer for start, end in windows(since, until, HALF_YEAR)
            for answer in await halves(exchange, "GET /sapi/v1/asset/assetDividend",
                                       exchange.wire.get_asset_dividend_history, "rows", DIVIDEND_PAGE, start, end)]


async def flexible_rewards(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[150]"""
    return await _rewards(exchange, "flexible", since, until, type="ALL")


async def locked_rewards(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[150]"""
    return await _rewards(exchange, "locked", since, until)


async def _rewards(exchange: Exchange, product: str, since: datetime, until: datetime, **more: str) -> list[Answer]:
    path = f"simple-earn/{product}/history/rewardsRecord"
    return [answer for start, end in windows(since, until, MONTH)
            for answer in await pages(exchange, f"GET /sapi/v1/{path}", exchange.sapi(path), "rows", EARN_PAGE,
                                      by_number("size", EARN_PAGE, "current"), **more, **between(start, end))]


async def converts(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[UID 3000]"""
    return [answer for start, end in windows(since, until, MONTH)
            for answer in await halves(exchange, "GET /sapi/v1/convert/tradeFlow",
                                       exchange.wire.get_convert_trade_history, "list", CONVERT_PAGE, start, end)]


async def dust(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[1] The last 100; there are no pages."""
    return [await exchange.ask("GET /sapi/v1/asset/dribblet", exchange.wire.get_dust_log, **between(since, until))]


async def futures_income(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[30 for each month and page]"""
    return [answer for start, end in windows(since, until, MONTH)
            for answer in await pages(exchange, "GET /fapi/v1/income", exchange.wire.futures_income_history, None,
                                      INCOME_PAGE, by_number("limit", INCOME_PAGE), **between(start, end))]


async def coin_income(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    """[20 for each month]"""
    return [answer for start, end in windows(since, until, MONTH)
            for answer in await halves(exchange, "GET /dapi/v1/income", exchange.wire.futures_coin_income_history, None,
                                       INCOME_PAGE, start, end)]


async def futures_fills(exchange: Exchange, symbol: str, since: datetime, until: datetime) -> list[Answer]:
    """[5 for each week]"""
    return await _fills(exchange, "/fapi", exchange.wire.futures_account_trades, symbol, since, until)


async def coin_fills(exchange: Exchange, symbol: str, since: datetime, until: datetime) -> list[Answer]:
    """[20 for each week]"""
    return await _fills(exchange, "/dapi", exchange.wire.futures_coin_account_trades, symbol, since, until)


async def _fills(exchange: Exchange, prefix: str, call: Call, symbol: str, since: datetime,
                 until: datetime) -> list[Answer]:
    return [answer for start, end in windows(since, until, WEEK)
            for answer in await halves(exchange, f"GET {prefix}/v1/userTrades", call, None, FILLS_PAGE, start, end,
                                       symbol=symbol)]
