"""Tell somebody once when something is wrong, once when it is right again, and nothing in between.

A *cause* is what is wrong ("collect failed", "the snapshots of main are incomplete"), not a run: its state stands
in `<runs>/.alerts/<environment>.json`. What could not be delivered is tried again with the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from navbook import redaction, settings
from navbook.errors import FolderUnusable, Locked, NavbookError, SettingsInvalid
from navbook.runner import logs
from navbook.runner.files import write_whole
from navbook.settings import Settings

HEARTBEAT_TIMEOUT_S = 10


class Level(StrEnum):
    """How grave a cause is."""

    WARNING = "warning"
    CRITICAL = "critical"


class NotDelivered(NavbookError):
    """An alert reached nobody."""


@dataclass(frozen=True)
class Alert:
    """A cause that is open."""

    level: str
    sentence: str
    since: str          # UTC
    told: bool          # somebody was reached


def trouble(config: Settings, cause: str, sentence: str, level: Level = Level.WARNING) -> None:
    """Something is wrong. Told when it is new or graver than before; the sentence may change meanwhile."""
    with logs.session(config, "alert", quiet=True), _state(config) as state:
        known, sentence = state.get(cause), redaction.cleaned(sentence)
        alert = Alert(level, sentence, known.since if known else _now(), told=True)
        graver = known is not None and level is Level.CRITICAL and known.level != level
        if known is None or graver or not known.told:
            logs.logger().warning("alert", operation="alert", cause=cause, alert_level=level, reason=sentence)
            alert = replace(alert, told=_sent(config, f"navbook {level}: {cause}", sentence, level))
        state[cause] = alert


def over(config: Settings, cause: str, sentence: str) -> None:
    """It is right again: told once, and only if somebody heard that it was wrong."""
    if cause not in opened(config):
        return
    with logs.session(config, "alert", quiet=True), _state(config) as state:
        known = state.get(cause)
        if known is None:
            return
        logs.logger().info("recovered", operation="alert", cause=cause, reason=sentence)
        if not known.told or _sent(config, f"navbook recovered: {cause}", f"{sentence} (Since {known.since}.)", None):
            del state[cause]    # else it is told with the next success


def opened(config: Settings) -> dict[str, Alert]:
    """The causes that are open, by name; but for those of jobs and accounts that are no more, which nothing ends."""
    return {cause: alert for cause, alert in _read(_place(config)).items() if _can_end(config, cause)}


def _can_end(config: Settings, cause: str) -> bool:
    if job := re.fullmatch(r"(.+) (failed|missed)", cause):
        return job[1] in config.job_names
    account = re.fullmatch(r"(.+) (incomplete|nav difference)", cause)
    return account is None or config.knows(account[1])


@contextmanager
def watched(config: Settings, job: str) -> Iterator[None]:
    """A job: its failure is an alert, its next success the recovery and a heartbeat. One that is held is neither."""
    cause = f"{job} failed"
    try:
        yield
    except (KeyboardInterrupt, Locked):
        raise
    except BaseException as problem:
        trouble(config, cause, str(problem) or type(problem).__name__, Level.CRITICAL)
        raise
    over(config, cause, f"{job} works again.")
    beat(config)


def beat(config: Settings) -> None:
    """Ask `heartbeat_url`: whoever waits there misses a machine that is dead. A failure is logged, no more."""
    if config.heartbeat_url is None:
        return
    address = config.heartbeat_url.get_secret_value()
    redaction.remember(address)
    try:
        with urlopen(address, timeout=HEARTBEAT_TIMEOUT_S):    # noqa: S310  (http alone, says the settings' validator)
            return
    except (URLError, OSError) as problem:
        reason = str(problem)
    except (HTTPException, ValueError) as problem:    # their words may hold a part of the address, which is a secret
        reason = f"what answers there does not speak HTTP ({type(problem).__name__})"
    with logs.session(config, "alert", quiet=True) as log:
        log.warning("the heartbeat was not heard", operation="heartbeat", reason=reason)


def try_out(config: Settings) -> int:
    """Send a message to every place; how many there are. Raises `NotDelivered`."""
    urls = settings.alert_urls(config)
    if not urls:
        raise NotDelivered("There is nowhere to send alerts: set alerts.urls in navbook.toml or NAVBOOK_ALERTS_URLS.")
    if not _sent(config, "navbook test", f"Alerts of {config.environment} arrive here.", None):
        raise NotDelivered("At least one of the alerts' places could not be reached; navbook logs --category alert "
                           "tells why.")
    return len(urls)


def send(config: Settings, title: str, sentence: str) -> bool:
    """Tell `sentence` everywhere, now; whether all places were reached."""
    return _sent(config, title, sentence, None)


def _sent(config: Settings, title: str, sentence: str, level: Level | None) -> bool:
    """Whether every place was reached. Nowhere to send counts as sent: the log and `navbook alerts` have it."""
    try:
        urls = settings.alert_urls(config)
    except SettingsInvalid as problem:    # such as a file of addresses that is gone: no run ends of that
        logs.logger().warning("an alert was not delivered", operation="alert", reason=str(problem))
        return False
    if not urls:
        return True
    import apprise
    kinds = {Level.WARNING: apprise.NotifyType.WARNING, Level.CRITICAL: apprise.NotifyType.FAILURE}
    kind = apprise.NotifyType.INFO if level is None else kinds[level]
    reached = True
    for number, url in enumerate(urls, 1):
        place = apprise.Apprise()
        if not place.add(url) or not place.notify(title=title, body=sentence, notify_type=kind):
            logs.logger().warning("an alert was not delivered", operation="alert", place=number)
            reached = False
    return reached


@contextmanager
def _state(config: Settings) -> Iterator[dict[str, Alert]]:
    """The open causes, to be changed; two processes take turns, so that neither tells the same twice.

    Where nothing can be written, all the same: that a disk is full is told with each run rather than never.
    """
    place = _place(config)
    with ExitStack() as turn:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            turn.enter_context(FileLock(place.with_suffix(".lock")))
        except OSError as problem:
            logs.logger().warning("alerts do not take turns", operation="alert", reason=str(problem))
        state = _read(place)
        yield state
        try:
            write_whole(place, json.dumps({cause: asdict(alert) for cause, alert in state.items()}, indent=1) + "\n")
        except FolderUnusable as problem:
            logs.logger().warning("the alerts are not kept", operation="alert", reason=str(problem))


def _place(config: Settings) -> Path:
    return config.runs_folder / ".alerts" / f"{config.environment}.json"


def _read(place: Path) -> dict[str, Alert]:
    try:
        return TypeAdapter(dict[str, Alert]).validate_json(place.read_bytes())
    except OSError:    # there is none, or none to be had
        return {}
    except ValidationError:    # damaged: what is still wrong is told once more
        return {}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
