"""Numbers, dates and verdicts as people read them (LOOK.md, "Numbers, dates, words").

The minus is U+2212, the space before a percent sign is thin. What is not known is "unknown", never 0 or NaN.
A number that rounds to zero is zero: without sign, without colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from navbook.types import OWN_BENCHMARK

MINUS = "\N{MINUS SIGN}"
THIN = "\N{THIN SPACE}"
UNKNOWN = "unknown"
NOTHING = "\N{EN DASH}"    # where there cannot be a number

WALLETS = {"spot": "Spot", "funding": "Funding", "futures": "Futures USD-M", "coin_futures": "Futures COIN-M",
           "margin": "Cross margin", "isolated_margin": "Isolated margin", "earn_flexible": "Earn, flexible",
           "earn_locked": "Earn, locked", "in_transit": "In transit", "other": "Other"}
FLOWS = {"DEPOSIT": "Deposit", "WITHDRAWAL": "Withdrawal", "SUB_DEPOSIT": "Transfer in",
         "SUB_WITHDRAWAL": "Transfer out"}
COINS = {"BTC": "bitcoin", "ETH": "ether"}
COUNTS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"]


def number(value: float | None, places: int = 0, *, signed: bool = False, before: str = "") -> str:
    """`value` with thousands' commas; `before` stands between the sign and the digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    digits = f"{abs(value):,.{places}f}"
    sign = "" if is_zero(value, places) else MINUS if value < 0 else "+" if signed else ""
    return f"{sign}{before}{digits}"


def dollars(value: float | None, places: int = 0, *, signed: bool = False) -> str:
    """An amount in dollars: $1,234 or -$1,234."""
    return number(value, places, signed=signed, before="$")


def brief_dollars(value: float | None, *, signed: bool = False) -> str:
    """At most four digits: $42.8k, $950, $1.3M."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.99995 * unit:
            places = 0 if abs(value) >= 99.95 * unit else 1
            return number(value / unit, places, signed=signed, before="$").removesuffix(".0") + letter
    return dollars(value, signed=signed)


def percent(fraction: float | None, places: int = 1, *, signed: bool = True) -> str:
    """0.031 -> +3.1 %. Differences and returns are signed, shares are not."""
    return _with_unit(number(None if fraction is None else 100 * fraction, places, signed=signed), "%")


def points(fraction: float | None, *, unit: bool = True) -> str:
    """A difference of two percentages: 0.033 -> +3.3 points."""
    text = number(None if fraction is None else 100 * fraction, 1, signed=True)
    return text if text == UNKNOWN or not unit else f"{text} points"


def quantity(value: float | None, price: float | None = None) -> str:
    """An amount of an asset, as fine as a cent of its value: two to eight places, no idle zeros after the second.

    Without a price: as few places as it has.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    places = 8 if not price or price <= 0 else min(8, max(2, math.ceil(math.log10(price)) + 2))
    whole, _, fraction = number(value, places).partition(".")
    fraction = fraction.rstrip("0")
    if price:
        fraction = fraction.ljust(2, "0")
    return f"{whole}.{fraction}" if fraction else whole


def price(value: float | None) -> str:
    """A price with the figures that matter: two places from a dollar up, four figures below."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value >= 1 or value <= 0:
        return dollars(value, 2)
    return dollars(value, min(12, 3 - math.floor(math.log10(value))))


def is_zero(value: float, places: int = 0) -> bool:
    """Whether `value` is shown as zero."""
    return float(f"{abs(value):.{places}f}") == 0


def tone(value: float | None, places: int = 0) -> str:
    """positive, negative or nothing: the name of a figure's colour."""
    if value is None or not math.isfinite(value) or is_zero(value, places):
        return ""
    return "positive" if value > 0 else "negative"


def date(time: datetime | None, now: datetime | None = None) -> str:
    """12 Mar; with its year when that is not the year of `now`."""
    if time is None:
        return UNKNOWN
    year = "" if now is None or time.year == now.year else f" {time.year}"
    return f"{time.day} {time:%b}{year}"


def moment(time: datetime | None, now: datetime | None = None, *, seconds: bool = False) -> str:
    """12 Mar, 14:00 UTC."""
    if time is None:
        return UNKNOWN
    return f"{date(time, now)}, {time:%H:%M:%S} UTC" if seconds else f"{date(time, now)}, {time:%H:%M} UTC"


def span(length: timedelta) -> str:
    """How long: 40 s, 12 min, 31 h, 3 d 5 h. Whole units, rounded down. page.js says the same of ages."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    days, hours = divmod(seconds // 3600, 24)
    return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"


def count(n: int, noun: str) -> str:
    """Three accounts; 13 accounts; One account."""
    return f"{COUNTS[n] if n < len(COUNTS) else n} {noun}{'' if n == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def wallet(name: str) -> str:
    """The name of a wallet for people."""
    return WALLETS.get(name, name.replace("_", " ").capitalize())


def flow(kind: str) -> str:
    """The name of a kind of flow for people."""
    return FLOWS.get(kind, kind.replace("_", " ").capitalize())


def sentence(text: str | None, otherwise: str = "") -> str:
    """`text` with a capital and a full stop."""
    text = (text or otherwise).strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "?")) else ".")


class Benchmark(NamedTuple):
    """What the account is measured by: in full, and as short as a chart's label."""

    full: str
    short: str

    @property
    def first(self) -> str:
        """`short` as the first word of a line."""
        return self.short[:1].upper() + self.short[1:]


HALF_HALF = Benchmark("half bitcoin, half ether", "half/half")


def benchmark(journal: pl.DataFrame) -> Benchmark:
    """The name of the benchmark in this `BENCHMARK_JOURNAL`, from the weights that it began with.

    Of several accounts with different benchmarks: "their benchmarks".
    """
    first = journal.filter(pl.col("event") == "init", pl.col("benchmark") == OWN_BENCHMARK)
    names = {_benchmark(own) for own in first.partition_by("account")}
    return names.pop() if len(names) == 1 else Benchmark("their benchmarks", "benchmarks") if names else HALF_HALF


def choice(name: str, weights: Mapping[str, float], *, rebalanced: bool) -> str:
    """What a benchmark is called beside others: All bitcoin; Cash; Half/half, held; else by its `name`."""
    if len(weights) == 1:
        (asset,) = weights
        return "Cash" if asset in ("USDT", "USDC", "FDUSD") else f"All {COINS.get(asset, asset)}"
    rule = "weekly" if rebalanced else "held"
    if sorted(weights) == sorted(COINS) and all(abs(weight - 0.5) < 1e-6 for weight in weights.values()):
        return f"Half/half, {rule}"
    return f"{name}, {rule}"


def _benchmark(first: pl.DataFrame) -> Benchmark:
    worth = (first["units_after"] * first["price"]).to_list()
    weights = {asset: value / sum(worth) for asset, value in zip(first["asset"], worth, strict=True) if value}
    if not weights:
        return HALF_HALF
    if len(weights) == 1:
        (asset,) = weights
        return Benchmark(f"all {COINS.get(asset, asset)}", f"all {asset}")
    if len(weights) == 2 and all(abs(weight - 0.5) < 1e-6 for weight in weights.values()):
        one, other = (COINS.get(asset, asset) for asset in weights)
        return Benchmark(f"half {one}, half {other}", "half/half")
    return Benchmark(listed(f"{percent(weight, 0, signed=False)} {asset}" for asset, weight in weights.items()),
                     "benchmark")


def _with_unit(text: str, unit: str) -> str:
    return text if text == UNKNOWN else f"{text}{THIN}{unit}"
