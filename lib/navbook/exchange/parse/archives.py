"""What is no cash flow, kept because Binance forgets it: transfers, rewards, converts, income, fills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from navbook import schemas
from navbook.exchange.parse.banks import from_cash_balance
from navbook.exchange.rows import Parsed, lenient, lenient_many, listed, successful
from navbook.exchange.values import amount, flag, from_ms, identity, integer, moved, text, words

PREFIX = {"futures": "/fapi", "coin_futures": "/dapi"}    # of a market's paths


def transfers(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """TRANSFERS of `GET /sapi/v1/asset/transfer`, of one direction; without any, `rows` is left out."""
    def row(transfer: Any) -> tuple[Any, ...]:
        return (account, identity(transfer["tranId"]), from_ms(transfer["timestamp"]), text(transfer["type"]),
                text(transfer["asset"]), moved(transfer["amount"]), text(transfer["status"]), seen_at)

    return lenient(schemas.TRANSFERS, "GET /sapi/v1/asset/transfer", listed(payload, "rows"), row, "rows")


def dividends(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """REWARDS of `GET /sapi/v1/asset/assetDividend`; direction -1 took it back."""
    def row(dividend: Any) -> tuple[Any, ...]:
        sign = integer(dividend.get("direction", 1))
        if sign not in (1, -1):
            raise ValueError(f"direction is {sign}, neither 1 nor -1")
        return (account, "dividend", identity(dividend["id"]), from_ms(dividend["divTime"]), text(dividend["asset"]),
                sign * amount(dividend["amount"]), words(dividend.get("enInfo")), seen_at)

    return lenient(schemas.REWARDS, "GET /sapi/v1/asset/assetDividend", listed(payload, "rows"), row, "rows")


def flexible_rewards(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """REWARDS of `GET /sapi/v1/simple-earn/flexible/history/rewardsRecord`; they carry no id."""
    return _earned(payload, account, seen_at, "flexible", "projectId", "rewards")


def locked_rewards(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """REWARDS of `GET /sapi/v1/simple-earn/locked/history/rewardsRecord`; they carry no id."""
    return _earned(payload, account, seen_at, "locked", "positionId", "amount")


def _earned(payload: Any, account: str, seen_at: datetime, product: str, place: str, column: str) -> Parsed:
    def row(reward: Any) -> tuple[Any, ...]:
        time, asset, kind = from_ms(reward["time"]), text(reward["asset"]), text(reward["type"])
        number = f"{integer(reward['time'])}:{asset}:{identity(reward[place])}:{kind}"
        return (account, f"earn_{product}", number, time, asset, amount(reward[column]), kind, seen_at)

    endpoint = f"GET /sapi/v1/simple-earn/{product}/history/rewardsRecord"
    return lenient(schemas.REWARDS, endpoint, listed(payload, "rows"), row, "rows")


def converts(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """CONVERTS of `GET /sapi/v1/convert/tradeFlow`."""
    def row(trade: Any) -> tuple[Any, ...]:
        return (account, "convert", identity(trade["orderId"]), from_ms(trade["createTime"]),
                text(trade["fromAsset"]), moved(trade["fromAmount"]), text(trade["toAsset"]),
                moved(trade["toAmount"]), text(trade["orderStatus"]), seen_at)

    return lenient(schemas.CONVERTS, "GET /sapi/v1/convert/tradeFlow", payload, row, "list")


def dust(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """CONVERTS of `GET /sapi/v1/asset/dribblet`: small remains turned into BNB, net of the charge."""
    def several(batch: Any) -> Iterator[tuple[Any, ...]]:
        for part in batch["userAssetDribbletDetails"]:
            number = f"{identity(batch['transId'])}:{identity(part['transId'])}:{text(part['fromAsset'])}"
            yield (account, "dust", number, from_ms(part["operateTime"]), text(part["fromAsset"]),
                   moved(part["amount"]), text(part.get("targetAsset") or "BNB"), moved(part["transferedAmount"]),
                   "SUCCESS", seen_at)

    return lenient_many(schemas.CONVERTS, "GET /sapi/v1/asset/dribblet", listed(payload, "userAssetDribblets"),
                        lambda batch: list(several(batch)), "userAssetDribblets")


def cash_balance_buys(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """CONVERTS of `GET /sapi/v1/fiat/payments?transactionType=0`: coins bought with fiat that lay on Binance."""
    return _cash_balance(payload, account, seen_at, ("fiatCurrency", "cryptoCurrency"), 0)


def cash_balance_sells(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """CONVERTS of `GET /sapi/v1/fiat/payments?transactionType=1`: coins sold for fiat that stayed on Binance."""
    return _cash_balance(payload, account, seen_at, ("cryptoCurrency", "fiatCurrency"), 1)


def _cash_balance(payload: Any, account: str, seen_at: datetime, assets: tuple[str, str], side: int) -> Parsed:
    endpoint = f"GET /sapi/v1/fiat/payments?transactionType={side}"

    def row(payment: Any) -> tuple[Any, ...] | None:
        if not from_cash_balance(payment):
            return None
        given_away, got = (text(payment[asset]) for asset in assets)
        return (account, "cash_balance", identity(payment["orderNo"]), from_ms(payment["createTime"]), given_away,
                moved(payment["sourceAmount"]), got, moved(payment["obtainAmount"]), text(payment["status"]), seen_at)

    return lenient(schemas.CONVERTS, endpoint, successful(endpoint, payload), row, "data")


# -- futures -----------------------------------------------------------------------------------------------------------
def income(payload: Any, account: str, seen_at: datetime, market: str = "futures") -> Parsed:
    """INCOME of `GET /fapi/v1/income` (market futures) or `GET /dapi/v1/income` (coin_futures); signed.

    tranId is unique within an incomeType alone.
    """
    def row(paid: Any) -> tuple[Any, ...]:
        return (account, market, text(paid["incomeType"]), identity(paid["tranId"]), words(paid.get("symbol")) or "",
                text(paid["asset"]), from_ms(paid["time"]), amount(paid["income"]), words(paid.get("info")), seen_at)

    return lenient(schemas.INCOME, f"GET {PREFIX[market]}/v1/income", payload, row)


def fills(payload: Any, account: str, seen_at: datetime, market: str = "futures") -> Parsed:
    """FILLS of `GET /fapi/v1/userTrades` or `GET /dapi/v1/userTrades`; fee is what was paid, in fee_asset."""
    def row(trade: Any) -> tuple[Any, ...]:
        return (account, market, text(trade["symbol"]), identity(trade["id"]), from_ms(trade["time"]),
                identity(trade["orderId"]), text(trade["side"]), text(trade.get("positionSide") or "BOTH"),
                moved(trade["price"]), moved(trade["qty"]), amount(trade["commission"]),
                text(trade["commissionAsset"]), amount(trade["realizedPnl"]), flag(trade["maker"]), seen_at)

    return lenient(schemas.FILLS, f"GET {PREFIX[market]}/v1/userTrades", payload, row)

