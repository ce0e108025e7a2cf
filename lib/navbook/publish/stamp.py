"""Which notebook a page was made from: the page carries the notebook's hash."""

from __future__ import annotations

from hashlib import sha256


def of(notebook: bytes) -> str:
    """The fingerprint of a notebook, which its page carries."""
    return sha256(notebook).hexdigest()


def is_page_of(html: bytes, notebook: bytes) -> bool:
    """Whether `html` was rendered from exactly this notebook."""
    return f'<meta name="navbook-source" content="{of(notebook)}">'.encode() in html[:4096]
