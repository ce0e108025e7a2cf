"""`/fapi/v1/listenKey`: keys for a stream that the sandbox does not serve. Source: BINANCE.md section 6.6."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from .clock import HOUR
from .errors import WireError
from .wire import Call

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def start(call: Call) -> dict[str, Any]:
    """Asked again within its hour, the same key goes on for another."""
    keys = call.state.futures.listen_keys
    since, until = keys.get(call.account.name, (0, 0))
    if call.now >= until:
        since = call.now
    keys[call.account.name] = (since, call.now + HOUR)
    return {"listenKey": _key(call, since)}


def keep_alive(call: Call) -> dict[str, Any]:
    keys = call.state.futures.listen_keys
    since, until = keys.get(call.account.name, (0, 0))
    if call.now >= until:
        raise WireError(-1125, "This listenKey does not exist.")
    keys[call.account.name] = (since, call.now + HOUR)
    return {"listenKey": _key(call, since)}


def close(call: Call) -> dict[str, Any]:
    call.state.futures.listen_keys.pop(call.account.name, None)
    return {}


def _key(call: Call, since: int) -> str:
    value = int(sha256(f"{call.state.seed}|{call.account.api_key}|{since}".encode()).hexdigest(), 16) << 128
    letters: list[str] = []
    while len(letters) < 64:
        value, rest = divmod(value, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)
