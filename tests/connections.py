"""A connection that is kept, and begun anew after a pause in which the server hangs up."""

from __future__ import annotations

import http.client
import time
from typing import Any

PAUSE_S = 60.0    # the sandbox hangs up after 75


class Connection(http.client.HTTPConnection):
    """As its base, which would find out with the answer that nobody is there any more."""

    used = 0.0

    def request(self, *arguments: Any, **named: Any) -> None:
        if time.monotonic() - self.used > PAUSE_S:
            self.close()
        self.used = time.monotonic()
        super().request(*arguments, **named)
