"""The fact frames of one or more readings, ready to be appended."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from navbook import schemas
from navbook.compute import grading, valuation
from navbook.exchange.reading import Reading, merged
from navbook.settings import Settings
from navbook.store import tables


@dataclass
class Harvest:
    """Facts by table, and what went wrong on the way."""

    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)    # by table
    problems: list[str] = field(default_factory=list)                      # one sentence each

    def add(self, schema: schemas.FrameSchema, frame: pl.DataFrame) -> None:
        if not frame.is_empty():
            self.frames.setdefault(schema.name, []).append(frame)

    def take(self, reading: Reading) -> None:
        """Everything that `reading` brought, the answers word for word among it."""
        self.problems += reading.told
        for name, frames in reading.frames.items():
            for frame in frames:
                self.add(schemas.FACTS[name], frame)
        self.add(schemas.RESPONSES, reading.responses)

    def frame(self, schema: schemas.FrameSchema) -> pl.DataFrame:
        return merged(self.frames.get(schema.name, ()), schema)

    def snapshots(self, config: Settings) -> pl.DataFrame:
        """SNAPSHOTS, graded by what could be read and by the exchange's own total."""
        read = self.frame(schemas.SNAPSHOTS)
        held = valuation.holdings(self.frame(schemas.BALANCES), self.frame(schemas.PRICES),
                                  self.frame(schemas.CASH_FLOWS), read, config.stablecoins)
        reconciled = grading.reconciliation(held, schemas.WALLET_TOTALS.empty(), read, config.tolerance)
        graded = grading.net_asset_value(read, reconciled).select("account", "time", "grade", "reason")
        return schemas.SNAPSHOTS.check(read.drop("grade", "reason").join(graded, on=["account", "time"])
                                       .select(list(schemas.SNAPSHOTS.columns)))

    def store(self, config: Settings) -> dict[str, int]:
        """Grade the snapshots and append everything; rows added by table. Snapshots last, since a reader starts from
        them, and marks after the facts that they speak of."""
        if schemas.SNAPSHOTS.name in self.frames:
            self.frames[schemas.SNAPSHOTS.name] = [self.snapshots(config)]
        last = (schemas.HISTORY_MARKS.name, schemas.SNAPSHOTS.name)
        order = sorted(self.frames, key=lambda name: last.index(name) if name in last else -1)
        return {name: tables.append(config.location, schemas.FACTS[name], self.frame(schemas.FACTS[name]))
                for name in order}
