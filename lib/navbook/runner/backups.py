"""Copies of a store that can be trusted: made while it is written, restored to a new place, verified by hash.

A backup is a folder `<backups>/<environment>_<UTC time>[_before-WHY]` that holds the tables of one moment and
`backup.json`: the digest of every table's files, the content hash of every answer, and the settings (without
secrets) that the answers were worked out with. `<environment>_latest` points to the newest.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from navbook import schemas
from navbook.compute.books import Facts
from navbook.errors import NavbookError, SettingsInvalid
from navbook.runner import logs, rebuild, records, stores
from navbook.runner.files import write_whole
from navbook.settings import Settings
from navbook.store import tables, upkeep
from navbook.types import Environment

MANIFEST = "backup.json"
LATEST = "latest"


class BackupDamaged(NavbookError):
    """A backup is not what it was when it was made."""


@dataclass(frozen=True)
class Backup:
    """What backup.json tells."""

    environment: str
    made_at: str                    # UTC
    why: str                        # empty: somebody asked for it
    code: str
    schema_version: int
    digests: dict[str, str]         # table -> SHA-256 over its files
    hashes: dict[str, str]          # derived table -> content hash
    settings: dict[str, object]

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.made_at)


def create(config: Settings, why: str = "") -> Path:
    """A verified copy of every table as it is at one moment, whoever is writing; where it is.

    Raises `StoreUnusable` when there is no room, or the copy differs from what was copied.
    """
    now = datetime.now(UTC)
    name = f"{config.environment}_{now:%Y-%m-%dT%H%M%S.%fZ}" + (f"_before-{why}" if why else "")
    place = config.backups_folder / name
    with logs.session(config, "backup") as log:
        digests = upkeep.copy(config.location, place)
        made = Backup(config.environment, now.isoformat(), why, records.code_version(),
                      int(stores.read_meta(config).get("schema_version", "0")), digests, _hashes(str(place)),
                      json.loads(config.model_dump_json(exclude={"base", "file"})))
        write_whole(place / MANIFEST, json.dumps(asdict(made), indent=1) + "\n")
        _point_to(place)
        log.info("backup made", place=str(place), tables=len(digests))
    return place


def listed(config: Settings) -> list[tuple[Path, Backup]]:
    """The backups of this environment that can be read, oldest first."""
    found = [(folder, made) for folder, made in _there(config) if isinstance(made, Backup)]
    return sorted(found, key=lambda each: each[1].time)


def damaged(config: Settings) -> list[str]:
    """What is wrong with the others. Nothing deletes them."""
    return [str(problem) for _, problem in _there(config) if isinstance(problem, BackupDamaged)]


def _there(config: Settings) -> Iterator[tuple[Path, Backup | BackupDamaged]]:
    for folder in sorted(config.backups_folder.glob(f"{config.environment}_*")):
        if not folder.is_symlink() and (folder / MANIFEST).exists():
            try:
                yield folder, read(folder)
            except BackupDamaged as problem:
                yield folder, problem


def find(config: Settings, name: str) -> Path:
    """The backup of that name or path; `latest` is the newest. Raises `SettingsInvalid`."""
    beside = config.backups_folder / (f"{config.environment}_{LATEST}" if name == LATEST else name)
    for place in (beside, Path(name).expanduser()):
        if (place / MANIFEST).exists():
            return place.resolve()
    raise SettingsInvalid(f"There is no backup {name} in {config.backups_folder}; navbook backup list shows them.")


def read(place: Path) -> Backup:
    """What the backup at `place` tells of itself. Raises `BackupDamaged`."""
    try:
        made = TypeAdapter(Backup).validate_json((place / MANIFEST).read_bytes())
        if made.time.tzinfo and made.environment in set(Environment):
            return made
        reason = "it does not say when, or of which environment, it was made"
    except ValidationError as problem:
        reason = f"{problem.error_count()} of its entries are not what they should be"
    except (OSError, ValueError) as problem:
        reason = str(problem)
    raise BackupDamaged(f"{place / MANIFEST} cannot be read ({reason}); use another backup.")


def restore(config: Settings, name: str, to: Path) -> Path:
    """Put a backup into the new folder `to` as a store, compared file by file; the location of its environment.

    Raises `SettingsInvalid` when `to` holds anything: data is never written over. Raises `BackupDamaged`.
    """
    if to.parts[:1] == ("s3:",):
        raise SettingsInvalid(f"A backup is restored to a folder, not to s3://{'/'.join(to.parts[1:])}: restore it "
                              "here, then copy that folder there whole (aws s3 sync).")
    source, target = find(config, name), to.expanduser().resolve()
    made = read(source)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SettingsInvalid(f"{to} is there already and not empty; a backup is restored to a new place only.")
    _check_files(source, made)
    location = target / made.environment
    target.mkdir(parents=True, exist_ok=True)
    if upkeep.copy(str(source), location) != made.digests:
        raise BackupDamaged(f"What was restored to {location} differs from {source}; use another disk.")
    return location


def verify(config: Settings, name: str) -> tuple[Backup, list[str]]:
    """Restore a backup aside, rebuild the answers from its facts, and compare every hash.

    Returns what the backup is and the answers that were older than its facts when it was made: those are others
    after a rebuild, as they must be. Raises `BackupDamaged` where anything else differs.
    """
    source = find(config, name)
    with tempfile.TemporaryDirectory(prefix="navbook-verify-") as aside, logs.session(config, "backup") as log:
        location = restore(config, str(source), Path(aside) / "store")
        made = read(source)
        restored = _settings_of(made, location.parent)
        behind = _is_behind(str(location))
        now = rebuild.run(restored)
        others = sorted(name for name, digest in now.items() if made.hashes.get(name, digest) != digest)
        if others and not behind:
            raise BackupDamaged(f"{', '.join(others)} of {source.name} are not what its facts and settings say; "
                                "run navbook benchmark, then make a new backup.")
        log.info("backup verified", place=str(source), rebuilt=len(now), behind=others)
    return made, others


def _settings_of(made: Backup, store: Path) -> Settings:
    try:
        return Settings(**{**made.settings, "store": str(store), "runs": str(store / "runs")})    # type: ignore[arg-type]
    except ValidationError as problem:
        raise BackupDamaged(f"The settings in the backup cannot be used by this navbook ({problem.error_count()} "
                            f"faults); verify it with {made.code}.") from None


def _is_behind(location: str) -> bool:
    """Whether facts came after the answers were last worked out."""
    history = tables.opened(location, schemas.NAV_HISTORY)
    if history is None:
        return True
    worked_out = history.history(1)[0]["timestamp"]
    facts = (tables.opened(location, schemas.FACTS[each.name]) for each in fields(Facts))
    return any(table is not None and table.history(1)[0]["timestamp"] > worked_out for table in facts)


def _check_files(source: Path, made: Backup) -> None:
    try:
        found = upkeep.digests(str(source), tables.versions(str(source)))
    except NavbookError as problem:
        raise BackupDamaged(f"The backup {source.name} is damaged: {problem}") from None
    if wrong := sorted(name for name in made.digests | found if found.get(name) != made.digests.get(name)):
        raise BackupDamaged(f"The backup {source.name} is damaged: {', '.join(wrong)} changed since it was made; "
                            "use another one.")


def _hashes(location: str) -> dict[str, str]:
    found = {name: tables.stored_hash(location, schema) for name, schema in schemas.DERIVED.items()}
    return {name: digest for name, digest in found.items() if digest}


def _point_to(place: Path) -> None:
    """Let `<environment>_latest` point to `place`; it points to the older one or to this, never nowhere."""
    link = place.with_name(f"{place.name.partition('_')[0]}_{LATEST}")
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(place.name)
    os.replace(beside, link)


def prune(config: Settings) -> list[Path]:
    """Take away all but the newest `keep.backups` of those that nobody made before a deletion or an upgrade."""
    gone = [place for place, made in listed(config) if not made.why][:-config.keep.backups]
    for place in gone:
        shutil.rmtree(place)
    return gone
