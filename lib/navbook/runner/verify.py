"""Work the derived tables out again and compare them with what is stored; write anew what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from navbook import schemas
from navbook.compute import verify
from navbook.errors import NavbookError, StoreMismatch
from navbook.runner import locks, rebuild
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.store import looks, tables
from navbook.store.rewrite import Rewrite


class TablesDiffer(NavbookError):
    """Stored answers are not what the facts say."""


@dataclass(frozen=True)
class Finding:
    """One table, checked: `problem` is None when all is well."""

    table: str
    rows: int
    problem: str | None = None


def verify_tables(config: Settings, told: Callable[[str], None], *, fix: bool = False) -> None:
    """Check every derived table and say what was found; with `fix` write those anew that are wrong.

    Raises `TablesDiffer` when something is wrong and stays so.
    """
    with locks.hold(config, "benchmark"):    # nothing changes meanwhile
        expected = _expected(config)
        _refuse_faults(expected)
        findings = list(_findings(config, expected))
        for finding in findings:
            told(f"{finding.table}: {finding.problem or f'{finding.rows:,} rows, all as the facts say'}")
        wrong = [finding.table for finding in findings if finding.problem]
        if wrong and not fix:
            raise TablesDiffer(f"{', '.join(wrong)}: not what the facts say; navbook verify --fix writes that anew.")
        if wrong or looks.under_way(config.location):
            with looks.replacing(config.location):
                for name in wrong:
                    _write_anew(config.location, schemas.DERIVED[name], expected[name])
                    told(f"{name}: written anew, {expected[name].height:,} rows")


def _expected(config: Settings) -> dict[str, pl.DataFrame]:
    """The derived tables as the facts have them now, up to the last snapshot that is in the stored ones."""
    try:
        last = tables.latest(config.location, schemas.NAV_HISTORY)
    except StoreMismatch:
        last = None
    facts = rebuild.read_facts(config, as_of=str(last) if last else "now")
    return rebuild.compute(facts, config)


def _refuse_faults(expected: dict[str, pl.DataFrame]) -> None:
    """Raises `TablesDiffer` where the answers of a rebuild do not agree with one another."""
    journal, history = expected[schemas.BENCHMARK_JOURNAL.name], expected[schemas.NAV_HISTORY.name]
    for name, fault in (("benchmark_journal", verify.journal_faults(journal)),
                        ("nav_history", verify.value_faults(history, journal))):
        if fault:
            raise TablesDiffer(f"{name} cannot be replayed even when worked out anew ({fault.rows:,} rows; "
                               f"{fault.first}): please report this.")


def _findings(config: Settings, expected: dict[str, pl.DataFrame]) -> Iterator[Finding]:
    """Each stored table beside what it should be."""
    for name, frame in expected.items():
        schema = schemas.DERIVED[name]
        try:
            stored = tables.read(config.location, schema)
        except StoreMismatch as problem:
            yield Finding(name, 0, str(problem))
            continue
        difference = verify.differences(schema, stored, frame)
        yield Finding(name, stored.height,
                      f"{difference.rows:,} rows differ, first: {difference.first}" if difference else None)


def _write_anew(location: str, schema: FrameSchema, frame: pl.DataFrame) -> None:
    """Replace a table, also one whose files were changed behind its back: its log would say that all is well."""
    with Rewrite(location, schema) as table:
        table.add(frame)
        table.commit(even_if_same=True)
