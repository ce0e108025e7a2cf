"""Public keys: what an account signs with instead of a secret. Source: BINANCE.md section 2.2."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key


@lru_cache(maxsize=64)
def verifier(pem: str) -> Callable[[bytes, bytes], bool]:
    """Tells whether a signature of a text was made with the key whose public half is `pem`.

    Raises `ValueError` when that is no RSA or Ed25519 key.
    """
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise ValueError("neither an RSA nor an Ed25519 key")

    def verify(text: bytes, signature: bytes) -> bool:
        try:
            if isinstance(key, RSAPublicKey):
                key.verify(signature, text, PKCS1v15(), SHA256())
            else:
                key.verify(signature, text)
        except InvalidSignature:
            return False
        return True

    return verify
