"""What a deposit or a withdrawal would do to the benchmark. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from navbook import schemas
from navbook.compute import benchmark, valuation
from navbook.compute.benchmark import Event
from navbook.errors import SettingsInvalid
from navbook.exchange import values
from navbook.runner import explain, rebuild
from navbook.runner.arithmetic import at_price, usd, when
from navbook.settings import Settings

UNITS = pl.Decimal(38, 12)


@dataclass(frozen=True)
class Simulated:
    """What would become of the benchmark, in a sentence and leg by leg."""

    said: str
    units: pl.DataFrame    # [asset, price, units_before, units_after, change, change_usd]


def simulate(config: Settings, account: str, asset: str, amount: str, time: str = "now",
             price: str | None = None) -> Simulated:
    """`amount` of `asset` into `account` (negative: out of it), at the prices of the last counted snapshot at `time`.

    price  USD per unit, where the snapshot has none of `asset`

    Raises `SettingsInvalid`, and as `explain.moment` does.
    """
    found = explain.moment(config, account, time)
    try:
        quantity, given = float(values.amount(amount)), float(values.amount(price)) if price else None
    except ValueError as problem:
        raise SettingsInvalid(f"{problem}; write it like 1234.56.") from None
    if not quantity:
        raise SettingsInvalid("An amount of 0 changes nothing; -500 is a withdrawal of 500.")
    at = given or _price(config, found, asset.upper())
    moved = quantity * at
    nav = explain.history_of(config, account).filter(pl.col("time") == found.time)["nav"]
    rules = rebuild.rules_of(config, account)
    if set(rules.weights) != set(found.units):
        raise explain.TablesStale(f"navbook.toml names other assets for the benchmark of {account} than it was worked "
                                  f"out with; {explain.NEXT}.")
    units, _warning = benchmark.units_after(
        rules, Event(time=found.time, kind="deposit" if moved > 0 else "withdrawal", fact="simulated", flow_usd=moved,
                     nav_before=nav[0]),
        found.units, found.prices)
    after = sum(held * found.prices[leg] for leg, held in units.items())
    said = (f"{quantity:+.12g} {asset.upper()} at {at_price(at)} = {usd(moved)} in {account}, at the snapshot of "
            f"{when(found.time)}: the benchmark is worth {usd(found.value)} before and {usd(after)} after. "
            "Nothing is written.")
    return Simulated(said, _units(found, units))


def _units(found: explain.Moment, units: Mapping[str, float]) -> pl.DataFrame:
    rows = [(leg, found.prices[leg], before, units[leg], units[leg] - before)
            for leg, before in found.units.items()]
    frame = pl.DataFrame(rows, schema=["asset", "price", "units_before", "units_after", "change"], orient="row")
    return frame.with_columns(pl.col("units_before", "units_after", "change").cast(UNITS),
                              change_usd=pl.col("change") * pl.col("price"))


def _price(config: Settings, found: explain.Moment, asset: str) -> float:
    wanted = pl.DataFrame({"asset": [asset], "time": [found.time]}, schema_overrides={"time": schemas.TIME})
    price = valuation.priced(wanted, explain.stored_prices(config, found.time), config.stablecoins)["price"][0]
    if price is None:
        raise SettingsInvalid(f"The snapshot of {when(found.time)} holds no price of {asset}; say one with --price.")
    return float(price)
