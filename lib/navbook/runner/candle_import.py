"""`navbook candles import`: files of candles and funding into the facts, a month (of minutes) or a year at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import polars as pl

from navbook import schemas
from navbook.errors import CandlesInvalid, SettingsInvalid, StoreMismatch
from navbook.runner import candle_files, locks, stores
from navbook.runner.candle_files import Source
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Environment

Progress = Callable[[int, int], None]
TIMES = {schemas.CANDLES.name: "open_time", schemas.FUNDING_RATES.name: "time"}
Part = tuple[str, str]    # of which table, and 2024-01 or 2024


@dataclass
class Imported:
    """What became of the files."""

    files: int = 0
    left_out: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMES, 0))    # read, by table
    new: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMES, 0))

    def said(self) -> str:
        """One sentence."""
        counts = (f"{self.rows[name]:,} {words}, {self.new[name]:,} of them new" for name, words in
                  ((schemas.CANDLES.name, "candles"), (schemas.FUNDING_RATES.name, "funding rates")) if self.rows[name])
        left = f" {self.left_out} other files of the folder were left out." if self.left_out else ""
        return f"{self.files} {'file' if self.files == 1 else 'files'}: {'; '.join(counts) or 'no rows'}.{left}"


def run(config: Settings, places: list[Path], market: str | None, symbol: str | None, progress: Progress) -> Imported:
    """Add what the files say to CANDLES and FUNDING_RATES; twice changes nothing.

    A part is stored whole or not at all; after a refusal, what came before it is stored. Raises `SettingsInvalid`
    where there is no file, `CandlesInvalid` naming the file and row that cannot be, `StoreMismatch` for a sandbox's
    store whose prices are made up.
    """
    found, others = candle_files.sources(places, market, symbol)
    if not found:
        raise SettingsInvalid(f"There is no file such as BTCUSDT-1m-2024-01.zip, .csv or .parquet in "
                              f"{', '.join(map(str, places))}.")
    with locks.hold(config, "backtest"):
        _claim(config)
        done = Imported(left_out=len(others))
        for _, group in groupby(found, key=lambda source: (source.symbol, source.interval, source.market)):
            for schema, rows in _parts(group, done, len(found), progress):
                seen = rows.with_columns(seen_at=pl.lit(datetime.now(UTC), schemas.TIME))
                done.new[schema.name] += tables.append(config.location, schema, seen)
    return done


def _claim(config: Settings) -> None:
    """Candles of a real market and those of a made-up one never lie in one store."""
    meta = stores.claim(config)
    if config.environment is not Environment.SANDBOX:
        return
    if "world" in meta:
        raise StoreMismatch(f"The store {config.location} holds a demo with prices of its own; give recorded candles "
                            "another: NAVBOOK_STORE=FOLDER navbook candles import …")
    stores.write_meta(config, candles=stores.IMPORTED)


def _parts(group: Iterator[Source], done: Imported, of: int,
            progress: Progress) -> Iterator[tuple[schemas.FrameSchema, pl.DataFrame]]:
    """The rows of files of one symbol and interval, put together by part; one comes when the files are past it."""
    waiting: dict[Part, list[tuple[Source, pl.DataFrame]]] = {}
    for source in group:
        schema, rows = candle_files.read(source)
        part_of = pl.col(TIMES[schema.name]).dt.strftime("%Y-%m" if source.interval == "1m" else "%Y")
        done.files, done.rows[schema.name] = done.files + 1, done.rows[schema.name] + rows.height
        for (period,), part in rows.group_by(part_of, maintain_order=True):
            waiting.setdefault((schema.name, str(period)), []).append((source, part))
        progress(done.files, of)
        for part_name in sorted(waiting)[:-1]:
            yield _whole(part_name, waiting.pop(part_name))
    for part_name in sorted(waiting):
        yield _whole(part_name, waiting[part_name])


def _whole(name: Part, parts: list[tuple[Source, pl.DataFrame]]) -> tuple[schemas.FrameSchema, pl.DataFrame]:
    """Raises `CandlesInvalid` where two files contradict each other."""
    schema = schemas.FACTS[name[0]]
    rows = pl.concat([part for _, part in parts]).unique(maintain_order=True)
    if (twice := rows.filter(pl.struct(schema.key).is_duplicated())).height:
        time = twice[TIMES[schema.name]][0]
        names = [source.path.name for source, part in parts if time in part[TIMES[schema.name]]]
        raise CandlesInvalid(f"{' and '.join(names)} say different things of {time:%Y-%m-%d %H:%M}; remove one")
    return schema, rows
