"""Everything this package raises on purpose.

    SandboxError            one sentence for the person at the command line; exit code 2
    `-- BadInput            a control call or a scenario holds a wrong value; names the key at fault
    WireError               an error that Binance's clients see: HTTP status, code and msg
"""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox cannot start; the text names the cause and the next step."""


class BadInput(SandboxError):
    """A value given by a control call or a scenario file is wrong."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key, self.reason = key, reason


class WireError(Exception):
    """An answer of the form `{"code": -1121, "msg": "Invalid symbol."}`. Source: BINANCE.md section 11."""

    def __init__(self, code: int, msg: str, status: int = 400) -> None:
        super().__init__(f"{code} {msg}")
        self.code, self.msg, self.status = code, msg, status
        self.headers: dict[str, str] = {}


def mandatory(name: str) -> WireError:
    """-1102: a parameter is missing."""
    return WireError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal_characters(name: str, legal: str) -> WireError:
    """-1100: a parameter holds what it may not."""
    return WireError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid_value(name: str) -> WireError:
    """-1130: a parameter makes no sense."""
    return WireError(-1130, f"Data sent for parameter '{name}' is not valid.")


def invalid_symbol() -> WireError:
    """-1121: there is no such symbol."""
    return WireError(-1121, "Invalid symbol.")


def key_rejected() -> WireError:
    """Unknown key, missing right, or a product that the account never opened: Binance says the same for all."""
    return WireError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def master_only() -> WireError:
    """A sub-account's key on an endpoint of its master (code from CHECKLIST.md A29; the text is ours)."""
    return WireError(-12022, "This endpoint can only be used by a master account.")


def unknown_path(method: str, path: str) -> WireError:
    """What Binance says of a path that it does not have."""
    return WireError(-5000, f"Path {path}, Method {method} is invalid", status=404)
