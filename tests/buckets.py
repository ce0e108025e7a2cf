"""An S3 on loopback: moto behind a real HTTP server, one request at a time, as a bucket decides who was first."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from commands import clean_environment

KEY, SECRET = "AKIANAVBOOKTESTKEY00", "a-secret-of-the-bucket/that+nobody=sees"


@contextmanager
def bucket(name: str = "books") -> Iterator[dict[str, str]]:
    """A new bucket; the variables of those who may use it."""
    process = subprocess.Popen([sys.executable, __file__, str(os.getpid())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=clean_environment(), text=True)
    try:
        address = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT"), timeout=30):
            pass
        yield {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": address,
               "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def serve() -> None:
    from navbook.runner import orphans
    orphans.end_with(int(sys.argv[1]))    # it outlives no test run, not even one that was killed
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
