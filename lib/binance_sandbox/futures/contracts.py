"""What a USDⓈ-M contract allows beyond its ticks and steps (`pairs.Pair` has those): limits, bands, brackets.

Limits: recorded 2026-07-03 (fapi-v1-exchangeInfo). Brackets: recorded 2024-10-24 (leverage-brackets-subset).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property

from ..clock import HOUR
from ..money import ZERO
from ..pairs import Pair

MOST_OPEN_ORDERS = 200    # plain ones, per symbol (MAX_NUM_ORDERS)
MOST_ALGO_ORDERS = 200    # waiting conditional ones, per account


@dataclass(frozen=True, kw_only=True)
class Limits:
    """As exchangeInfo writes them."""

    min_price: str
    max_price: str
    max_quantity: str
    market_max_quantity: str
    band: str = "0.05"               # PERCENT_PRICE, either way; also triggerProtect and marketTakeBound
    liquidation_fee: str = "0.015000"
    kinds: tuple[str, ...] = ()      # underlyingSubType
    permissions: tuple[str, ...] = ("GRID", "COPY", "DCA", "PSB")
    funding_cap: str = "0.00375"


LIMITS = {
    "BTCUSDT": Limits(min_price="556.80", max_price="4529764", max_quantity="1000", market_max_quantity="120",
                      liquidation_fee="0.012500", kinds=("PoW",), funding_cap="0.00300"),
    "ETHUSDT": Limits(min_price="39.86", max_price="306177", max_quantity="10000", market_max_quantity="2000",
                      liquidation_fee="0.012500", kinds=("Layer-1",), funding_cap="0.00300"),
    "BNBUSDT": Limits(min_price="6.600", max_price="100000", max_quantity="100000", market_max_quantity="2000",
                      liquidation_fee="0.012500", kinds=("Layer-1",)),
    "SOLUSDT": Limits(min_price="0.4200", max_price="6857", max_quantity="1000000", market_max_quantity="80000",
                      kinds=("Layer-1",)),
    "XRPUSDT": Limits(min_price="0.0143", max_price="100000", max_quantity="10000000", market_max_quantity="2000000",
                      liquidation_fee="0.012500", kinds=("Payment",)),
    "ADAUSDT": Limits(min_price="0.00010", max_price="20000", max_quantity="30000000", market_max_quantity="3000000",
                      liquidation_fee="0.012500", kinds=("Layer-1",)),
    "DOGEUSDT": Limits(min_price="0.002440", max_price="30", max_quantity="300000000", market_max_quantity="30000000",
                       band="0.10", kinds=("Meme",), permissions=("GRID", "COPY", "RPI", "DCA", "PSB")),
    "USDCUSDT": Limits(min_price="0.0000100", max_price="200", max_quantity="10000000", market_max_quantity="500000"),
    "BTCUSDC": Limits(min_price="0.1", max_price="500000", max_quantity="800", market_max_quantity="50",
                      liquidation_fee="0.012500", kinds=("USDC",), permissions=("GRID", "DCA", "PSB"),
                      funding_cap="0.00300"),
}

# initialLeverage, notionalCap, maintMarginRatio; floor and cum follow from the row before (BINANCE.md 8.1)
Rows = tuple[tuple[int, int, str], ...]
BITCOIN: Rows = ((125, 50_000, "0.004"), (100, 600_000, "0.005"), (75, 3_000_000, "0.0065"),
                 (50, 12_000_000, "0.01"), (25, 70_000_000, "0.02"), (20, 100_000_000, "0.025"),
                 (10, 230_000_000, "0.05"), (5, 480_000_000, "0.1"), (4, 600_000_000, "0.125"),
                 (3, 800_000_000, "0.15"), (2, 1_200_000_000, "0.25"), (1, 1_800_000_000, "0.5"))
ETHER: Rows = (*BITCOIN[:4], (25, 50_000_000, "0.02"), (20, 65_000_000, "0.025"), (10, 150_000_000, "0.05"),
               (5, 320_000_000, "0.1"), (4, 400_000_000, "0.125"), (3, 530_000_000, "0.15"),
               (2, 800_000_000, "0.25"), (1, 1_200_000_000, "0.5"))
SOLANA: Rows = ((100, 20_000, "0.005"), (75, 100_000, "0.0065"), (50, 800_000, "0.01"), (25, 4_000_000, "0.02"),
                (20, 8_000_000, "0.025"), (10, 40_000_000, "0.05"), (5, 80_000_000, "0.1"),
                (4, 100_000_000, "0.125"), (2, 200_000_000, "0.25"), (1, 400_000_000, "0.5"))
BNB: Rows = ((75, 10_000, "0.005"), (50, 50_000, "0.006"), (40, 200_000, "0.01"), (25, 1_500_000, "0.02"),
             (20, 3_000_000, "0.025"), (10, 15_000_000, "0.05"), (5, 30_000_000, "0.1"), (4, 37_500_000, "0.125"),
             (2, 75_000_000, "0.25"), (1, 150_000_000, "0.5"))
XRP: Rows = ((75, 10_000, "0.005"), (50, 20_000, "0.0065"), (40, 160_000, "0.01"), (25, 800_000, "0.02"),
             (20, 1_600_000, "0.025"), (10, 8_000_000, "0.05"), (5, 16_000_000, "0.1"), (4, 20_000_000, "0.125"),
             (2, 40_000_000, "0.25"), (1, 80_000_000, "0.5"))
DOGE: Rows = ((75, 10_000, "0.005"), (50, 50_000, "0.007"), (40, 750_000, "0.01"), (25, 800_000, "0.02"),
              *XRP[4:])
OTHERS: Rows = ((75, 10_000, "0.005"), (50, 50_000, "0.01"), (40, 100_000, "0.015"), (25, 500_000, "0.02"),
                (20, 1_000_000, "0.025"), (10, 5_000_000, "0.05"), (5, 10_000_000, "0.1"), (4, 20_000_000, "0.125"),
                (2, 30_000_000, "0.25"), (1, 50_000_000, "0.5"))    # ADAUSDT's; a usual small contract
BRACKETS = {"BTC": BITCOIN, "ETH": ETHER, "SOL": SOLANA, "BNB": BNB, "XRP": XRP, "DOGE": DOGE}


@dataclass(frozen=True)
class Bracket:
    """A range of notional, floor < N <= cap: the highest leverage and the maintenance margin N * rate - cum."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    rate: Decimal
    cum: Decimal


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A symbol as the engine needs it: the filters as Decimals."""

    symbol: str
    base: str
    margin_asset: str
    limits: Limits
    tick: Decimal
    step: Decimal
    min_price: Decimal
    max_price: Decimal
    max_quantity: Decimal
    market_max_quantity: Decimal
    band: Decimal
    min_notional: Decimal
    liquidation_fee: Decimal
    price_places: int
    quantity_places: int
    brackets: tuple[Bracket, ...]
    funding_interval: int = 8 * HOUR    # ms, unless a control call changes it

    @cached_property
    def float_brackets(self) -> list[tuple[float, float, float]]:
        """Cap, rate and cum, for a quick look."""
        return [(float(bracket.cap), float(bracket.rate), float(bracket.cum)) for bracket in self.brackets]

    def bracket_of_float(self, notional: float) -> tuple[float, float, float]:
        return next((row for row in self.float_brackets if notional <= row[0]), self.float_brackets[-1])

    @property
    def most_leverage(self) -> int:
        return self.brackets[0].leverage

    def bracket(self, notional: Decimal) -> Bracket:
        """The one that `notional` falls into; the last has no end."""
        return next((bracket for bracket in self.brackets if notional <= bracket.cap), self.brackets[-1])

    def within_band(self, side: str, price: Decimal, mark: Decimal) -> bool:
        """PERCENT_PRICE: a buyer may not bid too high, a seller not ask too low."""
        return price <= mark * (1 + self.band) if side == "BUY" else price >= mark * (1 - self.band)

    def on_tick(self, price: Decimal) -> Decimal:
        return price // self.tick * self.tick

    def most_notional(self, leverage: int) -> Decimal:
        """The largest position at `leverage`."""
        return max(bracket.cap for bracket in self.brackets if bracket.leverage >= leverage)


@cache
def contract_of(pair: Pair) -> Contract:
    """What `pair` allows; a symbol without a row of its own gets usual numbers."""
    limits = limits_of(pair)
    return Contract(
        symbol=pair.symbol, base=pair.base, margin_asset=pair.quote, limits=limits, tick=Decimal(pair.futures_tick),
        step=Decimal(pair.futures_step), min_price=Decimal(limits.min_price), max_price=Decimal(limits.max_price),
        max_quantity=Decimal(limits.max_quantity), market_max_quantity=Decimal(limits.market_max_quantity),
        band=Decimal(limits.band), min_notional=Decimal(pair.futures_min_notional),
        liquidation_fee=Decimal(limits.liquidation_fee), price_places=pair.price_precision,
        quantity_places=pair.quantity_precision, brackets=brackets(BRACKETS.get(pair.base, OTHERS)))


def limits_of(pair: Pair) -> Limits:
    """What orders of a pair must keep to."""
    return LIMITS.get(pair.symbol) or Limits(min_price=pair.futures_tick, max_price="4529764", max_quantity="10000000",
                                             market_max_quantity="1000000")


def brackets(rows: Rows) -> tuple[Bracket, ...]:
    """Floors and cums by the recurrence of BINANCE.md 8.1."""
    made: list[Bracket] = []
    floor = cum = last_rate = ZERO
    for number, (leverage, cap, ratio) in enumerate(rows, 1):
        rate = Decimal(ratio)
        cum += floor * (rate - last_rate)
        made.append(Bracket(number, leverage, floor, Decimal(cap), rate, cum))
        floor, last_rate = Decimal(cap), rate
    return tuple(made)
