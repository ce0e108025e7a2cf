"""Read the fields of a control call or a scenario table; every complaint names the key at fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .errors import BadInput
from .money import SCALE

ASSET = re.compile(r"[A-Z0-9]{1,20}")
EARLIEST = 100_000_000_000    # 1973 in ms; anything smaller was meant as seconds


class Fields:
    """A table whose keys are taken one by one; `done` refuses what nobody took. A null counts as missing."""

    def __init__(self, table: object, where: str = "") -> None:
        if not isinstance(table, Mapping):
            raise BadInput(where or "body", "expected a table of keys and values")
        self._table: dict[str, Any] = {name: value for name, value in table.items() if value is not None}
        self.where = where

    def key(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def wrong(self, name: str, reason: str) -> BadInput:
        return BadInput(self.key(name), reason)

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def take(self, name: str) -> Any:
        """The raw value, None where it is missing."""
        return self._table.pop(name, None)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.take(name)
        if value is None:
            if default is None:
                raise self.wrong(name, "is missing")
            return default
        if not isinstance(value, str) or not value:
            raise self.wrong(name, f"expected a text, got {value!r}")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self else None

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise self.wrong(name, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def asset(self, name: str = "asset") -> str:
        value = self.text(name)
        if not ASSET.fullmatch(value):
            raise self.wrong(name, f"expected upper-case letters and digits, got {value!r}")
        return value

    def integer(self, name: str, default: int | None = None, least: int = 0) -> int:
        value = self.take(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
            raise self.wrong(name, "is missing" if value is None else f"expected a whole number, got {value!r}")
        if value < least:
            raise self.wrong(name, f"must be at least {least}, got {value}")
        return int(value)

    def time(self, name: str, default: int | None = None) -> int:
        value = self.integer(name, default)
        if value < EARLIEST:
            raise self.wrong(name, f"expected ms since 1970, got {value}")
        return value

    def amount(self, name: str, default: Decimal | None = None, *, signed: bool = False) -> Decimal:
        value = self.take(name)
        if value is None and default is not None:
            return default
        return amount(value, self.key(name), signed=signed)

    def flag(self, name: str, default: bool) -> bool:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, f"expected true or false, got {value!r}")
        return value

    def table(self, name: str) -> Fields:
        return Fields(self._table.pop(name, {}), self.key(name))

    def names(self) -> list[str]:
        return list(self._table)

    def done(self) -> None:
        if self._table:
            raise self.wrong(next(iter(self._table)), "is not a key that is known here")


def amount(value: object, key: str, *, signed: bool = False) -> Decimal:
    """A Decimal of at most eight decimals, from text or a number.

    A number may carry float noise, so it is rounded to eight decimals; a text means what it says.
    """
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise BadInput(key, "is missing" if value is None else f"expected an amount, got {value!r}")
    try:
        number = Decimal(str(value))
        rounded = number.quantize(SCALE)
        if not number.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise BadInput(key, f"expected an amount, got {value!r}") from None
    if isinstance(value, str) and rounded != number:
        raise BadInput(key, f"{value} has more than eight decimals")
    if rounded < 0 and not signed:
        raise BadInput(key, f"must not be negative, got {value}")
    return rounded
