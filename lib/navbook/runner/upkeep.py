"""Take rows out of the store, after a look and a question; rebuild the answers from what is left.

Derived rows come back with the rebuild. Facts do not: before they go, the whole store is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl

from navbook import schemas
from navbook.errors import SettingsInvalid
from navbook.runner import backups, locks, rebuild, stores
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.store import tables, upkeep

Told = Callable[[str], None]
Asked = Callable[[str], None]    # asks the user to confirm with a word; raises when he does not
Chosen = dict[str, pl.DataFrame]    # table -> keys of its rows

BY_PEOPLE = (schemas.MANUAL_ENTRIES, schemas.FEE_PAYMENTS, schemas.CLOSINGS)    # a span of time takes them only by name


def reset(config: Settings, account: str, told: Told, asked: Asked, *, look_only: bool = False) -> None:
    """Take every row of `account` out of every table, after a copy; the settings stay as they are."""
    with _alone(config):
        stores.require(config, account)
        chosen = _chosen(config, _in_order(_with("account")), account)
        _shown(config, chosen, told, f"Rows of {account} in {config.location}")
        if not look_only:
            _taken_out(config, chosen, told, asked, account, f"reset-{account}")


def delete(config: Settings, account: str, since: str, until: str, told: Told, asked: Asked, *,
           names: Sequence[str] = (), facts: bool = False, dry_run: bool = False) -> None:
    """Take `account`'s rows from `since` up to `until` (UTC, both included) out of the derived tables.

    With `facts` out of the facts too, but of those that people made only where `names` has the table.
    Raises `SettingsInvalid` for a table, an account or a time that is none.
    """
    start, end = tables.moment(since), tables.moment(until)
    if start > end:
        raise SettingsInvalid(f"--from {since} is later than --to {until}; give the earlier time first.")
    wanted = _named(names, facts=facts) if names else [
        schema for schema in _placed_in_time() if schema not in BY_PEOPLE and (facts or not _is_fact(schema))]
    with _alone(config):
        stores.require(config, account)
        chosen = _chosen(config, _in_order(wanted), account, start, end)
        _shown(config, chosen, told, f"Rows of {account} from {_utc(start)} to {_utc(end)}, both included")
        if not dry_run:
            _taken_out(config, chosen, told, asked, account, f"delete-{account}")


def replay(config: Settings, until: str, told: Told) -> None:
    """Rebuild the derived tables from the facts up to `until`; tell each content hash and whether it is another."""
    with locks.hold(config, "benchmark"):
        _rebuilt(config, told, _hashes(config), until)


def _taken_out(config: Settings, chosen: Chosen, told: Told, asked: Asked, account: str, why: str) -> None:
    if not chosen:
        return
    asked(account)
    before = _hashes(config)
    if any(name in schemas.FACTS for name in chosen):
        told(f"Copied the store as it was to {backups.create(config, why)}.")
    gone = {name: upkeep.delete(config.location, schemas.TABLES[name], keys) for name, keys in chosen.items()}
    told(f"Deleted {_rows(sum(gone.values()))}: {', '.join(f'{name} {number}' for name, number in gone.items())}.")
    _rebuilt(config, told, before)


def _hashes(config: Settings) -> dict[str, str | None]:
    return {name: tables.stored_hash(config.location, schema) for name, schema in schemas.DERIVED.items()}


def _rebuilt(config: Settings, told: Told, before: dict[str, str | None], until: str = "now") -> None:
    hashes = rebuild.run(config, until)
    told("Rebuilt from the facts" + ("" if until == "now" else f" up to {_utc(tables.moment(until))}") + ":")
    for name, digest in sorted(hashes.items()):
        told(f"  {name:<18} {digest}{'' if digest == before[name] else '  another than before'}")


def _chosen(config: Settings, wanted: Sequence[FrameSchema], account: str, since: datetime | None = None,
            until: datetime | None = None) -> Chosen:
    """The keys to take out, by table, in the order of `wanted`; tables without any are left out."""
    keys = {schema.name: upkeep.keys_of(config.location, schema, account, since, until) for schema in wanted}
    return {name: frame for name, frame in keys.items() if not frame.is_empty()}


def _shown(config: Settings, chosen: Chosen, told: Told, heading: str) -> None:
    told(f"{heading}{':' if chosen else ': none.'}")
    for name, keys in chosen.items():
        kind = "facts" if name in schemas.FACTS else "derived"
        told(f"  {name:<18} {upkeep.count(config.location, schemas.TABLES[name], keys):>8}  {kind}")


def _named(names: Sequence[str], *, facts: bool) -> list[FrameSchema]:
    known = {schema.name: schema for schema in _placed_in_time()}
    if strange := sorted(set(names) - set(known)):
        raise SettingsInvalid(f"--tables {strange[0]}: no such table has accounts and times; there are "
                              f"{', '.join(sorted(known))}.")
    if not facts and (kept := sorted(name for name in names if name in schemas.FACTS)):
        raise SettingsInvalid(f"{kept[0]} holds facts, which no rebuild brings back; add --facts to delete them.")
    return [known[name] for name in names]


def _placed_in_time() -> list[FrameSchema]:
    return [schema for schema in _with("account") if upkeep.time_column(schema)]


def _with(column: str) -> list[FrameSchema]:
    return [schema for schema in schemas.TABLES.values() if column in schema.columns]


def _in_order(wanted: Sequence[FrameSchema]) -> list[FrameSchema]:
    """Answers before facts. Of facts, snapshots first: without its balances one would be worth nothing; the account
    last: while anything of it is left, it can be named again."""
    rank = {schemas.SNAPSHOTS.name: 1, schemas.ACCOUNTS.name: 3}
    return sorted(wanted, key=lambda schema: rank.get(schema.name, 2 if _is_fact(schema) else 0))


@contextmanager
def _alone(config: Settings) -> Iterator[None]:
    """Nothing is collected and nothing rebuilt meanwhile: what was shown is what goes."""
    with locks.hold(config, "collect"), locks.hold(config, "benchmark"):
        yield


def _is_fact(schema: FrameSchema) -> bool:
    return schema.name in schemas.FACTS


def _rows(number: int) -> str:
    return f"{number} row{'' if number == 1 else 's'}"


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
