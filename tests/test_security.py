"""What docs/SECURITY.md promises of the code itself, the file system and the local servers."""

from __future__ import annotations

import ast
import http.client
import json
import re
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

import stores
from binance_sandbox import guard
from commands import CHECKOUT, NAVBOOK, clean_environment
from fuzzing import examples
from locals import local_exchange
from navbook.publish import identity
from navbook.runner import commands
from worlds import World, at

FORBIDDEN_CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "marshal.loads", "pickle.loads", "pickle.load", "__import__",
                   "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp"}
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle", "joblib", "yaml", "telnetlib", "ftplib"}
PAGE = (CHECKOUT / "docs" / "SECURITY.md").read_text(encoding="utf-8")


# -- the code -----------------------------------------------------------------------------------------------------------
def faults(source: str) -> list[str]:
    """What in `source` runs data as code, or a shell on text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            shell = [keyword for keyword in node.keywords if keyword.arg == "shell" and ast.unparse(keyword.value) != "False"]
            if name in FORBIDDEN_CALLS or shell or (name.endswith("read_pickle")):
                found.append(ast.unparse(node)[:80])
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS]
    return found


@pytest.mark.parametrize("source", ["import pickle", "from yaml import load", "eval('1')", "exec(text)", "os.system('ls')",
                                    "subprocess.run('ls', shell=True)", "import subprocess as s; s.run(x, shell=y)", "__import__(name)"])
def test_the_rule_finds_what_it_forbids(source):
    assert faults(source)


def test_no_data_is_run_as_code_and_no_text_as_a_shell_line():
    found = {str(file.relative_to(CHECKOUT)): wrong for file in (CHECKOUT / "lib").rglob("*.py")
             if (wrong := faults(file.read_text(encoding="utf-8")))}
    assert found == {}


def test_no_notebook_runs_text_as_code():
    cells = [source for file in (CHECKOUT / "notebooks").rglob("*.ipynb") for source in re.findall(r'"(.*)\\n?",?$', file.read_text("utf-8"), re.MULTILINE)]
    assert not [source for source in cells if re.search(r"\b(eval|exec|os\.system|pickle)\(|^\s*!", source)]


# -- files --------------------------------------------------------------------------------------------------------------
def test_what_navbook_writes_nobody_else_reads_whatever_the_umask(tmp_path):
    """The vault, the store, its journal, locks and logs: 0600 and 0700, although the umask would allow all."""
    world = World()
    world.snapshot(at(0), {"USDT": 1000})
    world.flow(at(1), 1)
    config = stores.configured(tmp_path)
    before = set(tmp_path.rglob("*"))

    def said(*words: str, typed: str = "") -> None:
        done = subprocess.run([NAVBOOK, *words], cwd=tmp_path, input=typed, text=True, capture_output=True, umask=0, check=False,
                              env=clean_environment() | {"SESSION_SECRET": "a secret that is long enough", "XDG_STATE_HOME": str(tmp_path / "state")})
        assert done.returncode == 0, done.stderr

    said("account", "add", "other", typed=f"{'k' * 64}\n{'s' * 64}\n")
    said("flows", "add", "--account", "main", "--asset", "USDT", "--amount", "5", "--time", "2026-03-01")
    assert config.vault_file.exists()
    assert (Path(config.location) / "facts" / "manual_entries").is_dir()
    made = [place for place in tmp_path.rglob("*") if place not in before and not place.is_symlink()]
    assert len(made) > 8
    assert {str(place): oct(mode) for place in made if (mode := stat.S_IMODE(place.stat().st_mode)) & 0o077} == {}


# -- the token of served pages -----------------------------------------------------------------------------------------
class Asked:
    """As much of a request as the provider looks at."""

    def __init__(self, said: str, header: str = "") -> None:
        self.said, self.request = said, type("Request", (), {"headers": {"Authorization": header} if header else {}})

    def get_argument(self, name: str, default: str = "") -> str:
        return self.said or default


@given(st.text() | st.sampled_from(("open-sesame", "open-sesam", "open-sesame ", "ÖPEN", "\ud800")))
@examples(50)
def test_only_the_token_is_the_token(said):
    provider = identity.OneToken(token="open-sesame")
    assert provider.is_token(said) is (said == "open-sesame")
    assert provider.get_token(Asked(said)) == ("open-sesame" if said == "open-sesame" else None)
    assert identity.OneToken(token="").is_token(said) is False


def test_the_token_is_compared_in_constant_time_everywhere(monkeypatch):
    """Nothing of Jupyter's own `==` decides: what it is handed is the token itself, or nothing."""
    compared = []
    monkeypatch.setattr(identity, "compare_digest", lambda one, other: compared.append((one, other)) or one == other)
    provider = identity.OneToken(token="open-sesame")
    assert provider.get_token(Asked("", "token open-sesame")) == provider.token
    assert provider.get_token(Asked("open-sesam")) is None
    provider.process_login_form(Asked("guess"))
    assert compared == [(said, b"open-sesame") for said in (b"open-sesame", b"open-sesam", b"guess")]


# -- the sandbox and a browser ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("host", "origin", "server", "fine"), [
    ("127.0.0.1:8600", None, "127.0.0.1", True), ("localhost:8600", None, "127.0.0.1", True), ("[::1]:8600", None, "::1", True),
    ("evil.example:8600", None, "127.0.0.1", False), ("evil.example", "http://evil.example", "127.0.0.1", False), ("", None, "127.0.0.1", False),
    ("127.0.0.1:8600", "https://evil.example", "127.0.0.1", False), ("127.0.0.1:8600", "null", "127.0.0.1", False),
    ("127.0.0.1:8600", "http://127.0.0.1:8600", "127.0.0.1", True), ("127.0.0.1:8600", "http://127.0.0.1:8866", "127.0.0.1", False),
    ("sandbox:8600", None, "172.17.0.2", True), ("sandbox:8600", "https://evil.example", "172.17.0.2", False), ("[::1", None, "127.0.0.1", False),
    ("127.0.0.1.evil.example", None, "127.0.0.1", False)])
def test_what_a_web_page_sends_to_the_sandbox_is_refused(host, origin, server, fine):
    sent = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert (guard.refusal(Headers(sent), server) is None) is fine


@given(st.text(), st.text())
@examples(50)
def test_any_host_and_origin_are_judged(host, origin):
    guard.refusal(Headers({"host": host.encode("utf-8", "ignore").decode("latin-1"), "origin": origin.encode("utf-8", "ignore").decode("latin-1")}), "127.0.0.1")


def test_a_web_page_can_neither_steer_the_sandbox_nor_read_it(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as local:
        place = local.server.url.removeprefix("http://")

        def status(method: str, path: str, body: str | None = None, **headers: str) -> int:
            connection = http.client.HTTPConnection(place, timeout=10)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

        clock = '{"advance_ms": 3600000}'
        simple = {"Origin": "https://evil.example", "Content-Type": "text/plain"}    # what a page may send without asking first
        assert status("POST", "/sandbox/clock", clock, **simple) == 403
        assert status("GET", "/sandbox/state", Host="evil.example") == 403
        assert status("POST", "/fapi/v1/order", "symbol=BTCUSDT", **simple) == 403
        assert status("GET", "/api/v3/time", Origin="https://evil.example") == 403
        assert status("POST", "/sandbox/clock", clock) == 200


# -- JupyterLab ---------------------------------------------------------------------------------------------------------
def test_jupyterlab_takes_no_kernel_from_a_web_page_or_from_who_lacks_the_token(tmp_path):
    """The buttons of notebooks/trade.ipynb are worth what this server's doors are worth."""
    variables = clean_environment() | {name: str(tmp_path / name) for name in ("HOME", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", str(tmp_path), "--no-browser", "--port=0", "--allow-root",
                               *commands.LAB], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        about = told_by(server, tmp_path / "JUPYTER_RUNTIME_DIR")
        assert len(about["token"]) >= 32

        def status(method: str, path: str, **headers: str) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", about["port"], timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

        known = {"Authorization": f"token {about['token']}"}
        assert status("GET", "/api/kernels", **known) == 200
        assert status("GET", "/api/kernels", **known, Host="evil.example") == 403
        assert status("GET", "/api/kernels") == 403
        assert status("GET", "/api/kernels", Authorization=f"token {about['token'][:-1]}") == 403
        assert status("POST", "/api/kernels", Origin="https://evil.example") in (403, 404)
    finally:
        server.terminate()
        server.wait(20)


def told_by(server: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    """What a Jupyter server writes down of itself; it does so shortly before it listens."""
    deadline = time.monotonic() + 90
    while server.poll() is None and time.monotonic() < deadline:
        for file in folder.glob("jpserver-*.json"):
            with suppress(ValueError, ConnectionRefusedError):    # being written; not listening yet
                about = json.loads(file.read_text(encoding="utf-8"))
                socket.create_connection(("127.0.0.1", about["port"]), timeout=30).close()
                return about
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")


# -- the page -----------------------------------------------------------------------------------------------------------
def test_the_threat_model_names_code_and_tests_that_exist():
    for file in set(re.findall(r"`((?:lib|tests)/[\w/.]+|[\w/]+\.py)`", PAGE)):
        places = [CHECKOUT / file, CHECKOUT / "lib" / "navbook" / file, CHECKOUT / "tests" / file, CHECKOUT / "lib" / file]
        assert any(place.exists() for place in places), file
    tests = "\n".join(file.read_text(encoding="utf-8") for file in (CHECKOUT / "tests").glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 15
    assert [name for name in sorted(named) if f"def {name}(" not in tests and not (CHECKOUT / "tests" / f"{name}.py").exists()] == []
    assert len(PAGE.splitlines()) < 120, "one page"
