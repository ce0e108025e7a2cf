"""A webhook hears of a trouble once, and once that it is over, however many runs there are between."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from exchanges import babbling
from navbook import schemas, settings
from navbook.cli import app
from navbook.errors import JobFailed, Locked
from navbook.runner import alerts, log_files, running, watching
from navbook.runner.alerts import Level
from navbook.store import rewrite, tables
from stores import configured, grown, table
from worlds import World, at

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")    # apprise's own


class Webhook:
    """Remembers what it was sent; answers with `status`."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        self.pings: list[str] = []
        self.status = 200
        self.port = 0

    @property
    def titles(self) -> list[str]:
        return [said["title"] for said in self.heard]


@contextmanager
def listening():
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if hook.status == 200:
                hook.heard.append(json.loads(body))
            self.send_response(hook.status)
            self.end_headers()

        def do_GET(self) -> None:
            hook.pings.append(self.path)
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def one_webhook():
    with listening() as hook:
        yield hook


@pytest.fixture
def webhook(one_webhook):
    one_webhook.heard.clear()
    one_webhook.pings.clear()
    one_webhook.status = 200
    return one_webhook


@pytest.fixture
def config(tmp_path, webhook, monkeypatch):
    monkeypatch.setenv("NAVBOOK_HEARTBEAT_URL", f"http://127.0.0.1:{webhook.port}/beat")
    return configured(tmp_path, more=f'[alerts]\nurls = ["json://127.0.0.1:{webhook.port}/hook"]\n')


def run(config, problem: BaseException | None = None) -> None:
    with alerts.watched(config, "collect"):
        if problem:
            raise problem


def fail(config, reason: str = "the exchange is away.") -> None:
    with pytest.raises(JobFailed):
        run(config, JobFailed(reason))


def test_a77_one_alert_for_one_failure_one_recovery(config, webhook):
    for reason in ("first", "second", "third"):
        fail(config, reason)
    assert webhook.titles == ["navbook critical: collect failed"]
    assert webhook.heard[0]["message"] == "first"
    assert alerts.opened(config)["collect failed"].sentence == "third", "what is wrong now"
    run(config)
    run(config)
    assert webhook.titles[1:] == ["navbook recovered: collect failed"]
    fail(config)
    assert len(webhook.heard) == 3, "a new failure is told again"


def test_a_run_that_found_another_one_is_no_failure(config, webhook):
    with pytest.raises(Locked):
        run(config, Locked("collect is already being run"))
    with pytest.raises(KeyboardInterrupt):
        run(config, KeyboardInterrupt())
    assert (webhook.heard, webhook.pings) == ([], [])


def test_each_success_is_a_heartbeat_and_no_failure_is(config, webhook):
    run(config)
    fail(config)
    run(config)
    assert webhook.pings == ["/beat", "/beat"]


def test_a_heartbeat_that_nobody_hears_is_logged_and_fails_no_run(config, webhook):
    webhook.status = 500
    run(config)
    (row,) = log_files.rows(config, log_files.wanted(level="warning"))
    assert row["event"] == "the heartbeat was not heard"


def test_a_file_of_addresses_that_is_gone_fails_no_run(config, monkeypatch, tmp_path):
    monkeypatch.setenv("NAVBOOK_ALERTS_URLS_FILE", str(tmp_path / "gone"))
    fail(config, "no network.")
    assert [alert.told for alert in alerts.opened(config).values()] == [False]
    assert "gone" in [row["reason"] for row in log_files.rows(config, log_files.wanted(level="warning"))][-1]
    run(config)


def test_alerts_of_a_job_and_an_account_that_are_no_more_are_not_open(config):
    for cause in ("weekly failed", "weekly missed", "away incomplete", "away nav difference", "collect failed", "main incomplete",
                  "trader of away"):
        alerts.trouble(config, cause, "It is so.")
    assert list(alerts.opened(config)) == ["collect failed", "main incomplete", "trader of away"]


def test_a_slot_of_a_clock_that_was_ahead_is_not_the_newest(config):
    now = datetime.now(UTC).replace(microsecond=0)
    tables.append(config.location, schemas.SLOTS, schemas.SLOTS.rows([
        {"job": "collect", "time": now + timedelta(hours=hours), "fate": fate, "run": None, "reason": None, "seen_at": now}
        for hours, fate in ((-1, "ran"), (25, "skipped"))]))
    watching.missed_slots(config, "collect")
    assert alerts.opened(config) == {}


def test_an_answer_that_is_no_http_fails_no_run_and_tells_no_address(config, webhook):
    with babbling(b"SSH-2.0-OpenSSH\r\n") as url:
        run(config.model_copy(update={"heartbeat_url": SecretStr(f"{url}/a-planted-secret")}))
    (row,) = log_files.rows(config, log_files.wanted(level="warning"))
    assert row["reason"] == "what answers there does not speak HTTP (BadStatusLine)"


def test_what_was_not_delivered_is_tried_again(config, webhook):
    webhook.status = 500
    fail(config)
    assert not alerts.opened(config)["collect failed"].told
    webhook.status = 200
    fail(config)
    fail(config)
    assert webhook.titles == ["navbook critical: collect failed"]


def test_a_recovery_that_was_not_delivered_is_tried_again(config, webhook):
    fail(config)
    webhook.status = 500
    run(config)
    webhook.status = 200
    run(config)
    run(config)
    assert webhook.titles == ["navbook critical: collect failed", "navbook recovered: collect failed"]


def test_without_a_place_alerts_are_kept_and_logged(tmp_path):
    config = configured(tmp_path)
    fail(config)
    assert list(alerts.opened(config)) == ["collect failed"]
    assert [row["event"] for row in log_files.rows(config, log_files.wanted())] == ["alert"]
    run(config)
    assert alerts.opened(config) == {}


def test_places_come_from_the_environment_too_and_stay_out_of_the_log(tmp_path, webhook, monkeypatch):
    config = configured(tmp_path)
    monkeypatch.setenv("NAVBOOK_ALERTS_URLS", f"json://127.0.0.1:{webhook.port}/planted-token-1 json://127.0.0.1:1/planted-token-2")
    fail(config, "see json://127.0.0.1:1/planted-token-2")
    assert len(webhook.heard) == 1
    assert not alerts.opened(config)["collect failed"].told, "one place was not reached"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"planted-token" not in file.read_bytes(), file
    (tmp_path / "urls").write_text(f"json://127.0.0.1:{webhook.port}/x\n", encoding="utf-8")
    assert settings.alert_urls(config, {"NAVBOOK_ALERTS_URLS_FILE": str(tmp_path / "urls")}) == [f"json://127.0.0.1:{webhook.port}/x"]
    with pytest.raises(settings.SettingsInvalid, match="which cannot be read"):
        settings.alert_urls(config, {"NAVBOOK_ALERTS_URLS_FILE": str(tmp_path / "none")})


def test_two_threads_tell_one_trouble_once(config, webhook):
    threads = [threading.Thread(target=alerts.trouble, args=(config, "disk", "The disk is full.")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert webhook.titles == ["navbook warning: disk"]


# -- what the books say ---------------------------------------------------------------------------------------------
def benchmarked(config, nav: float) -> None:
    row = dict.fromkeys(schemas.NAV_HISTORY.columns) | {"account": "main", "time": at(1), "grade": "complete",
                                                        "nav": nav, "benchmark_value": 100_000.0}
    rewrite.replace(config.location, schemas.NAV_HISTORY, schemas.NAV_HISTORY.rows([row]))
    watching.nav_differences(config)


def test_a78_crossing_5000_is_a_warning_and_10000_critical(config, webhook):
    for nav in (104_999, 105_000, 106_000, 110_000, 120_000, 107_000, 104_000, 103_000, 89_000):
        benchmarked(config, nav)
    assert webhook.titles == ["navbook warning: main nav difference", "navbook critical: main nav difference",
                              "navbook recovered: main nav difference", "navbook critical: main nav difference"]
    assert webhook.heard[0]["message"] == "main is $5,000 ahead of its benchmark: $105,000 against $100,000."
    assert "behind" in webhook.heard[-1]["message"]


def test_a78_the_thresholds_are_settings(tmp_path):
    config = configured(tmp_path, more="[alerts]\nnav_warning = 100\nnav_critical = 200\n")
    benchmarked(config, 99_850)
    assert alerts.opened(config)["main nav difference"].level == Level.WARNING
    with pytest.raises(settings.SettingsInvalid, match=r"alerts: nav_critical \(50\) is below nav_warning \(100\)"):
        configured(tmp_path, more="[alerts]\nnav_warning = 100\nnav_critical = 50\n")


def test_incomplete_snapshots_are_told_until_one_is_complete(config, webhook):
    for hour, grade in enumerate(("complete", "incomplete", "incomplete", "complete")):
        world = World()
        world.snapshot(at(hour), {"USDT": 1}, grade=grade)
        tables.append(config.location, schemas.SNAPSHOTS, world.facts().snapshots)
        watching.look(config, "collect")
    assert webhook.titles == ["navbook warning: main incomplete", "navbook recovered: main incomplete"]


def test_books_that_cannot_be_read_are_an_alert(config, webhook):
    grown(config, small_world())
    (file,) = tables.files(config.location, schemas.NAV_HISTORY)
    for content in (b"PAR1 no more", Path(file).read_bytes()):
        Path(file).write_bytes(content)
        watching.look(config, "benchmark")
    assert webhook.titles == ["navbook critical: books unreadable", "navbook recovered: books unreadable"]


def test_missed_slots_are_told_until_two_in_a_row_are_served(config, webhook):
    for hour, fate in enumerate(("ran", "skipped", "skipped", "ran", "ran")):
        tables.append(config.location, schemas.SLOTS, schemas.SLOTS.rows([
            ("collect", at(hour), fate, None if fate == "ran" else "the machine was off", None, at(hour))]))
        watching.look(config, "collect")
    assert webhook.titles == ["navbook warning: collect missed", "navbook recovered: collect missed"]
    assert "was skipped: the machine was off." in webhook.heard[0]["message"]


# -- the command line -------------------------------------------------------------------------------------------------
def small_world() -> World:
    world = World()
    for day in range(9):
        world.snapshot(at(24 * day), {"USDT": 1000 + day})
    return world


def said(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == code, result.output
    return result.output


def test_the_digest_is_one_sentence(config, webhook):
    grown(config, small_world())
    tables.append(config.location, schemas.RUNS, schemas.RUNS.rows([
        (f"r{day}", "collect", "all", at(24 * day), at(24 * day), "failed" if day == 5 else "ok", None, at(24 * day)) for day in range(9)]))
    fail(config)
    sentence = watching.digest(config, at(24 * 8) + timedelta(hours=1))
    assert sentence == ("The week to 2026-03-10: main +0.7\N{THIN SPACE}% against 0.0\N{THIN SPACE}% ($1,008); seven runs, 1 of them failed; "
                        "open: collect failed.")
    assert table(config, "performance").height
    assert said("alerts", "digest", "--send").count("\n") == 1
    assert webhook.titles[-1] == "navbook digest"


def test_the_commands_try_the_places_and_list_what_is_open(config, webhook):
    assert said("alerts") == "Nothing is open.\n"
    assert said("alerts", "test") == "alerts: 1 place reached.\n"
    assert webhook.titles == ["navbook test"]
    fail(config)
    assert said("alerts", "list").startswith("critical  since 20")
    webhook.status = 404
    result = CliRunner().invoke(app, ["alerts", "test"])
    assert isinstance(result.exception, alerts.NotDelivered)


def test_a77_a_job_that_was_due_is_told_like_one_by_hand(config, webhook, tmp_path):
    """What cron and the schedule call: it fails twice, then works."""
    grown(config, small_world())
    due = configured(tmp_path, more=f'[alerts]\nurls = ["json://127.0.0.1:{webhook.port}/hook"]\n'
                                    "[jobs.benchmark]\nretries = 0\n")
    (file,) = tables.files(due.location, schemas.SNAPSHOTS)
    whole = Path(file).read_bytes()
    for content in (b"PAR1 no more", b"PAR1 no more", whole):
        Path(file).write_bytes(content)
        with suppress(JobFailed):
            running.run(due, "benchmark", {}, lambda line: None)
    assert [title for title in webhook.titles if "benchmark" in title] == [
        "navbook critical: benchmark failed", "navbook recovered: benchmark failed"]


def test_what_cannot_be_kept_is_told_all_the_same(config, webhook, tmp_path):
    """Such as that there is no room: each time, rather than never; and it hides no failure."""
    (config.runs_folder / ".alerts").parent.mkdir(parents=True, exist_ok=True)
    (config.runs_folder / ".alerts").write_text("a file where a folder should be")
    for _ in range(2):
        fail(config, "no room.")
    assert webhook.titles == ["navbook critical: collect failed"] * 2
