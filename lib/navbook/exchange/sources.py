"""The histories of an account: where each comes from, how far back it is asked for, how often.

Each is asked for in overlapping windows since its own mark, so that nothing falls between two runs; the overlap is
what costs no further request. What is asked so often is what one account may be asked (UID weights) and what an
address can bear with many accounts (README, "What is asked and what it costs").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from navbook import schemas
from navbook.errors import RequestRejected
from navbook.exchange import fetch, parse
from navbook.exchange.client import Answer, Exchange
from navbook.exchange.fetch import archives, flows
from navbook.exchange.reading import Reading
from navbook.exchange.rows import Parsed
from navbook.schemas import FrameSchema
from navbook.types import Wallet, WalletState

Ask = Callable[[Exchange, datetime, datetime], Awaitable[list[Answer]]]
Read = Callable[[Any, Reading], Parsed]
DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)
MINUTE = timedelta(minutes=1)
TWICE = 2    # a minute: deposits and withdrawals, 45 000 each, of 180 000
NO_SUCH_DIRECTION = -9000
SUB_ACCOUNTS = "GET /sapi/v1/sub-account/list"


@dataclass(frozen=True)
class Source:
    """One history."""

    name: str                  # of its mark
    endpoint: str              # as `responses` and `quarantine` name it
    key: str | None            # where its answers have their rows
    ask: Ask
    parsed: tuple[tuple[FrameSchema, Read], ...]
    again: timedelta           # asked for once more in each run: late rows, and what was under way
    flows: str | None = None   # the `source` of its rows in CASH_FLOWS; none: it carries no cash flow
    kept: timedelta | None = None    # the exchange goes back no further
    rest: timedelta = timedelta()    # not asked again so soon
    a_minute: int | None = None      # in how many readings of a minute it can be asked; none: in all of them
    optional: bool = True      # not every account has it: the exchange may refuse it for good


def _of_row(parser: Callable[[Any, str, datetime], Parsed]) -> Read:
    return lambda payload, reading: parser(payload, reading.account, reading.time)


def _flow(parser: Callable[[Any, str, datetime], Parsed]) -> tuple[tuple[FrameSchema, Read], ...]:
    return ((schemas.CASH_FLOWS, _of_row(parser)),)


DEPOSITS = Source("deposit", "GET /sapi/v1/capital/deposit/hisrec", None, flows.deposits, _flow(parse.flows.deposits),
                  flows.CAPITAL_WINDOW, "deposit", optional=False)
WITHDRAWALS = Source("withdrawal", "GET /sapi/v1/capital/withdraw/history", None, flows.withdrawals,
                     _flow(parse.flows.withdrawals), flows.CAPITAL_WINDOW, "withdrawal", optional=False)
AS_SUB = Source("sub_transfer", "GET /sapi/v1/sub-account/transfer/subUserHistory", None, flows.transfers_as_sub,
                _flow(parse.flows.transfers_as_sub), flows.SUB_WINDOW, "sub_transfer", optional=False)


async def _with_subs(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
    return [answer for listed in await flows.sub_accounts(exchange)
            for email in parse.flows.sub_account_emails(listed.payload)
            for answer in await flows.transfers_with_sub(exchange, email, since, until)]


def _of_master(payload: Any, reading: Reading) -> Parsed:
    subs = [email for listed in reading.heard(SUB_ACCOUNTS) for email in parse.flows.sub_account_emails(listed)]
    return parse.flows.transfers_with_subs(payload, reading.account, reading.time, subs)


WITH_SUBS = Source("sub_transfer", "GET /sapi/v1/sub-account/universalTransfer", "result", _with_subs,
                   ((schemas.CASH_FLOWS, _of_master),), timedelta(days=6), "sub_transfer", optional=False)
PAY = Source("pay", "GET /sapi/v1/pay/transactions", "data", flows.pay, _flow(parse.flows.pay), MONTH,
             "pay", kept=timedelta(days=540))
C2C = Source("c2c", "GET /sapi/v1/c2c/orderMatch/listUserOrderHistory", "data", flows.c2c, _flow(parse.flows.c2c),
             timedelta(days=28), "c2c", kept=timedelta(days=179))
FIAT_DEPOSITS = Source("fiat_deposit", "GET /sapi/v1/fiat/orders?transactionType=0", "data", flows.fiat_deposits,
                       _flow(parse.banks.fiat_deposits), MONTH, "fiat", a_minute=TWICE)
FIAT_WITHDRAWALS = Source("fiat_withdrawal", "GET /sapi/v1/fiat/orders?transactionType=1", "data",
                          flows.fiat_withdrawals, _flow(parse.banks.fiat_withdrawals), MONTH, "fiat",
                          a_minute=TWICE)
CARD_BUYS = Source("card_buy", "GET /sapi/v1/fiat/payments?transactionType=0", "data", flows.card_buys,
                   (*_flow(parse.banks.card_buys), (schemas.CONVERTS, _of_row(parse.archives.cash_balance_buys))),
                   MONTH, "card")
CARD_SELLS = Source("card_sell", "GET /sapi/v1/fiat/payments?transactionType=1", "data", flows.card_sells,
                    (*_flow(parse.banks.card_sells), (schemas.CONVERTS, _of_row(parse.archives.cash_balance_sells))),
                    MONTH, "card")
PEOPLE_AND_BANKS = (PAY, C2C, FIAT_DEPOSITS, FIAT_WITHDRAWALS, CARD_BUYS, CARD_SELLS)


def of_flows(*, is_sub: bool) -> tuple[Source, ...]:
    """Everything that carries cash flows; `flows_until` of a snapshot is the least of their marks."""
    return (DEPOSITS, WITHDRAWALS, AS_SUB if is_sub else WITH_SUBS, *PEOPLE_AND_BANKS)


# -- archives ----------------------------------------------------------------------------------------------------------
DIVIDENDS = Source("dividend", "GET /sapi/v1/asset/assetDividend", "rows", archives.dividends,
                   ((schemas.REWARDS, _of_row(parse.archives.dividends)),), WEEK)
CONVERTS = Source("convert", "GET /sapi/v1/convert/tradeFlow", "list", archives.converts,
                  ((schemas.CONVERTS, _of_row(parse.archives.converts)),), WEEK)
DUST = Source("dust", "GET /sapi/v1/asset/dribblet", "userAssetDribblets", archives.dust,
              ((schemas.CONVERTS, _of_row(parse.archives.dust)),), WEEK, rest=DAY)
EARNED = (
    Source("earn_flexible", "GET /sapi/v1/simple-earn/flexible/history/rewardsRecord", "rows",
           archives.flexible_rewards, ((schemas.REWARDS, _of_row(parse.archives.flexible_rewards)),),
           WEEK, rest=DAY),
    Source("earn_locked", "GET /sapi/v1/simple-earn/locked/history/rewardsRecord", "rows",
           archives.locked_rewards, ((schemas.REWARDS, _of_row(parse.archives.locked_rewards)),),
           WEEK, rest=DAY))
TRANSFERS = Source("transfer", "GET /sapi/v1/asset/transfer", "rows", partial(archives.transfers, kind=""),
                   ((schemas.TRANSFERS, _of_row(parse.archives.transfers)),), WEEK,
                   kept=timedelta(days=178), rest=DAY)
# The wallets as Binance's directions spell them. Between the two kinds of futures there is no direction.
SPELT = {Wallet.SPOT: "MAIN", Wallet.FUNDING: "FUNDING", Wallet.FUTURES: "UMFUTURE", Wallet.COIN_FUTURES: "CMFUTURE",
         Wallet.MARGIN: "MARGIN"}
NO_DIRECTION = frozenset({Wallet.FUTURES, Wallet.COIN_FUTURES})


def directions(wallets: Mapping[str, WalletState]) -> list[str]:
    """The directions in which an account with these wallets can move anything between them."""
    opened = [wallet for wallet in SPELT if wallets.get(wallet) is WalletState.OK]
    found = [f"{SPELT[one]}_{SPELT[two]}" for one in opened for two in opened
             if one is not two and {one, two} != NO_DIRECTION]
    isolated = wallets.get(Wallet.ISOLATED_MARGIN) is WalletState.OK
    return [*found, *(("MAIN_ISOLATED_MARGIN", "ISOLATED_MARGIN_MAIN") if isolated else ())]


def of_archives(reading: Reading) -> list[Source]:
    """What is kept of this account beside its cash flows; futures apart, see `Market`."""
    async def every_direction(exchange: Exchange, since: datetime, until: datetime) -> list[Answer]:
        answers = []
        for kind in directions(reading.wallets):
            try:
                answers += await archives.transfers(exchange, kind, since, until)
            except RequestRejected as problem:
                if problem.code != NO_SUCH_DIRECTION:    # one that this account has not: nothing can have moved there
                    raise
        return answers

    earned = [source for source in EARNED if reading.wallets.get(source.name) is WalletState.OK]
    return [DIVIDENDS, CONVERTS, DUST, *earned, replace(TRANSFERS, ask=every_direction)]


@dataclass(frozen=True)
class Market:
    """A kind of futures: its income names the symbols whose fills are asked for."""

    wallet: Wallet
    account: str               # the endpoint that tells its positions
    income: Source
    fills: Source
    ask_fills: Callable[[Exchange, str, datetime, datetime], Awaitable[list[Answer]]]


def _market(wallet: Wallet, prefix: str, version: int, ask_income: Ask,
            ask_fills: Callable[[Exchange, str, datetime, datetime], Awaitable[list[Answer]]]) -> Market:
    def of_market(schema: FrameSchema, parser: Callable[[Any, str, datetime, str], Parsed]) -> Any:
        return ((schema, lambda payload, reading: parser(payload, reading.account, reading.time, wallet.value)),)

    income = Source(wallet.value, f"GET {prefix}/v1/income", None, ask_income,
                    of_market(schemas.INCOME, parse.archives.income), timedelta(days=2), kept=timedelta(days=89),
                    optional=False)
    fills = replace(income, endpoint=f"GET {prefix}/v1/userTrades",
                    parsed=of_market(schemas.FILLS, parse.archives.fills))
    return Market(wallet, f"GET {prefix}/v{version}/account", income, fills, ask_fills)


MARKETS = (_market(Wallet.FUTURES, "/fapi", 3, fetch.archives.futures_income, fetch.archives.futures_fills),
           _market(Wallet.COIN_FUTURES, "/dapi", 1, fetch.archives.coin_income, fetch.archives.coin_fills))
EVERY_SOURCE = (DEPOSITS, WITHDRAWALS, AS_SUB, WITH_SUBS, *PEOPLE_AND_BANKS, DIVIDENDS, CONVERTS, DUST, *EARNED,
                TRANSFERS, *(source for market in MARKETS for source in (market.income, market.fills)))
