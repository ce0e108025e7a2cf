"""Keep secrets out of what is written: known ones by their value, others by where they stand or by their form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "…"
SHORTEST = 8    # a shorter value stands in ordinary words, too
NAMES = (r"(?:x-mbx-)?api[-_]?(?:key|secret)|signature|session_secret|secret(?:[-_]?key)?|password|passphrase|"
         r"(?:access[-_]?)?token|listen[-_]?key|authorization")
NAMED = re.compile(rf"\b(\w*(?:{NAMES}))(['\"]?\s*(?:=|:)\s*['\"]?)(?:(?:Bearer|Basic)\s+)?[^\s'\"&,;)}}\]]+",
                   re.IGNORECASE)
IN_ADDRESS = re.compile(r"(?<=://)[^/\s@'\"]+(?=@)")                       # user:password@
KEY_LIKE = re.compile(r"\b(?![0-9a-fA-F]{64}\b)(?=\w*[A-Z])(?=\w*[a-z])[A-Za-z0-9]{64}\b")    # no hash is like it
SIGNED = re.compile(r"\?[^\s'\"]*signature=[^\s'\"]*", re.IGNORECASE)      # a signed query says the account's business

_known: set[str] = set()


def remember(*secrets: str | None) -> None:
    """From now on `cleaned` hides these values wherever they stand, also as a part of an address."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST:
            _known.update((secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1]))


def cleaned(value: Any, name: str = "") -> Any:
    """`value` (a text, or what holds texts) without secrets; all of it where `name` says that it is one."""
    if name and value and re.fullmatch(rf"\w*(?:{NAMES})", name, re.IGNORECASE):
        return HIDDEN
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): cleaned(held, str(key)) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(held) for held in value]
    return value if value is None or isinstance(value, bool | int | float) else _text(str(value))


def without_known(text: str) -> str:
    """`text`, also the text of a whole file, without the values that `remember` was told."""
    for secret in sorted(_known, key=len, reverse=True):    # a longer one may hold a shorter one
        text = text.replace(secret, HIDDEN)
    return text


def holds_secret(text: str) -> bool:
    """Whether a known secret, a signature or what looks like a key stands in `text`; images in it are passed over."""
    words = re.sub(r"data:[\w/+.-]+;base64,[\w+/=]+", "", text)
    return without_known(words) != words or bool(KEY_LIKE.search(words) or SIGNED.search(words))


def _text(text: str) -> str:
    text = without_known(text)
    for pattern, instead in ((SIGNED, f"?{HIDDEN}"), (NAMED, rf"\1\2{HIDDEN}"), (IN_ADDRESS, HIDDEN),
                             (KEY_LIKE, HIDDEN)):
        text = pattern.sub(instead, text)
    return text
