"""A whole day with planted keys and every kind of trouble: no file tells a key, a secret or a signature."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands import navbook
from locals import START, local_exchange
from navbook.cli import app

KEY, SECRET = "PlantedKey" + "aB3dE" * 10 + "kkkk", "PlantedSecret" + "pQ2rT" * 10 + "s"
TOKEN, SESSION = "planted-alert-token", "planted-session-secret"
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")    # apprise's own
PLANTED = re.compile(rb"Planted(Key|Secret)|planted-(alert|session)|signature=[0-9a-f]", re.IGNORECASE)


def told(folder: Path) -> dict[str, bytes]:
    """The files below `folder` that hold something planted, and what."""
    return {str(file.relative_to(folder)): found[0] for file in folder.rglob("*")
            if file.is_file() and file.name != "the-secret" and (found := PLANTED.search(file.read_bytes()))}


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The folder of somebody who collected, rebuilt, backed up and changed settings while the exchange misbehaved."""
    folder = tmp_path_factory.mktemp("day")
    with pytest.MonkeyPatch.context() as patch, local_exchange(folder, patch) as local:
        (folder / "the-secret").write_text(SECRET, encoding="utf-8")
        local.server.control("POST", "accounts", name="main", api_key=KEY, api_secret=SECRET,
                             permissions={"enableReading": True}, balances={"spot": {"USDT": "500", "BTC": "0.1"}})
        local.sections.append("[accounts.main]")
        local.event("deposit", "main", START - timedelta(days=1), asset="USDT", amount="100")
        local.config()
        variables = {"NAVBOOK_MAIN_API_KEY": KEY, "NAVBOOK_MAIN_API_SECRET_FILE": str(folder / "the-secret"),
                     "SESSION_SECRET": SESSION, "NAVBOOK_ALERTS_URLS": f"json://127.0.0.1:9/{TOKEN}",
                     "NAVBOOK_HEARTBEAT_URL": f"http://127.0.0.1:9/{TOKEN}"}
        patch.chdir(folder)
        patch.setenv("XDG_STATE_HOME", str(folder / ".state"))
        for name, value in variables.items():
            patch.setenv(name, value)

        def said(*words: str) -> tuple[int, str]:
            result = CliRunner().invoke(app, [*words])
            return result.exit_code, f"{result.output}{result.exception or ''}"

        told = {"first": said("collect", "--no-notebook"), "benchmark": said("benchmark", "--no-notebook")}
        echo = f"{KEY} {SECRET} https://x/api?timestamp=1&signature={'ab' * 32}"
        for path, fault in {"/api/v3/account": {"status": 400, "code": -2015}, "/sapi/v1/capital/*": {"status": 500},
                            "/sapi/v1/asset/*": {"status": 401, "code": -1022}}.items():
            local.fault(path, count=4, msg=echo, **fault)
        local.clock(START + timedelta(hours=1))
        ran = navbook("collect", folder=folder, variables=variables)    # with its notebook
        told["collect"] = ran.returncode, ran.stdout + ran.stderr
        local.server.control("DELETE", "faults")
        local.fault("/sapi/v1/account/*", status=418, retry_after=1, count=9, msg=echo)
        for words in ("collect --no-notebook", "check --json", "backup", "alerts", "logs --format json", "config list",
                      f'config set alerts.urls ["json://127.0.0.1:9/{TOKEN}"]', "config history"):
            told[words.split(" {", 1)[0]] = said(*words.split(" "))
    return folder, told


def test_planted_secrets_are_in_no_file(day):
    folder, _ = day
    (folder / "navbook.toml").unlink()    # where the user put an address himself
    assert told(folder) == {}
    names = {file.name for file in folder.rglob("*")}
    assert {"notebook.ipynb", "page.html", "run.json", "log.jsonl", "navbook.jsonl", "config.json", "backup.json", "sandbox.json"} <= names


def test_planted_secrets_are_in_nothing_that_was_said(day):
    for words, (_, output) in day[1].items():
        assert not PLANTED.search(output.replace(words, "").encode()), words
        assert "Traceback" not in output


def test_the_day_was_as_bad_as_it_was_meant_to_be(day):
    """Else nothing planted could have been told."""
    told = day[1]
    assert [told[words][0] for words in ("first", "benchmark", "collect", "collect --no-notebook", "check --json", "backup")] == [
        0, 0, 1, 1, 1, 0], told
    rows = [json.loads(line) for line in told["logs --format json"][1].splitlines()]
    assert {"alert", "failed", "account read", "an alert was not delivered"} <= {row["event"] for row in rows}
    assert all({"time", "level", "event", "run"} <= row.keys() for row in rows)
    assert "\\u2026" in told["logs --format json"][1], "something was taken out"
