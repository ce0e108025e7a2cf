"""What a store remembers of itself: its schema version, its environment, the demo that it holds."""

from __future__ import annotations

from datetime import UTC, datetime

from navbook import schemas
from navbook.errors import SettingsInvalid, StoreMismatch
from navbook.settings import Settings
from navbook.store import tables

SCHEMA_VERSION = 1
IMPORTED = "imported"    # what `candles` says of a sandbox's store whose prices come from files


def read_meta(config: Settings) -> dict[str, str]:
    """What the store remembers of itself; empty for one that was never written."""
    return dict(tables.read(config.location, schemas.STORE_META).select("name", "value").iter_rows())


def write_meta(config: Settings, **values: str) -> None:
    """Let the store remember `values`."""
    now = datetime.now(UTC)
    tables.append(config.location, schemas.STORE_META,
                  schemas.STORE_META.rows([(name, value, now) for name, value in values.items()]))


def claim(config: Settings) -> dict[str, str]:
    """Stamp a new store, or check an old one; return what it remembers.

    Raises `StoreMismatch` when it belongs to another environment or to newer code.
    """
    meta = read_meta(config)
    if not meta:
        write_meta(config, environment=config.environment, schema_version=str(SCHEMA_VERSION))
        return read_meta(config)
    if meta.get("environment") != config.environment:
        raise StoreMismatch(f"The store {config.location} belongs to the environment {meta.get('environment')}, "
                            f"not {config.environment}; name another store.")
    if int(meta.get("schema_version", "0")) > SCHEMA_VERSION:
        raise StoreMismatch(f"The store {config.location} was written by a newer navbook (schema "
                            f"{meta['schema_version']}, this one knows {SCHEMA_VERSION}); update navbook.")
    return meta


def require(config: Settings, account: str) -> None:
    """Raise `SettingsInvalid` when the store knows no such account."""
    known = tables.read(config.location, schemas.ACCOUNTS)["account"]
    if account not in known:
        raise SettingsInvalid(f"There is no account {account} in {config.location}; there are "
                              f"{', '.join(known) or 'none yet'}.")
