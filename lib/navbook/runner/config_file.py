"""Change navbook.toml without losing its comments; what it would become is checked before it is written."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from navbook import settings
from navbook.errors import SettingsInvalid
from navbook.runner.files import write_whole
from navbook.settings import Settings


def place_of(config: Settings) -> Path:
    """The file that `config` came from, or where one would be looked for."""
    return config.file or config.base / "navbook.toml"


def edit(config: Settings, change: Callable[[tomlkit.TOMLDocument], None]) -> Settings:
    """Apply `change` to the file of `config` (a new one where there is none); return what it says now.

    Raises `SettingsInvalid` and `FolderUnusable`, and then leaves the file as it was.
    """
    place = place_of(config)
    try:
        document = tomlkit.parse(place.read_text(encoding="utf-8-sig") if place.exists() else
                                 f'environment = "{config.environment}"\n')
        change(document)
        text = tomlkit.dumps(document)
    except TOMLKitError as problem:
        raise SettingsInvalid(f"{place} cannot be changed: {problem}; change it by hand.") from None
    changed = settings.parse(text, place)
    write(place, text)
    return changed


def write(place: Path, text: str) -> None:
    """Put `text` into the file; who may read it stays as it was. Raises `FolderUnusable`."""
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
    write_whole(place, text)
    if mode is not None:
        place.chmod(mode)
