"""What each wallet holds, and which wallets an account has. Weights in brackets: of the address."""

from __future__ import annotations

from datetime import datetime, timedelta

from navbook.exchange.client import Answer, Exchange
from navbook.exchange.paging import between, by_number, pages, windows

EARN_PAGE = 100
SNAPSHOT_WINDOW = timedelta(days=29)    # accountSnapshot gives 30 days


async def spot(exchange: Exchange) -> Answer:
    """[20] Also tells the account's uid."""
    return await exchange.ask("GET /api/v3/account", exchange.wire.get_account, omitZeroBalances="true")


async def funding(exchange: Exchange) -> Answer:
    """[1]"""
    return await exchange.ask("POST /sapi/v1/asset/get-funding-asset", exchange.wire.funding_wallet)


async def futures(exchange: Exchange) -> list[Answer]:
    """[5]"""
    return [await exchange.ask("GET /fapi/v3/account", exchange.wire.futures_account, version=3)]


async def coin_futures(exchange: Exchange) -> list[Answer]:
    """[5]"""
    return [await exchange.ask("GET /dapi/v1/account", exchange.wire.futures_coin_account)]


async def margin(exchange: Exchange) -> list[Answer]:
    """[10] Cross margin."""
    return [await exchange.ask("GET /sapi/v1/margin/account", exchange.wire.get_margin_account)]


async def isolated_margin(exchange: Exchange) -> list[Answer]:
    """[10] Without symbols: all pairs."""
    return [await exchange.ask("GET /sapi/v1/margin/isolated/account", exchange.wire.get_isolated_margin_account)]


async def earn_flexible(exchange: Exchange) -> list[Answer]:
    """[150 a page]"""
    return await pages(exchange, "GET /sapi/v1/simple-earn/flexible/position",
                       exchange.wire.get_simple_earn_flexible_product_position, "rows", EARN_PAGE,
                       by_number("size", EARN_PAGE, "current"))


async def earn_locked(exchange: Exchange) -> list[Answer]:
    """[150 a page]"""
    return await pages(exchange, "GET /sapi/v1/simple-earn/locked/position",
                       exchange.wire.get_simple_earn_locked_product_position, "rows", EARN_PAGE,
                       by_number("size", EARN_PAGE, "current"))


async def dollar_earner(exchange: Exchange, asset: str) -> Answer:
    """[150] BFUSD or RWUSD: the Earn products that the list of positions leaves out."""
    path = f"{asset.lower()}/account"
    return await exchange.ask(f"GET /sapi/v1/{path}", exchange.sapi(path))


async def totals(exchange: Exchange) -> Answer:
    """[60] The exchange's own value of every wallet, in USDT."""
    return await exchange.ask("GET /sapi/v1/asset/wallet/balance",
                              exchange.wire.margin_v1_get_asset_wallet_balance, quoteAsset="USDT")


async def account_flags(exchange: Exchange) -> Answer:
    """[1]"""
    return await exchange.ask("GET /sapi/v1/account/info", exchange.wire.margin_v1_get_account_info)


async def key_rights(exchange: Exchange) -> Answer:
    """[1]"""
    return await exchange.ask("GET /sapi/v1/account/apiRestrictions", exchange.wire.get_account_api_permissions)


async def portfolio_margin(exchange: Exchange) -> Answer:
    """[1] Refused with -21001 where the account is no portfolio margin account."""
    return await exchange.ask("GET /sapi/v2/portfolio/account", exchange.wire.margin_v2_get_portfolio_account)


async def delist_schedule(exchange: Exchange) -> Answer:
    """[100] Needs a key that the exchange knows, but neither a signature nor a right."""
    return await exchange.ask("GET /sapi/v1/spot/delist-schedule", exchange.wire.margin_v1_get_spot_delist_schedule)


async def daily(exchange: Exchange, kind: str, since: datetime, until: datetime) -> list[Answer]:
    """[2400 for each 29 days] What Binance wrote down at the end of each UTC day, of the last 30.

    kind  SPOT, MARGIN or FUTURES
    """
    return [await exchange.ask(f"GET /sapi/v1/accountSnapshot?type={kind}", exchange.wire.get_account_snapshot,
                               type=kind, limit=30, **between(start, end))
            for start, end in windows(since, until, SNAPSHOT_WINDOW)]
