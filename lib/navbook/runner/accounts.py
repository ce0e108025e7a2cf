"""Add, list, test and remove accounts: a section of navbook.toml and a key each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import polars as pl
import tomlkit

from navbook import settings, vault
from navbook.errors import SettingsInvalid
from navbook.exchange import check, client
from navbook.exchange.check import Finding
from navbook.runner import config_file, fees, locks, sandbox
from navbook.settings import Keys, Settings

Told = Callable[[str], None]
SHOWN = {"account": pl.String(), "type": pl.String(), "master": pl.String(), "fee_rate": pl.Float64(),
         "key": pl.String(), "trades": pl.String()}


def add(config: Settings, account: str, found: Keys | None, told: Told, *, master: str | None = None,
        fee_rate: float | None = None) -> None:
    """Write the account into navbook.toml, where it is not yet or `master` or `fee_rate` say something else of it,
    and keep `found` in the vault. Raises `SettingsInvalid`.
    """
    said = {name: value for name, value in (("master", master), ("fee_rate", fee_rate)) if value is not None}
    with locks.hold(config, "account"):
        if account not in config.accounts or said:
            config = config_file.edit(config, lambda document: _say(document, account, said))
            told(f"{account}: [accounts.{account}] stands in {config.file}.")
        if found is None:
            return
        weak = vault.is_weak()
        vault.keep(config, account, found)
    told(f"{account}: its key for {config.environment} is in {config.vault_file}, encrypted. Try it: navbook account "
         f"test {account}")
    if weak:
        told(f"Warning: {vault.SECRET} has fewer than {vault.SHORT} letters; who has the file may guess it.")
    if (source := vault.source(config, account)) != "vault":
        told(f"Warning: {source} is set and comes before the vault.")


def remove(config: Settings, account: str, told: Told) -> None:
    """Delete the account's key, and its section where navbook.toml can be without it; facts stay.

    Raises `SettingsInvalid` for an account that nobody knows, or that another one or a group names.
    """
    if account not in config.accounts and account not in vault.kept(config):
        config.names(account)    # says which there are
    with locks.hold(config, "account"):
        told(f"{account}: its key is gone from {config.vault_file}." if vault.drop(config, account) else
             f"{account}: the vault had no key of it.")
        if len(config.accounts) == 1:
            told(f"{account}: its section stays, for it is the only account.")
        elif account in config.accounts and config.file is not None:
            _take_out(config, account, told)
    if source := vault.source(config, account):
        told(f"{account}: its key is still in the environment, as {source}; unset that.")


def _take_out(config: Settings, account: str, told: Told) -> None:
    """Its section goes, unless fees are pending: the rate that they are worked out with stands there."""
    if (owed := fees.due(config, account)).height:
        told(f"{account}: its section stays, for fees of {', '.join(owed['period'])} are pending: navbook fees collect "
             "or waive settles them, then remove it again.")
        return

    def without(document: tomlkit.TOMLDocument) -> None:
        sections: Any = document["accounts"]
        del sections[account]

    config_file.edit(config, without)
    told(f"{account}: [accounts.{account}] is gone from {config.file}; facts stay (navbook reset takes them).")


def listed(config: Settings) -> pl.DataFrame:
    """[account, type, master, fee_rate, key, trades]: `key` is where its key is, `trades` the positions it has."""
    rows: list[dict[str, Any]] = [
        {"account": name, "type": "sub" if own.master else "master", "master": own.master, "fee_rate": own.fee_rate,
         "key": vault.source(config, name) or "none",
         "trades": ", ".join(position for position, trader in traders(config).items() if trader == name)}
        for name, own in config.accounts.items()]
    rows += [{"account": name, "type": "not in navbook.toml", "key": "vault"} for name in vault.kept(config)
             if name not in config.accounts]
    return pl.DataFrame(rows, schema=SHOWN)


def traders(config: Settings) -> dict[str, str]:
    """The account of each position of [trade]; of a position that names none, the only account."""
    only = next(iter(config.accounts), "") if len(config.accounts) == 1 else ""
    return {position: str(section.get("account", only)) for position, section in config.trade.items()}


def test(config: Settings, account: str, told: Told) -> bool:
    """Try the keys of `account` (or all) and of its master, and tell what is found; whether nothing is wrong."""
    fine = True
    with sandbox.for_command(config) as ready:
        for name in _with_masters(ready, account):
            findings = asyncio.run(findings_of(ready, name))
            told(f"{name}: {ready.environment}, key from {vault.source(ready, name) or 'nowhere'}")
            for finding in findings:
                told(f"  {finding.level:8}{finding.about:13}{finding.told}")
            fine = fine and not any(finding.level == "error" for finding in findings)
    return fine


async def findings_of(config: Settings, account: str) -> list[Finding]:
    """What is right and wrong with the key of `account`; a key that is missing is a finding too."""
    try:
        found = vault.keys(config, account)
    except SettingsInvalid as problem:
        return [Finding("error", "key", str(problem))]
    async with client.connect(config.environment, config.sandbox_url, found) as exchange:
        return await check.key(exchange, trades=account in traders(config).values())


def _with_masters(config: Settings, account: str) -> list[str]:
    names = config.names(account)
    masters = {config.accounts[name].master for name in names} - {None, *names}
    return [*names, *(name for name in masters if name)]


def _say(document: tomlkit.TOMLDocument, account: str, said: dict[str, Any]) -> None:
    """Put `said` into [accounts.NAME] of the document, a new one where there is none."""
    sections: Any = document.setdefault("accounts", tomlkit.table(is_super_table=True))
    if account in sections:
        sections[account].update(said)
        return
    fresh = tomlkit.table()
    fresh.update(said)
    sections.add(account, fresh.add(tomlkit.nl()))


def key_of(api_key: str, api_secret: str) -> Keys:
    """What was typed, as `Keys`. Raises `SettingsInvalid` for what is none."""
    parts = [settings.key_part(text, source) for text, source in ((api_key, "The key"), (api_secret, "The secret"))]
    if not all(parts):
        raise SettingsInvalid("Nothing was kept: the key or the secret is empty.")
    return Keys.model_validate({"api_key": parts[0], "api_secret": parts[1]})
