"""Who is asking: key, then parameters, then timestamp, then signature, then permission.

A secret signs with HMAC-SHA256; an account with a public key is asked for RSA (PKCS#1 v1.5, SHA-256) or Ed25519.
Source: BINANCE.md sections 2.2, 2.3 and 13 (points 6 to 9).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from urllib.parse import unquote, unquote_plus

from .accounts import Account
from .clock import Clock
from .errors import WireError, illegal_characters, key_rejected, mandatory
from .ledger import Ledger

AHEAD_MS = 1000
PRINTABLE = re.compile(r"[!-~]+")
DEFAULT_WINDOW_MS, LONGEST_WINDOW_MS = 5000, 60_000


def authenticate(ledger: Ledger, clock: Clock, api_key: str | None, query: bytes, body: bytes,
                 params: dict[str, str], right: str = "enableReading") -> Account:
    """The account that signed the request; raises `WireError` at the first check that fails."""
    account = account_of(ledger, api_key)
    for name in ("timestamp", "signature"):
        if not params.get(name):
            raise mandatory(name)
    check_timing(params["timestamp"], params.get("recvWindow"), clock)
    if not _signed(account, query, body, params["signature"]):
        raise WireError(-1022, "Signature for this request is not valid.")
    if not (account.permissions["enableReading"] and account.permissions[right]):
        raise key_rejected()
    return account


def _signed(account: Account, query: bytes, body: bytes, signature: str) -> bool:
    if account.public_key is None:
        return signed_by(account.api_secret, query, body, signature)
    # Brings cryptography: for those alone who sign so.
    from .keys import verifier

    return verified(verifier(account.public_key), query, body, signature)


def account_of(ledger: Ledger, api_key: str | None) -> Account:
    """The account of a key. Raises `WireError` as Binance does."""
    if not api_key or not PRINTABLE.fullmatch(api_key):
        raise WireError(-2014, "API-key format invalid.", status=401)
    account = ledger.by_key.get(api_key)
    if account is None:
        raise key_rejected()
    return account


def check_timing(timestamp: str, recv_window: str | None, clock: Clock) -> None:
    """Refuse what was sent too long ago or comes from the future; both have their own text.

    A clock that does not keep pace with the wall cannot tell how old a client's offset is: whatever lies between
    its own time and the time it would have at wall pace is the present.
    """
    if not timestamp.isdecimal() or len(timestamp) > 20:
        raise illegal_characters("timestamp", "^[0-9]{1,20}$")
    sent = int(timestamp) // 1000 if len(timestamp) > 14 else int(timestamp)    # spot takes microseconds too
    window = _window(recv_window)
    now, paced = clock.now(), clock.at_wall_pace()
    if sent >= max(now, paced) + AHEAD_MS:
        raise WireError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if min(now, paced) - sent > window:
        raise WireError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window(recv_window: str | None) -> float:
    if not recv_window:
        return DEFAULT_WINDOW_MS
    whole, _, fraction = recv_window.partition(".")
    if not whole.isdecimal() or (fraction and not fraction.isdecimal()):
        raise illegal_characters("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$")
    if float(recv_window) > LONGEST_WINDOW_MS:
        raise WireError(-1131, "recvWindow must be less than 60000.")
    return float(recv_window)


def signed_by(secret: str, query: bytes, body: bytes, signature: str) -> bool:
    """Whether `signature` is the HMAC of query and body without it, as sent or percent-decoded."""
    given = signature.lower().encode()
    return any(hmac.compare_digest(sign(secret, text), given) for text in signed_texts(query, body))


def verified(verify: Callable[[bytes, bytes], bool], query: bytes, body: bytes, signature: str) -> bool:
    """The same for a base64 signature that `verify` checks; a "+" that was not encoded arrived as a blank."""
    try:
        given = base64.b64decode(signature.replace(" ", "+"), validate=True)
    except ValueError:
        return False
    return any(verify(text, given) for text in signed_texts(query, body))


def signed_texts(query: bytes, body: bytes) -> Iterator[bytes]:
    """What a client may have signed: python-binance signs before it encodes, everyone else after (BINANCE.md
    section 2.4)."""
    sent = without_signature(query.decode("latin-1")) + without_signature(body.decode("latin-1"))
    yield sent.encode("latin-1")
    for decode in (unquote, unquote_plus):
        yield decode(sent).encode()


def sign(secret: str, text: bytes) -> bytes:
    """The HMAC that Binance asks of a request, in hex."""
    return hmac.digest(secret.encode(), text, sha256).hex().encode()


def without_signature(text: str) -> str:
    """`text` without its signature pair; everything else stays as and where it was."""
    return "&".join(pair for pair in text.split("&") if not pair.startswith("signature="))
