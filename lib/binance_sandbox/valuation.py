"""What holdings are worth, as Binance's own totals see it: in USDT, or in any asset that has a price."""

from __future__ import annotations

from decimal import Decimal

from .ledger import Amounts, Holdings, Position
from .market import Market
from .money import ZERO, cut
from .pairs import STABLECOINS

BRIDGES = ("USDC", "FDUSD", "BTC", "ETH", "BNB")


def usdt_price(market: Market, asset: str, now: int) -> Decimal | None:
    """USDT per unit of `asset`; a dollar coin without a market counts one; None when there is no route."""
    if asset == "USDT":
        return Decimal(1)
    if direct := market.live_price(f"{asset}USDT", now):
        return direct
    for bridge in BRIDGES:
        if (through := market.live_price(f"{asset}{bridge}", now)) and (last := usdt_price(market, bridge, now)):
            return through * last
    if inverse := market.live_price(f"USDT{asset}", now):
        return 1 / inverse
    return Decimal(1) if asset in STABLECOINS else None


def converted(market: Market, asset: str, quantity: Decimal, target: str, now: int) -> Decimal:
    """`quantity` of `asset` in `target`, cut to eight decimals; zero when it cannot be priced."""
    if asset == target or not quantity:
        return quantity
    price, unit = usdt_price(market, asset, now), usdt_price(market, target, now)
    return cut(quantity * price / unit) if price and unit else ZERO


def unrealised(market: Market, holdings: Holdings, now: int) -> dict[str, Decimal]:
    """Unrealised profit of the open positions per margin asset, at the mark price."""
    profits: dict[str, Decimal] = {}
    for position in holdings.positions.values():
        if position.amount:
            asset = market.pairs[position.symbol].quote
            profits[asset] = profits.get(asset, ZERO) + profit_of(market, position, now)
    return profits


def profit_of(market: Market, position: Position, now: int) -> Decimal:
    """What closing `position` at the mark price would realise, in the quote asset."""
    mark = market.price(position.symbol, now)
    return ZERO if mark is None else cut(position.amount * (mark - position.entry))


def wallet_value(market: Market, holdings: Holdings, wallet: str, target: str, now: int) -> Decimal:
    """What a wallet is worth in `target`; open positions included."""
    totals = {asset: amounts.total for asset, amounts in holdings.wallets.get(wallet, {}).items()}
    if wallet == "futures":
        for asset, profit in unrealised(market, holdings, now).items():
            totals[asset] = totals.get(asset, ZERO) + profit
    return sum((converted(market, asset, total, target, now) for asset, total in totals.items()), ZERO)


def held(holdings: Holdings, wallet: str) -> dict[str, Amounts]:
    """The assets of a wallet that hold anything."""
    return {asset: amounts for asset, amounts in holdings.wallets.get(wallet, {}).items()
            if amounts.free or amounts.locked or amounts.withdrawing}
