"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"    # the figures stand, but something wants you
    FAIL = "fail"    # a figure is missing or cannot be trusted


@dataclass(frozen=True)
class Finding:
    """What one check found: a sentence, what to do next, and the lines behind it."""

    state: State
    sentence: str
    next_step: str = ""
    lines: tuple[str, ...] = ()    # what it is about, one each
