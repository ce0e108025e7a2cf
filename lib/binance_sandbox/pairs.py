"""Trading pairs: which assets, how fine the prices, what the filters say."""

from __future__ import annotations

from dataclasses import dataclass

QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "USDP", "DAI", "BTC", "ETH", "BNB", "EUR", "TRY",
          "BRL", "GBP", "AUD", "JPY")
STABLECOINS = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "USDP", "DAI", "BFUSD", "RWUSD")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A symbol as exchangeInfo describes it. Ticks and steps are texts, as they go on the wire."""

    symbol: str
    base: str
    quote: str
    tick: str = "0.00000001"              # spot
    step: str = "0.00000100"
    futures_tick: str = "0.0000001"
    futures_step: str = "1"
    price_precision: int = 7              # futures; finer than the tick, as on Binance
    quantity_precision: int = 0
    futures_min_notional: str = "5"
    onboard: int = 1_567_965_300_000      # futures listing

    @property
    def on_futures(self) -> bool:
        """USDⓈ-M contracts are margined in a dollar coin."""
        return self.quote in ("USDT", "USDC")


# Ticks, steps and minima of the production symbols, recorded 2026-07-03 (../shared/data/api/recorded).
KNOWN = {pair.symbol: pair for pair in (
    Pair(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01000000", step="0.00001000", futures_tick="0.10",
         futures_step="0.001", price_precision=2, quantity_precision=3, futures_min_notional="50"),
    Pair(symbol="ETHUSDT", base="ETH", quote="USDT", tick="0.01000000", step="0.00010000", futures_tick="0.01",
         futures_step="0.001", price_precision=2, quantity_precision=3, futures_min_notional="20",
         onboard=1_574_840_700_000),
    Pair(symbol="BNBUSDT", base="BNB", quote="USDT", tick="0.01000000", step="0.00100000", futures_tick="0.010",
         futures_step="0.01", price_precision=3, quantity_precision=2, onboard=1_581_321_600_000),
    Pair(symbol="SOLUSDT", base="SOL", quote="USDT", tick="0.01000000", step="0.00100000",
         futures_tick="0.0100", futures_step="0.01", price_precision=4, quantity_precision=2,
         onboard=1_600_066_800_000),
    Pair(symbol="USDCUSDT", base="USDC", quote="USDT", tick="0.00001000", step="1.00000000",
         futures_tick="0.0000010", onboard=1_678_579_200_000),
    Pair(symbol="BTCUSDC", base="BTC", quote="USDC", tick="0.01000000", step="0.00001000", futures_tick="0.1",
         futures_step="0.001", price_precision=1, quantity_precision=3, futures_min_notional="50",
         onboard=1_704_285_000_000),
    Pair(symbol="ETHBTC", base="ETH", quote="BTC", tick="0.00001000", step="0.00010000"),
    Pair(symbol="BNBBTC", base="BNB", quote="BTC", tick="0.00000100", step="0.00100000"),
    Pair(symbol="XMRBTC", base="XMR", quote="BTC", tick="0.00000100", step="0.00100000"),
)}


def pair_of(symbol: str) -> Pair | None:
    """The pair named `symbol`; None when its quote asset is not one of the usual."""
    if symbol in KNOWN:
        return KNOWN[symbol]
    for quote in QUOTES:
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return Pair(symbol=symbol, base=base, quote=quote)
    return None


def tick_places(tick: str) -> int:
    """Decimals that a price on `tick` can have: "0.01000000" -> 2."""
    return len(tick.rstrip("0").partition(".")[2])
