"""One JSON object a line, without a secret in it; rows go when they are old or too many."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import navbook
from commands import navbook as command
from navbook import redaction, settings
from navbook.errors import Locked, SettingsInvalid
from navbook.runner import jobs, log_files, logs, pages
from stores import configured

KEY, SECRET = "Kq7" + "aB3dE" * 12 + "z", "Sx9" + "pQ2rT" * 12 + "w"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path):
    return configured(tmp_path)


def lines(config) -> list[dict[str, object]]:
    return list(log_files.rows(config, log_files.wanted()))


def written(config) -> str:
    return "".join(file.read_text(encoding="utf-8") for file in log_files.files(config))


def test_a58_each_line_is_one_json_object_with_its_run_and_its_duration(config, tmp_path):
    folder = tmp_path / "runs" / "collect" / "one"
    with logs.session(config, "collect", folder=folder), logs.timed("account read", account="main") as told:
        told["flows"] = 3
    for place in (folder / "log.jsonl", config.logs_folder / "navbook.jsonl"):
        rows = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
        assert [(row["event"], row["account"]) for row in rows] == [("started", "all"), ("account read", "main"), ("ended", "all")]
        assert {row["run"] for row in rows} == {"one"}
        assert {row["category"] for row in rows} == {"collect"}
        assert rows[1]["flows"] == 3
        assert all(row["seconds"] >= 0 and row["success"] for row in rows[1:])


def test_a58_a_failure_tells_its_reason_and_a_held_lock_is_none(config):
    with pytest.raises(SettingsInvalid), logs.session(config, "collect"):
        raise SettingsInvalid("No such thing.")
    with pytest.raises(Locked), logs.session(config, "collect"):
        raise Locked("collect is already being run")
    assert [(row["level"], row["reason"]) for row in lines(config) if row["event"] == "failed"] == [
        ("error", "No such thing."), ("warning", "collect is already being run")]


def test_a_session_inside_another_writes_no_line_twice(config, tmp_path):
    with logs.session(config, "all"), logs.session(config, "collect", "main", tmp_path / "inner") as log:
        log.info("once")
    assert [row["event"] for row in lines(config)] == ["started", "once", "ended"]
    assert lines(config)[1]["account"] == "main"
    assert not logging.getLogger().handlers or all(not isinstance(each, logs._Handler) for each in logging.getLogger().handlers)


def test_a_kernel_joins_the_run_that_started_it(config, tmp_path, monkeypatch):
    monkeypatch.setenv("NAVBOOK_RUN", "r1")
    monkeypatch.setenv("NAVBOOK_CONFIG", str(tmp_path / "r1" / "config.json"))
    with logs.session(config, "collect") as log:
        log.info("read")
    assert [(row["run"], row["event"]) for row in lines(config)] == [("r1", "read")], "its runner tells begin and end"
    assert json.loads((tmp_path / "r1" / "log.jsonl").read_text(encoding="utf-8"))["event"] == "read"


# -- secrets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("say", [
    lambda log: log.info(f"asking with {KEY}"),
    lambda log: log.warning("refused", reason=f"https://x/api/v3/account?timestamp=1&api_key={KEY}&signature=abc"),
    lambda log: log.error("odd", payload={"headers": {"X-MBX-APIKEY": "short"}, "list": [SECRET]}),
    lambda log: log.error("odd", api_secret="anything at all"),
    lambda log: log.info("proxy", url=f"http://user:{SECRET}@proxy:8080/"),
    lambda log: log.info(f"X-MBX-APIKEY: {KEY[::-1]}"),
    lambda log: log.info("unknown", text=f"{'Ab1' * 21}Z"),
    lambda log: logging.getLogger("binance").warning("GET https://x/sapi?signature=%s", SECRET),
], ids=range(8))
def test_planted_secrets_never_reach_the_log(config, monkeypatch, say):
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", KEY)
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", SECRET)
    with logs.session(config, "collect") as log:
        say(log)
    text = written(config)
    assert text.count("\n") == 3, "the line is there"
    for secret in (KEY, SECRET, KEY[::-1], "Ab1" * 21 + "Z", "signature=abc", "anything at all", "short"):
        assert secret not in text


def test_planted_secrets_never_reach_the_log_through_a_traceback(config, tmp_path, monkeypatch):
    (tmp_path / "key").write_text(f"{SECRET}\n", encoding="utf-8")
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET_FILE", str(tmp_path / "key"))
    with logs.session(config, "collect") as log:
        try:
            try:
                raise ValueError(f"bad key {SECRET}")
            except ValueError as inner:
                raise RuntimeError(f"?a=1&signature={KEY}") from inner
        except RuntimeError:
            log.exception("it broke")
    assert "Traceback" in written(config)
    assert SECRET not in written(config)
    assert KEY not in written(config)


def test_hashes_and_words_stay_as_they_are():
    for text in ("a" * 64, "0123456789abcdef" * 4, "Check that the API secret belongs to the key.", "https://x/y?a=1",
                 "1 USDT", "deposit:0x" + "aF" * 32):
        assert redaction.cleaned(text) == text


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=8, max_size=70), st.text(), st.text())
def test_a_known_secret_is_hidden_wherever_it_stands(secret, before, after):
    known = set(redaction._known)
    try:
        redaction.remember(secret)
        assert secret not in redaction.cleaned(f"{before} {secret} {after}").replace(redaction.HIDDEN, "")
        assert secret not in json.dumps(redaction.cleaned({"x": [{"y": (secret,)}]}))
    finally:
        redaction._known.clear()
        redaction._known.update(known)


def test_keys_that_are_asked_for_are_known_from_then_on(monkeypatch):
    settings.keys("main", settings.Environment.LIVE, {"NAVBOOK_MAIN_API_KEY": "plain-key-1", "NAVBOOK_MAIN_API_SECRET": "plain-secret-1"})
    assert redaction.cleaned("plain-key-1 and plain-secret-1") == "… and …"


# -- reading ----------------------------------------------------------------------------------------------------------
def put(config, *rows: tuple[datetime, str], file: str = "navbook.jsonl") -> None:
    config.logs_folder.mkdir(parents=True, exist_ok=True)
    with (config.logs_folder / file).open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"time": time.isoformat(), "level": "info", "event": event}) + "\n" for time, event in rows)


def test_rows_are_chosen_by_what_they_say(config):
    with logs.session(config, "collect") as log:
        log.warning("slow", account="main")
        log.info("fast", account="sub")
    def found(**how: object) -> list[str]:
        return [row["event"] for row in log_files.rows(config, log_files.wanted(**how))]
    assert found(level="warning") == ["slow"]
    assert found(account="sub") == ["fast"]
    assert found(category="benchmark") == found(since=datetime.now(UTC) + timedelta(hours=1)) == []
    assert len(found(category="collect", since=datetime.now(UTC) - timedelta(hours=1))) == 4
    with pytest.raises(SettingsInvalid, match="--level loud is none of debug, info"):
        log_files.wanted(level="loud")


def test_a_torn_line_is_no_row_in_any_way_of_reading(config):
    put(config, (NOW, "first"))
    with (config.logs_folder / "navbook.jsonl").open("ab") as stream:
        stream.write(b'{"time": "2026-03-0\n\xff\x00\n[1]\n"x"\n')
    put(config, (NOW, "last"))
    assert [row["event"] for row in lines(config)] == ["first", "last"]
    assert navbook.connect(config.file).sql("select event from logs order by event").fetchall() == [("first",), ("last",)]
    assert navbook.table("logs", config.file).collect()["time"].to_list() == [NOW, NOW]


def test_a_log_that_is_followed_goes_on_in_the_next_file(config, monkeypatch):
    monkeypatch.setattr(log_files, "PATIENCE_S", 0.01)
    put(config, (NOW, "before"))
    seen: list[str] = []
    def look() -> None:
        for row in log_files.follow(config, log_files.wanted()):
            seen.append(row["event"])
            if row["event"] == "end":
                return
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    time.sleep(0.2)
    put(config, (NOW, "one"))
    while "one" not in seen:
        time.sleep(0.01)
    log_files.prune(config, NOW)
    put(config, (NOW, "end"))
    thread.join(10)
    assert seen == ["one", "end"]


def test_the_command_prints_rows_that_command_no_terminal(config, tmp_path):
    with logs.session(config, "collect") as log:
        log.warning("red \x1b[31m", reason="=cmd()")
    shown = command("logs", "--level", "warning", folder=tmp_path)
    assert "red" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "'=cmd()" in command("logs", "--format", "csv", folder=tmp_path).stdout


# -- retention --------------------------------------------------------------------------------------------------------
def test_a59_old_rows_go_once_a_day_and_a_second_time_nothing(config):
    put(config, *((NOW - timedelta(days=days), f"{days} days") for days in (45, 31, 29, 0)))
    assert log_files.keep_house(config, NOW) == 2
    assert [row["event"] for row in lines(config)] == ["29 days", "0 days"]
    put(config, (NOW - timedelta(days=99), "late"))
    assert log_files.keep_house(config, NOW) == 0, "once a day"
    assert log_files.keep_house(config, NOW + timedelta(days=2)) == 2, "the late one, and what is too old by now"


def test_a59_the_newest_rows_stay_when_there_are_too_many(config):
    config = config.model_copy(update={"keep": settings.Keep(logs_rows=5)})
    for day in range(3):
        put(config, *((NOW + timedelta(days=day, minutes=minute), f"{day}.{minute}") for minute in range(4)))
        log_files.prune(config, NOW + timedelta(days=day))
    assert [row["event"] for row in lines(config)] == ["1.3", "2.0", "2.1", "2.2", "2.3"]


def test_a59_a_failure_with_it_stops_nobody(config):
    put(config, (NOW, "x"))
    (config.logs_folder / ".kept-house").mkdir()
    with logs.session(config, "collect"):
        assert log_files.keep_house(config, NOW) == 0
    assert "the log could not be pruned" in [row["event"] for row in lines(config)]


def test_a_log_that_cannot_be_written_is_told_once_and_stops_nobody(config, capsys, monkeypatch):
    monkeypatch.setattr(logs._Handler, "told", False)
    config.logs_folder.parent.mkdir(parents=True)
    config.logs_folder.write_text("in the way", encoding="utf-8")
    with logs.session(config, "collect") as log:
        log.info("one")
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "Traceback" not in said


def test_a_run_keeps_its_log_and_no_key_in_its_notebook(tmp_path, monkeypatch):
    """What a failing cell told of a key is not in the executed notebook, its page, the record or the log."""
    config = configured(tmp_path)
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", KEY)
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", SECRET)
    def broken(manager, notebook, result, *given):
        cell = {"cell_type": "code", "source": "x", "metadata": {}, "execution_count": 1, "id": "a",
                "outputs": [{"output_type": "error", "ename": "E", "evalue": KEY, "traceback": [f"key {KEY}"]}]}
        result.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
        raise jobs.kernels.CellFailed(f"E: {KEY}", 0)
    monkeypatch.setattr(jobs.kernels, "execute", broken)
    with pytest.raises(jobs.JobFailed, match="benchmark failed: E: …"):
        jobs.run(config, "benchmark", as_of="now")
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"run.json", "page.html", "notebook.ipynb", "log.jsonl"} <= {file.name for file in files}
    assert [file.name for file in files if KEY.encode() in file.read_bytes()] == []


@pytest.mark.parametrize(("output", "blocked"), [(f"key {KEY}", True), ("?timestamp=1&signature=" + "ab" * 32, True), ("ab" * 32, False)])
def test_n12_a_page_with_a_key_in_an_output_is_not_published(tmp_path, monkeypatch, output, blocked):
    config = configured(tmp_path)
    def executed(manager, notebook, result, *given):
        cell = {"cell_type": "code", "source": "x", "metadata": {}, "execution_count": 1, "id": "a",
                "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/plain": output, "image/png": "Ab1" * 21 + "Z"}}]}
        result.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    monkeypatch.setattr(pages.kernels, "execute", executed)
    monkeypatch.setattr(pages.kernels, "forget", lambda manager: None)
    page = pages.published_folder(config) / "index.html"
    if blocked:
        with pytest.raises(jobs.JobFailed, match="the page index was not published: an output of it holds what looks like a key"):
            pages._written(config, None, pages.Page("index", "index"), None, tmp_path)
    else:
        pages._written(config, None, pages.Page("index", "index"), None, tmp_path)
    assert page.exists() is not blocked
