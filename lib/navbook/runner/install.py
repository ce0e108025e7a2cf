"""`navbook schedule install`: lines of a crontab, or systemd user units, that start the jobs.

Every path is absolute, nothing needs a login shell. Keys come from keys.env beside navbook.toml, where there is
one: lines NAME=VALUE, which both a shell and systemd read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from navbook.errors import FolderUnusable, SettingsInvalid
from navbook.job import Job
from navbook.runner.files import write_whole
from navbook.settings import Settings

Told = Callable[[str], None]
KEYS = "keys.env"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def install_cron(config: Settings, told: Told, *, dry_run: bool = False) -> None:
    """Put a line for each due job into this user's crontab, in place of those of before.

    Raises `SettingsInvalid` when cron, which goes by this machine's clock, cannot keep a job's time zone.
    """
    lines = cron_lines(config)
    told("\n".join(lines))
    if not dry_run:
        _write_crontab([*_other_lines(config), *lines])
        told("These lines are in your crontab now; navbook schedule remove takes them out.")


def install_systemd(config: Settings, told: Told, *, dry_run: bool = False) -> None:
    """Write a service and a timer for each due job, and start the timers. Raises `SettingsInvalid`."""
    units = systemd_units(config)
    for name, text in units.items():
        told(f"# {_unit_folder() / name}\n{text}")
    if dry_run:
        return
    for name in units:
        _refuse_foreign(config, _unit_folder() / name)
    for name, text in units.items():
        write_whole(_unit_folder() / name, text)
    timers = [name for name in units if name.endswith(".timer")]
    _systemctl(told, ["daemon-reload"], ["enable", "--now", *timers])
    told("loginctl enable-linger lets them run while you are logged out.")


def remove(config: Settings, told: Told) -> None:
    """Take out what `install` wrote for this navbook.toml, lines and units."""
    if shutil.which("crontab") and (mine := _all_lines()) != (others := _other_lines(config)):
        _write_crontab(others)
        told(f"{len(mine) - len(others)} lines taken out of your crontab.")
    units = [place for place in _unit_folder().glob("navbook-*") if _is_ours(config, place)]
    if units:
        _systemctl(told, ["disable", "--now", *(place.name for place in units if place.suffix == ".timer")])
        for place in units:
            place.unlink()
        _systemctl(told, ["daemon-reload"])
    told(f"{len(units)} units removed from {_unit_folder()}.")


def cron_lines(config: Settings) -> list[str]:
    """The block of lines, between two markers that name this navbook.toml."""
    begin, end = _markers(config)
    lines = []
    for name, job in _due(config):
        _refuse_other_clock(name, job)
        lines.append(f"{job.cron} {_command(config, name)}".replace("%", r"\%"))    # cron makes % a new line
    return [begin, *lines, end]


def systemd_units(config: Settings) -> dict[str, str]:
    """The text of each unit by its file's name."""
    units = {}
    for name, job in _due(config):
        keys = [f"EnvironmentFile={_percent(_keys(config))}"] if _keys(config).exists() else []
        units[f"navbook-{name}.service"] = "\n".join([
            _owner(config), "[Unit]", f"Description=navbook run {name}", "", "[Service]", "Type=oneshot",
            f"WorkingDirectory={_percent(_file(config).parent)}", *keys,
            f"ExecStart={' '.join(_quoted(word) for word in _words(config, name))}",
            "SuccessExitStatus=75", f"TimeoutStartSec={_longest(config, job)}", ""])
        units[f"navbook-{name}.timer"] = "\n".join([
            _owner(config), "[Unit]", f"Description=navbook: {name} at {job.cron} {job.time_zone}", "", "[Timer]",
            f"OnCalendar={calendar(str(job.cron))} {job.time_zone}", "AccuracySec=1s", "", "[Install]",
            "WantedBy=timers.target", ""])
    return units


def calendar(cron: str) -> str:
    """A cron expression in the words of systemd.time(7)."""
    minute, hour, day, month, weekday = cron.lower().split()
    months = re.sub(r"[a-z]+", lambda name: str(MONTHS.index(name[0]) + 1), month)
    days = re.sub(r"\d", lambda number: DAYS[int(number[0])], _part(weekday, 0, 6))
    days = re.sub(r"[a-z]{3}", lambda name: name[0].title(), days.lower()) + " "
    date = f"*-{_part(months, 1, 12)}-{_part(day, 1, 31)}"
    return f"{'' if weekday == '*' else days}{date} {_part(hour, 0, 23)}:{_part(minute, 0, 59)}:00"


def _part(field: str, first: int, last: int) -> str:
    """Steps are listed one by one: of 0/25 minutes systemd 252 leaves midnight out."""
    listed = []
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{first}-{last}" if span == "*" else span).partition("-")
        listed += [str(value) for value in range(int(low), int(high or last) + 1, int(step))] if step else [part]
    return ",".join(listed).replace("-", "..")


def _longest(config: Settings, job: Job) -> int:
    """Seconds after which systemd may take a run for stuck: all attempts, their waits, and those that follow."""
    waits: float = sum(min(3600.0, job.retry_seconds * 2.0 ** number) for number in range(job.retries))
    own = 60 + (job.retries + 1) * (60 * job.timeout_minutes + 60) + waits
    return round(own + sum(_longest(config, config.job(name).model_copy(update={"then": ()})) for name in job.then))


def _due(config: Settings) -> list[tuple[str, Job]]:
    found = [(name, job) for name, job in config.jobs.items() if job.cron]
    if not found:
        raise SettingsInvalid('No job has a cron expression; write one: [jobs.collect] with cron = "0 * * * *".')
    return found


def _refuse_other_clock(name: str, job: Job) -> None:
    """Cron goes by the machine's time zone: one that shifts whole hours keeps what is due every hour of every day."""
    every_hour = str(job.cron).split()[1:] == ["*"] * 4
    here = _machine_zone()
    offset = datetime.now().astimezone().utcoffset() or timedelta()
    whole_hours = offset % timedelta(hours=1) == timedelta()
    if here != job.time_zone and not (every_hour and whole_hours and job.time_zone == "UTC"):
        raise SettingsInvalid(f"jobs.{name} is due by {job.time_zone}, but cron goes by this machine's time zone, "
                              f"{here}: set jobs.{name}.time_zone to that, or install "
                              "with --systemd.")


def _machine_zone() -> str:
    """What cron goes by. Etc/UTC and its like are UTC."""
    place = str(Path("/etc/localtime").resolve())
    name = os.environ.get("TZ") or (place.split("/zoneinfo/")[1] if "/zoneinfo/" in place else "")
    return name if name and "UTC" not in name else datetime.now().astimezone().tzname() or ""


def _words(config: Settings, name: str) -> list[str]:
    return [sys.executable, "-m", "navbook.cli", "run", name, "--config", str(_file(config))]


def _command(config: Settings, name: str) -> str:
    """The shell's line, in the folder of navbook.toml and with its keys."""
    keys = _keys(config)
    read = f"set -a && . {shlex.quote(str(keys))} && " if keys.exists() else ""
    return f"cd {shlex.quote(str(_file(config).parent))} && {read}exec {shlex.join(_words(config, name))}"


def _file(config: Settings) -> Path:
    if config.file is None:
        raise SettingsInvalid("There is no navbook.toml here; write one, starting from navbook.example.toml.")
    return config.file


def _keys(config: Settings) -> Path:
    return _file(config).parent / KEYS


def _markers(config: Settings) -> tuple[str, str]:
    return f"# navbook begin: {_file(config)}", f"# navbook end: {_file(config)}"


def _owner(config: Settings) -> str:
    return f"# navbook schedule install wrote this for {_file(config)}"


def _percent(path: Path) -> str:
    return str(path).replace("%", "%%")


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s'\"]", word) else escaped


def _all_lines() -> list[str]:
    """This user's crontab; none is an empty one. Raises `SettingsInvalid` without cron."""
    if not shutil.which("crontab"):
        raise SettingsInvalid("There is no crontab on this machine; install cron, or use --systemd.")
    shown = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)    # noqa: S607
    if shown.returncode and "no crontab" not in shown.stderr:
        raise SettingsInvalid(f"Your crontab cannot be read: {shown.stderr.strip()}.")
    return shown.stdout.splitlines() if not shown.returncode else []


def _other_lines(config: Settings) -> list[str]:
    """Those of the crontab that are not this navbook.toml's. Raises `SettingsInvalid` when a marker is missing."""
    lines, (begin, end) = _all_lines(), _markers(config)
    if begin not in lines:
        return lines
    first = lines.index(begin)
    if end not in lines[first:]:
        raise SettingsInvalid(f"Your crontab has {begin!r} but no {end!r} after it; mend it with crontab -e.")
    return lines[:first] + lines[lines.index(end, first) + 1:]


def _write_crontab(lines: list[str]) -> None:
    done = subprocess.run(["crontab", "-"], input="".join(f"{line}\n" for line in lines), text=True,    # noqa: S607
                          capture_output=True, check=False)
    if done.returncode:
        raise SettingsInvalid(f"crontab refused these lines: {done.stderr.strip()}.")


def _unit_folder() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "systemd" / "user"


def _is_ours(config: Settings, place: Path) -> bool:
    return place.read_text(encoding="utf-8").startswith(_owner(config) + "\n")


def _refuse_foreign(config: Settings, place: Path) -> None:
    try:
        if place.exists() and not _is_ours(config, place):
            raise SettingsInvalid(f"{place} belongs to another navbook.toml; give the job another name.")
    except OSError as problem:
        raise FolderUnusable(place, problem) from None


def _systemctl(told: Told, *commands: list[str]) -> None:
    """Run what systemd must be told, or say it where there is none to tell."""
    for words in commands:
        command, done = ["systemctl", "--user", *words], None
        if shutil.which("systemctl"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done is None or done.returncode:
            told(f"Run this yourself: {shlex.join(command)}" + (f"  ({done.stderr.strip()})" if done else ""))
