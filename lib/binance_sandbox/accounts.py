"""Accounts: who may ask, with which key, and what each wallet held before anything happened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from .errors import BadInput
from .fields import ASSET, Fields, amount

WALLETS = ("spot", "funding", "futures", "coin_futures", "margin", "isolated_margin", "earn_flexible", "earn_locked")
MAY_OWE = ("margin", "isolated_margin", "futures")    # borrowed, or a loss in multi-assets mode
PERMISSIONS = ("enableReading", "enableWithdrawals", "enableInternalTransfer", "enableMargin", "enableFutures",
               "permitsUniversalTransfer", "enableVanillaOptions", "enableFixApiTrade", "enableFixReadOnly",
               "enableSpotAndMarginTrading", "enablePortfolioMarginTrading", "ipRestrict")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Balances = dict[str, dict[str, Decimal]]    # wallet -> asset -> amount


@dataclass(frozen=True, kw_only=True)
class Account:
    """One Binance account with one key. `opening` is a state, not a deposit."""

    name: str
    api_key: str
    api_secret: str       # empty where there is a public key
    public_key: str | None    # PEM, RSA or Ed25519
    permissions: dict[str, bool]
    opening: Balances
    master: str | None    # the name of the account that this one is a sub-account of
    email: str
    created: int          # ms

    @property
    def uid(self) -> int:
        """Nine digits that follow from name and key alone."""
        digest = sha256(f"{self.name}|{self.api_key}".encode()).hexdigest()
        return 100_000_000 + int(digest[:12], 16) % 900_000_000


def read_account(fields: Fields, created: int) -> Account:
    """The account that a control call or a scenario describes; raises `BadInput`."""
    name = fields.text("name")
    if not NAME.fullmatch(name):
        raise fields.wrong("name", f"expected letters, digits, '_', '.' or '-', got {name!r}")
    public_key = _public_key(fields)
    account = Account(
        name=name, api_key=_credential(fields, "api_key"), public_key=public_key,
        api_secret=_credential(fields, "api_secret", optional=public_key is not None),
        permissions=_permissions(fields.table("permissions")), opening=_balances(fields.table("balances")),
        master=fields.optional_text("master"), email=fields.text("email", f"{name}@example.com"), created=created)
    fields.done()
    return account


def _public_key(fields: Fields) -> str | None:
    pem = fields.optional_text("public_key")
    if pem is not None:
        # Brings cryptography: for those alone who need it.
        from .keys import verifier

        try:
            verifier(pem)
        except ValueError as error:
            raise fields.wrong("public_key", f"expected the PEM of an RSA or Ed25519 key ({error})") from None
    return pem


def _credential(fields: Fields, key: str, *, optional: bool = False) -> str:
    if optional and key not in fields:
        return ""
    value = fields.text(key)
    if not value.isascii() or not value.isprintable() or " " in value:
        raise fields.wrong(key, "expected printable ASCII without blanks")
    return value


def _permissions(fields: Fields) -> dict[str, bool]:
    """Every flag of apiRestrictions; a key may read and nothing else unless it says so."""
    permissions = {flag: fields.flag(flag, default=flag == "enableReading") for flag in PERMISSIONS}
    fields.done()
    return permissions


def _balances(fields: Fields) -> Balances:
    opening: Balances = {}
    for wallet in fields.names():
        if wallet not in WALLETS:
            raise BadInput(fields.key(wallet), f"is none of the wallets {', '.join(WALLETS)}")
        opening[wallet] = {}
        assets = fields.table(wallet)
        for asset in assets.names():
            if not ASSET.fullmatch(asset):
                raise assets.wrong(asset, "expected upper-case letters and digits")
            value = amount(assets.take(asset), assets.key(asset), signed=wallet in MAY_OWE)
            opening[wallet][asset] = value
    return opening
