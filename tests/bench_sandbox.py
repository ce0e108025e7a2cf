"""How fast the local exchange answers, here and now: `python tests/bench_sandbox.py`. The goal is in issue 3.

One connection that is kept, one request after the other; the server has a process (and core) of its own.
"""

from __future__ import annotations

import http.client
import json
import time
from hashlib import sha256
from hmac import digest

from test_sandbox_support import started

REQUESTS = 3000
READS = {"/api/v3/account": "main", "/sapi/v1/capital/deposit/hisrec": "main", "/fapi/v3/account": "swing"}


def main() -> None:
    began = time.perf_counter()
    with started("--scenario", "demo") as sandbox:
        sandbox.get("/api/v3/ping")
        print(f"start-up to first answer: {time.perf_counter() - began:.2f} s (goal: under 2)")
        sandbox.control("limits", enforced=False)
        for path, name in READS.items():
            sandbox.spot(name)
            print(f"signed GET {path}: {rate(sandbox, path, name):,.0f} a second (goal: 1,000)")


def rate(sandbox, path: str, name: str) -> float:
    """Signed reads a second; signing is done before the clock starts."""
    keys, now = sandbox.keys[name], sandbox.now
    query = f"recvWindow=60000&timestamp={now}"
    signature = digest(keys["api_secret"].encode(), query.encode(), sha256).hex()
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))
    headers = {"X-MBX-APIKEY": keys["api_key"]}
    began = time.perf_counter()
    for _ in range(REQUESTS):
        connection.request("GET", f"{path}?{query}&signature={signature}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {json.loads(body)}")
    connection.close()
    return REQUESTS / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
