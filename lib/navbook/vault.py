"""API keys, encrypted in one file beside navbook.toml. Keys in the environment come first.

Each account's key is a Fernet token of its own, so that accounts can be listed without the secret. The Fernet key is
derived from SESSION_SECRET (or the file that SESSION_SECRET_FILE names) by scrypt with the file's own salt. A key
belongs to an environment: one kept for live is never sent to a testnet or a sandbox.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from navbook import redaction, settings
from navbook.errors import SettingsInvalid
from navbook.runner.files import write_whole
from navbook.settings import Keys, Settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

SECRET = "SESSION_SECRET"    # noqa: S105  (a variable's name)
SHORT = 16                   # letters, below which a secret can be guessed
VERSION = 1                  # of the file: names the cost of scrypt, so that no file can choose it
COST = {"n": 2**15, "r": 8, "p": 3}    # OWASP, "Password Storage Cheat Sheet", for 32 MiB
ONLY_MINE = 0o600

Entries = dict[str, dict[str, str]]    # environment -> account -> token


@dataclass
class _File:
    """The vault as it lies on the disk."""

    salt: str
    keys: Entries = field(default_factory=dict)


def keys(config: Settings, account: str) -> Keys:
    """The API key of `account`: the environment's, else the vault's. Raises `SettingsInvalid`."""
    if found := settings.keys_in(os.environ, account, config.environment):
        return found[0]
    file = _read(config.vault_file)
    if account in file.keys.get(config.environment, {}):
        return _open(config, file, account)
    others = [environment for environment, entries in file.keys.items() if account in entries]
    other = f" The vault has this account's key for {others[0]}, not for {config.environment}." if others else ""
    raise SettingsInvalid(f"{settings.no_key(account, config.environment)}, or run navbook account add {account}."
                          f"{other}")


def source(config: Settings, account: str) -> str | None:
    """Where `keys` finds the key of `account`: a variable's name, or "vault"; None: nowhere."""
    if found := settings.keys_in(os.environ, account, config.environment):
        return found[1]
    return "vault" if account in kept(config) else None


def kept(config: Settings) -> list[str]:
    """The accounts whose keys for this environment are in the vault; needs no secret."""
    return sorted(_read(config.vault_file).keys.get(config.environment, {}))


def keep(config: Settings, account: str, found: Keys) -> None:
    """Put the key of `account` into the vault, in place of an older one.

    Raises `SettingsInvalid` without a secret, or with one that does not open what is already there.
    """
    file = _read(config.vault_file)
    for environment, entries in file.keys.items():
        for other in entries:
            _opened(config, file, environment, other)    # one secret for all
            break
    content = {"environment": config.environment, "account": account,
               "api_key": found.api_key.get_secret_value(), "api_secret": found.api_secret.get_secret_value()}
    token = _cipher(_secret(), file.salt).encrypt(json.dumps(content).encode()).decode()
    file.keys.setdefault(config.environment, {})[account] = token
    _write(config.vault_file, file)


def drop(config: Settings, account: str) -> bool:
    """Take the key of `account` out of the vault; whether there was one. Needs no secret."""
    file = _read(config.vault_file)
    if file.keys.get(config.environment, {}).pop(account, None) is None:
        return False
    _write(config.vault_file, file)
    return True


def variables(config: Settings, accounts: Iterable[str]) -> dict[str, str]:
    """The keys of those `accounts` that only the vault has, as variables for a child process, which gets no secret.

    Without a secret there are none: the child then says so of each account, and does the others.
    """
    found = {}
    for account in accounts:
        if is_open() and source(config, account) == "vault":
            own, prefix = keys(config, account), f"NAVBOOK_{settings.variable_of(account)}_API"
            found[f"{prefix}_KEY"] = own.api_key.get_secret_value()
            found[f"{prefix}_SECRET"] = own.api_secret.get_secret_value()
    return found


def is_open() -> bool:
    """Whether a secret is set; not whether it is the right one. Raises `SettingsInvalid` for an unreadable file."""
    return bool(settings.said_or_filed(SECRET, os.environ)[0].strip())


def is_weak() -> bool:
    """Whether the secret that is set is so short that it can be guessed."""
    return len(_secret()) < SHORT


def _secret() -> str:
    if not is_open():
        raise SettingsInvalid(f"The vault needs a secret that it is encrypted with: set {SECRET} (or {SECRET}_FILE), "
                              "and keep it elsewhere, for nobody can open the vault without it.")
    return settings.said_or_filed(SECRET, os.environ)[0].strip()


def _open(config: Settings, file: _File, account: str) -> Keys:
    content = _opened(config, file, config.environment, account)
    return Keys(api_key=SecretStr(content["api_key"]), api_secret=SecretStr(content["api_secret"]))


def _opened(config: Settings, file: _File, environment: str, account: str) -> dict[str, str]:
    from cryptography.fernet import InvalidToken
    try:
        content: dict[str, str] = json.loads(
            _cipher(_secret(), file.salt).decrypt(file.keys[environment][account].encode()))
    except InvalidToken:
        raise SettingsInvalid(f"{config.vault_file} cannot be opened with this {SECRET}; set the one that it was made "
                              f"with, or delete the file and run navbook account add {account}.") from None
    if (content["environment"], content["account"]) != (environment, account):
        raise SettingsInvalid(f"{config.vault_file} was changed by hand: the key under {account} is another account's; "
                              f"run navbook account add {account}.")
    redaction.remember(content["api_key"], content["api_secret"])
    return content


@cache    # scrypt takes a while, on purpose
def _cipher(secret: str, salt: str) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    derived = Scrypt(salt=base64.b64decode(salt), length=32, **COST).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _read(place: Path) -> _File:
    """The vault, or an empty one with a new salt where there is no file. Raises `SettingsInvalid`."""
    try:
        text = place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _File(salt=base64.b64encode(secrets.token_bytes(16)).decode())
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not text"
        raise SettingsInvalid(f"The vault {place} cannot be read: {reason}.") from None
    try:
        content = json.loads(text)
        if content["version"] > VERSION:
            raise SettingsInvalid(f"The vault {place} was written by a newer navbook; update navbook.")
        base64.b64decode(content["salt"], validate=True)
        entries = {str(environment): {str(account): str(token) for account, token in own.items()}
                   for environment, own in content["keys"].items()}
        return _File(content["salt"], entries)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SettingsInvalid(f"The vault {place} is damaged; restore it from a copy, or delete it and run navbook "
                              "account add for each account.") from None


def _write(place: Path, file: _File) -> None:
    content = {"version": VERSION, "salt": file.salt, "keys": file.keys}
    try:
        write_whole(place, json.dumps(content, indent=1) + "\n", ONLY_MINE)
    except OSError as problem:
        raise SettingsInvalid(f"The vault {place} cannot be written: {problem.strerror}.") from None
