"""What is wrong with the books, and what to do about it: a list of small checks.

Each looks at one thing and returns a `Finding`; none writes. These look at the books, those of `machine` at what
keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import polars as pl

from navbook import schemas
from navbook.errors import NavbookError, one_line
from navbook.publish import series, words
from navbook.runner import known, machine
from navbook.runner.finding import Finding, State
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Environment, Grade

LISTED = 10    # lines that a finding prints of many
LATELY = 50    # snapshots, by which an account's usual distance is judged
LATE = 2.5     # times the usual distance between two snapshots
COLLECT = "Run navbook collect."


def findings(config: Settings, now: datetime | None = None, *, offline: bool = False) -> dict[str, Finding]:
    """What each of CHECKS found, by its name. One that cannot read its table has found that out.

    offline  without those that ask the exchange: for pages, which have no key
    """
    return {check.__name__: _found(check, config, now or datetime.now(UTC)) for check in CHECKS
            if not (offline and check in ASKING)}


def text(name: str, finding: Finding) -> str:
    """A finding as lines for a terminal."""
    rest = len(finding.lines) - LISTED
    lines = [*finding.lines[:LISTED], *([f"and {rest} more"] if rest > 0 else [])]
    said = f"{finding.state:<4}  {name:<14}  {finding.sentence} {finding.next_step}".rstrip()
    return "\n".join([said, *(f"      {one_line(line)}" for line in lines)])


def store(config: Settings, now: datetime) -> Finding:
    """Every table can be opened, its files can be, and its columns are of the right types."""
    faults: list[str] = []
    known = 0
    for schema in schemas.TABLES.values():
        try:
            known += tables.opened(config.location, schema) is not None
            faults += _faults(config.location, schema)
        except NavbookError as problem:
            faults.append(str(problem))
    if faults:
        return Finding(State.FAIL, f"{words.count(len(faults), 'fault')} in the tables of {config.location}.",
                       "Bring them back from a copy.", tuple(faults))
    return Finding(State.OK, f"{words.count(known, 'table')} in {config.location}, every file readable.")


def snapshots(config: Settings, now: datetime) -> Finding:
    """Each account was read lately. The sandbox's clock may be any: there an age says nothing."""
    times = tables.stored(config.location, schemas.SNAPSHOTS).select("account", "time").group_by("account").agg(
        pl.col("time").n_unique().alias("number"), pl.col("time").top_k(LATELY))
    each = tables.collected(times, config.location, schemas.SNAPSHOTS)
    taken = each.explode("time")
    newest = dict(taken.group_by("account").agg(pl.col("time").max()).sort("account").iter_rows())
    ages = {} if config.environment is Environment.SANDBOX else {name: now - time for name, time in newest.items()}
    late = [name for name, age in ages.items() if config.knows(name)
            if (usual := series.interval(taken.filter(pl.col("account") == name))) and age > LATE * usual]
    never = [name for name in config.accounts if name not in newest]
    lines = [f"{name}: {time:%Y-%m-%d %H:%M:%S} UTC" + (f", {words.span(ages[name])} ago" if name in ages else "")
             + (", late" if name in late else "") for name, time in newest.items()]
    lines += [f"{name}: never collected" for name in never]
    if not lines:
        return Finding(State.WARN, "Nothing was collected yet.", COLLECT)
    if late or never:
        return Finding(State.WARN, f"{words.count(len(late + never), 'account')} not collected lately.", COLLECT,
                       tuple(lines))
    return Finding(State.OK, f"{each['number'].sum()} snapshots, each account's newest:", lines=tuple(lines))


def answers(config: Settings, now: datetime) -> Finding:
    """The derived tables are of the newest snapshots."""
    taken, worked_out = (tables.newest_times(config.location, schema)
                         for schema in (schemas.SNAPSHOTS, schemas.NAV_HISTORY))
    behind = taken.join(worked_out, on=["account", "time"], how="anti")["account"].sort()
    if behind.len():
        return Finding(State.WARN, f"The figures of {words.listed(behind)} are older than the snapshots.",
                       "Run navbook benchmark.")
    return Finding(State.OK, "The figures are of the newest snapshots.")


def grades(config: Settings, now: datetime) -> Finding:
    """How far the snapshots can be trusted; the newest of each account decides."""
    number = dict(tables.collected(tables.scan(config.location, schemas.NAV_HISTORY).group_by("grade").len(),
                                   config.location, schemas.NAV_HISTORY).iter_rows())
    newest = tables.newest(config.location, schemas.NAV_HISTORY).filter(known.of_settings(config))
    poor = newest.filter(pl.col("grade").is_in([Grade.PROVISIONAL.value, Grade.INCOMPLETE.value]))
    said = (f"{number.get(Grade.PROVISIONAL, 0)} provisional and {number.get(Grade.INCOMPLETE, 0)} incomplete of "
            f"{sum(number.values())} snapshots.")
    if poor.is_empty():
        return Finding(State.OK, said)
    lines = tuple(f"{row['account']}: {row['time']:%Y-%m-%d %H:%M} UTC is {row['grade']}: {row['reason']}"
                  for row in poor.iter_rows(named=True))
    state = State.FAIL if (poor["grade"] == Grade.INCOMPLETE).any() else State.WARN
    return Finding(state, said, "The newest of these accounts is not complete.", lines)


def flows(config: Settings, now: datetime) -> Finding:
    """Every flow that counts has a price."""
    values = tables.read(config.location, schemas.FLOW_VALUES)
    unpriced = values.filter(pl.col("value_usd").is_null())
    bare = [row for name in unpriced["account"].unique().sort()
            for row in series.without_price(unpriced.filter(pl.col("account") == name),
                                            tables.read(config.location, schemas.NAV_HISTORY, account=name)
                                            ).iter_rows(named=True)]
    if bare:
        return Finding(State.WARN, f"{words.count(len(bare), 'flow')} without a price.",
                       "navbook flows price SOURCE:ID USD gives one.",
                       tuple(f"{row['account']}: {row['time']:%Y-%m-%d %H:%M} UTC {row['quantity']:+g} {row['asset']} "
                             f"{row['source']}:{row['id']}" for row in bare))
    return Finding(State.OK, f"{words.count(values.height, 'flow')}, each with a price.")


def quarantine(config: Settings, now: datetime) -> Finding:
    """Every row of the exchange's answers could be read."""
    rows = known.unread(tables.read(config.location, schemas.QUARANTINE)).sort("time", descending=True)
    if rows.is_empty():
        return Finding(State.OK, "Every row of the exchange's answers could be read.")
    return Finding(State.WARN, f"{words.count(rows.height, 'row')} of answers could not be read and in no figure.",
                   "navbook sql 'from quarantine' shows them whole.",
                   tuple(f"{row['account']}: {row['time']:%Y-%m-%d %H:%M} UTC {row['endpoint']}: {row['reason']}"
                         for row in rows.iter_rows(named=True)))


def reconciliation(config: Settings, now: datetime) -> Finding:
    """The newest snapshot of each account agrees with the exchange's own totals."""
    newest = tables.newest(config.location, schemas.RECONCILIATION).filter(known.of_settings(config))
    apart = newest.filter(~pl.col("within"))
    if apart.height:
        return Finding(State.WARN, f"{words.count(apart.height, 'wallet')} not as the exchange has it.",
                       "Its snapshots are provisional.",
                       tuple(f"{row['account']}: {row['wallet']} {row['residual_usd']:+,.2f} USD"
                             for row in apart.iter_rows(named=True)))
    compared = newest.filter(pl.col("within").is_not_null()).height
    return Finding(State.OK, f"{words.count(compared, 'wallet')} beside the exchange's own value, all within "
                             f"{100 * config.tolerance:g} %.")


Check = Callable[[Settings, datetime], Finding]
CHECKS: tuple[Check, ...] = (
    machine.environment, machine.versions, machine.exchange, machine.keys, store, snapshots, answers, grades, flows,
    quarantine, reconciliation, machine.runs, machine.alerting, machine.locks, machine.disk, machine.backup)
ASKING = (machine.exchange, machine.keys)


def _found(check: Check, config: Settings, now: datetime) -> Finding:
    try:
        return check(config, now)
    except NavbookError as problem:
        return Finding(State.FAIL, str(problem))


def _faults(location: str, schema: FrameSchema) -> Iterable[str]:
    """What is wrong with a table: columns of other types, files that cannot be read."""
    for file in tables.files(location, schema):
        try:
            stored = pl.read_parquet_schema(file)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
            yield str(tables.damaged(location, schema.name, str(problem)))
            return
        if wrong := [f"{column} is {stored[column]}, not {dtype}" for column, dtype in schema.columns.items()
                     if column in stored and stored[column] != dtype]:
            yield f"The table {schema.name} has another schema: {', '.join(wrong)}."
            return

