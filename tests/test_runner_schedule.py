"""The schedule in the foreground, and what `install` writes for cron and systemd."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import CHECKOUT, NAVBOOK, clean_environment, sentence
from navbook import schemas, settings
from navbook.errors import SettingsInvalid
from navbook.runner import install, ledger, locks
from navbook.runner.schedule import Schedule
from navbook.store import tables
from stores import configured
from test_runner_jobs import notebook

SECONDS = 60    # of patience with a busy machine


class Foreground:
    """`navbook schedule` in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder / "schedule.txt"
        with self.log.open("w") as out:
            self.process = subprocess.Popen([NAVBOOK, "schedule", *options], cwd=folder, stdout=out, stderr=out,
                                            env=clean_environment() | {"PYTHONUNBUFFERED": "1"})

    def says(self, words: str) -> str:
        until = time.monotonic() + SECONDS
        while not re.search(words, said := self.log.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)
        return said

    def does(self, what: Callable[[], object]) -> None:
        until = time.monotonic() + SECONDS
        while not what():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def ends(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS) == 0, self.log.read_text()
        return self.log.read_text()


@pytest.fixture
def started(tmp_path):
    made = []

    def start(*options: str) -> Foreground:
        made.append(Foreground(tmp_path, *options))
        return made[-1]

    yield start
    for each in made:
        each.process.kill()
        each.process.wait()


JOB = '[jobs.weekly]\nnotebook = "weekly.ipynb"\nretries = 0\ncron = "{cron}"\n[accounts.main]\n'


def test_a62_a73_first_run_at_once_new_times_without_restart_and_a_graceful_end(tmp_path, started):
    """One schedule, as a user has it: it starts what never ran, takes up a change, and lets the run in hand finish."""
    notebook(tmp_path / "weekly.ipynb", "week: int = 1", "import time; time.sleep(12)")
    file = tmp_path / "navbook.toml"
    file.write_text(JOB.format(cron="0 0 1 1 *"))
    schedule = started("--grace", "60")
    schedule.says(r"weekly: 0 0 1 1 \* \(UTC\), next now\.")
    config = settings.load(file)
    schedule.does(lambda: list(config.runs_folder.glob("weekly/*/run.json")))
    file.write_text(JOB.format(cron="0 0 1 13 *"))    # no such month: as while somebody types
    schedule.says("jobs.weekly: .*no cron expression.* The jobs stay as they were")
    file.write_text(JOB.format(cron="30 12 * * *"))
    schedule.says(r"weekly: 30 12 \* \* \* \(UTC\), next \d{4}-\d\d-\d\d 12:30 UTC\.")
    second = subprocess.run([NAVBOOK, "schedule"], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True,
                            check=False)
    assert second.returncode == 75
    assert f"process {schedule.process.pid}" in sentence(second)
    said = schedule.ends()
    assert "Ending: weekly may finish within 60 s." in said
    assert "weekly: done. Run: " in said
    assert ledger.runs(config)["status"].to_list() == ["ok"]
    assert locks.holder(config, "weekly") is None
    assert locks.holder(config, "schedule") is None


def test_a73_a_run_that_outlasts_the_grace_is_ended_and_says_so(tmp_path, started):
    notebook(tmp_path / "weekly.ipynb", "week: int = 1", "import time; time.sleep(600)")
    (tmp_path / "navbook.toml").write_text(JOB.format(cron="0 0 1 1 *"))
    schedule = started("--grace", "0")
    config = settings.load(tmp_path / "navbook.toml")
    schedule.does(lambda: list(config.runs_folder.glob("weekly/*/config.json")))
    time.sleep(1)
    schedule.ends()
    shown = ledger.runs(config).row(0, named=True)
    assert (shown["status"], shown["reason"]) == ("failed", "it was stopped.")
    assert locks.holder(config, "weekly") is None


def test_without_any_time_there_is_nothing_to_wait_for(tmp_path):
    with pytest.raises(SettingsInvalid, match=r"give one a cron expression: \[jobs\.collect\]"):
        Schedule(configured(tmp_path), print, 0).run()


@pytest.mark.parametrize("cron", ["0 * * * *", "*/25 * * * *", "30 */5 * * *", "3-59/7,30 * * * *",
                                  "30 2 * * 1-5", "0 0 * * 0,6", "5,35 8-18/2 1,15 * *", "0 0 1 jan-mar *", "*/10 */4 */2 */3 *", "0 12 * * mon,thu", "0 0 * * 7"])
def test_systemd_is_told_the_same_times_as_cron(cron):
    """Both list the next ones; systemd-analyze is asked where it is."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    from datetime import UTC, datetime, timedelta

    from navbook import timing
    for now in (datetime.now(UTC), datetime(2026, 12, 31, 23, 49, 30, tzinfo=UTC)):
        asked = subprocess.run(
            ["systemd-analyze", "calendar", f"--base-time={now:%Y-%m-%d %H:%M:%S} UTC", "--iterations=4",
             f"{install.calendar(cron)} UTC"], capture_output=True, text=True, check=False,
            env={"TZ": "UTC", "PATH": os.environ["PATH"]})
        assert asked.returncode == 0, asked.stderr
        theirs = re.findall(r"(?:Next elapse|Iter[^:]*): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d):00", asked.stdout)
        ours = timing.due(timing.trigger(cron), now, now + timedelta(days=800))
        assert theirs == [f"{next(ours):%Y-%m-%d %H:%M}" for _ in theirs]
        assert len(theirs) == 4


FAKE_CRONTAB = """#!/bin/sh
case "$1" in
  -l) [ -f "$TAB" ] && cat "$TAB" || { echo "no crontab for me" >&2; exit 1; } ;;
  -) cat > "$TAB" ;;
esac
"""


@pytest.fixture
def crontab(tmp_path, monkeypatch) -> Path:
    """A crontab(1) of one file, in front of the machine's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "crontab").write_text(FAKE_CRONTAB)
    (tmp_path / "bin" / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TAB", str(tmp_path / "tab"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path / "tab"


def odd(tmp_path: Path) -> Path:
    """A folder whose name a shell, cron or systemd would misread."""
    place = tmp_path / "my 100% book's"
    place.mkdir()
    (place / "keys.env").write_text("NAVBOOK_MAIN_API_KEY=k\nNAVBOOK_MAIN_API_SECRET='a $ b'\n")
    return place


def test_cron_lines_come_and_go_between_markers(tmp_path, crontab):
    crontab.write_text("5 5 * * * backup\n")
    config, said = configured(odd(tmp_path), more='[jobs.collect]\ncron = "0 * * * *"\n'), []
    for _ in range(2):    # twice changes nothing
        install.install_cron(config, said.append)
        lines = crontab.read_text().splitlines()
        assert lines[0] == "5 5 * * * backup"
        assert [line[:15] for line in lines[1:]] == ["# navbook begin", "0 * * * * cd '/", "# navbook end: "]
    assert lines[2] in said[0]    # printed before it is written
    install.remove(config, said.append)
    assert crontab.read_text() == "5 5 * * * backup\n"


def test_the_crons_line_runs_without_a_login_shell(tmp_path, crontab):
    """As cron has it: /bin/sh, its short PATH, HOME and nothing else; % was escaped for cron and is back again."""
    place = odd(tmp_path)
    notebook(place / "weekly.ipynb", "week: int = 1")
    config = configured(place, more='[jobs.weekly]\nnotebook = "weekly.ipynb"\ncron = "0 * * * *"\nretries = 0\n')
    line = install.cron_lines(config)[1].replace(r"\%", "%").split(" ", 5)[5]
    done = subprocess.run(["/bin/sh", "-c", line], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
                          cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("weekly: done. Run: ")
    assert len(done.stdout.splitlines()) == 1
    assert tables.read(config.location, schemas.RUNS)["status"].to_list() == ["ok"]


@pytest.mark.parametrize(("zone", "cron", "fits"), [
    ("UTC", "0 3 * * *", True), ("Europe/Berlin", "0 * * * *", True), ("Europe/Berlin", "0 3 * * *", False),
    ("Asia/Kathmandu", "0 * * * *", False)])
def test_cron_that_cannot_keep_the_jobs_time_zone_is_refused(tmp_path, crontab, monkeypatch, zone, cron, fits):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    config = configured(tmp_path, more=f'[jobs.collect]\ncron = "{cron}"\n')
    try:
        if fits:
            assert install.cron_lines(config)[1].startswith(cron)
        else:
            with pytest.raises(SettingsInvalid, match="goes by this machine's time zone"):
                install.cron_lines(config)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_systemd_units_are_what_systemd_takes(tmp_path, crontab, monkeypatch):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    config, said = configured(odd(tmp_path), more='[jobs.collect]\ncron = "0 * * * 1-5"\ntime_zone = "Europe/Berlin"\n'), []
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))    # no systemctl: it says what to run
    install.install_systemd(config, said.append)
    monkeypatch.undo()
    folder = tmp_path / "xdg" / "systemd" / "user"
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["navbook-collect.service", "navbook-collect.timer"]
    assert "OnCalendar=Mon..Fri *-*-* *:0:00 Europe/Berlin" in files[1].read_text()
    assert "Run this yourself: systemctl --user enable --now navbook-collect.timer" in said
    checked = subprocess.run(["systemd-analyze", "verify", "--user", *map(str, files)], capture_output=True, text=True,
                             env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, check=False)
    assert "navbook-collect" not in checked.stderr, checked.stderr
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    install.remove(config, said.append)
    assert list(folder.iterdir()) == []


def test_units_of_another_navbook_toml_are_left_alone(tmp_path, crontab):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (configured(tmp_path / name, more='[jobs.collect]\ncron = "0 * * * *"\n') for name in ("one", "two"))
    folder = tmp_path / "xdg" / "systemd" / "user"
    folder.mkdir(parents=True)
    (folder / "navbook-collect.timer").write_text(install.systemd_units(one)["navbook-collect.timer"])
    with pytest.raises(SettingsInvalid, match=r"belongs to another navbook\.toml"):
        install.install_systemd(two, print)
    install.remove(two, print)
    assert (folder / "navbook-collect.timer").exists()


def test_a71_make_collect_under_cron_works_as_the_readme_prints_it(tmp_path):
    """The README's line in cron's environment, on a checkout of this one's files."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    line = re.search(r"```\n0 \* \* \* \* (cd /home/me/navbook && .*)\n```", readme)[1]
    place = tmp_path / "navbook"
    place.mkdir()
    (place / "Makefile").write_text((CHECKOUT / "Makefile").read_text())
    (place / ".venv").symlink_to(Path(sys.executable).parents[1])
    for name in ("requirements.lock", "pyproject.toml"):
        (place / name).touch()
        os.utime(place / name, (0, 0))
    (place / "keys.env").write_text("NAVBOOK_RUNS=elsewhere\n")
    done = subprocess.run(["/bin/sh", "-c", line.replace("/home/me/navbook", str(place))], cwd="/", capture_output=True,
                          text=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}, check=False)
    assert done.returncode == 0, done.stderr
    assert "snapshot of" in done.stdout
    assert list((place / "elsewhere" / "collect").iterdir())
