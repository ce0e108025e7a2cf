"""Who may look: whoever knows the one token. Jupyter compares it with `==`, whose time tells how much of it fits."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from jupyter_server.auth.identity import PasswordIdentityProvider


class OneToken(PasswordIdentityProvider):
    """Jupyter's provider with a comparison in constant time. Knowing the token sets no password."""

    allow_password_change = False

    def is_token(self, said: str) -> bool:
        """Whether `said` is the token; takes as long whatever it is."""
        return bool(self.token) and compare_digest(said.encode("utf-8", "replace"), self.token.encode())

    def get_token(self, handler: Any) -> str | None:
        """The token, where the request names it; else nothing, which is no token either."""
        return self.token if self.is_token(super().get_token(handler) or "") else None

    def process_login_form(self, handler: Any) -> Any:
        """The user of a filled-in form, None for a wrong token or password."""
        said = handler.get_argument("password", default="")
        is_password = bool(self.hashed_password) and self.passwd_check(said)    # type: ignore[no-untyped-call]
        known = not self.auth_enabled or self.is_token(said) or is_password
        return self.generate_anonymous_user(handler) if known else None
