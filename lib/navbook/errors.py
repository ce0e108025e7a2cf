"""Everything navbook raises on purpose, sorted by what the reader should do next.

    NavbookError
    |-- SettingsInvalid, StoreMismatch, UnknownParameter,
    |   BracketInvalid, KeyUnsafe                          correct the input, rerun
    |-- StoreUnusable, StoreUnreadable, FolderUnusable     mend the disk or the folder, rerun
    |-- ClusterUnusable                                    mend the Dask cluster, rerun
    |-- SchemaMismatch, KeyRepeated, PriceMissing,
    |   CandlesInvalid, FundingInvalid                     correct the data, rerun
    |-- JobFailed, SnapshotIncomplete                      the work was not done whole: see the run
    |-- Locked                                             another run holds the lock: wait
    |-- OrdersForbidden                                    no order goes to this host or with this key
    |-- TradeRefused                                       the position's state does not allow it: see its status
    `-- ExchangeError
        |-- ExchangeUnavailable   nothing happened: wait, then retry
        |-- RequestRejected       Binance said no: retrying will not help
        |-- AnswerUnreadable      Binance answered something no parser knows
        `-- OutcomeUnknown        it may have happened: reconcile before anything else

Each message is one sentence that names the cause and the next step; the command line prints it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar


def one_line(words: str) -> str:
    """`words`, of whomever, as one line of a terminal: what is no letter is a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


class NavbookError(Exception):
    """The base of all; `exit_code` is what the command line ends with. A worker process can raise it to its parent."""

    exit_code = 1

    def __init__(self, sentence: str = "") -> None:
        super().__init__(one_line(sentence))

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is, not made anew: its arguments became a sentence."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[NavbookError], args: tuple[object, ...], about: dict[str, object]) -> NavbookError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(about)
    return error


class SettingsInvalid(NavbookError):
    """navbook.toml, an environment variable or an argument cannot be used."""

    exit_code = 2


class KeyUnsafe(NavbookError):
    """An API key that may do what must never happen."""


class StoreMismatch(NavbookError):
    """The store belongs to another environment, account, demo or schema version."""


class StoreUnusable(NavbookError):
    """A table could not be written: no room, no right, no such place."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} cannot be written: {' '.join(reason.split())}. Nothing of this table was stored; "
                         "check that the folder exists, may be written and has room, then run again.")


class StoreUnreadable(NavbookError):
    """The store's disk or bucket does not answer, or refuses this key."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"The store {place} cannot be reached: {reason}. Check the network, the AWS_… variables and "
                         "the bucket's rights, then run again.")


class FolderUnusable(NavbookError):
    """A file could not be written; what was there before still is."""

    def __init__(self, place: object, problem: OSError) -> None:
        super().__init__(f"{place} cannot be written: {problem.strerror or problem}; check that the folder exists, may "
                         "be written and has room, then run again.")


class ClusterUnusable(NavbookError):
    """The sweep could not be run on other machines; nothing was stored."""

    def __init__(self, address: str, reason: str, next_step: str) -> None:
        super().__init__(f"The Dask cluster at {address} cannot be used: {reason}; {next_step}.")


class UnknownParameter(NavbookError):
    """A notebook was given a parameter that it does not have."""

    def __init__(self, notebook: str, unknown: Iterable[str], known: Iterable[str]) -> None:
        super().__init__(f"{notebook} has no parameter {', '.join(sorted(unknown))}; "
                         f"it takes {', '.join(sorted(known)) or 'none'}.")


class SchemaMismatch(NavbookError):
    """A frame has columns of other types than its schema says."""

    def __init__(self, name: str, wrong: Mapping[str, tuple[object, object]]) -> None:
        faults = "; ".join(f"{column} is {found}, not {wanted}" for column, (found, wanted) in wrong.items())
        super().__init__(f"The frame {name} does not fit its schema: {faults}.")


class KeyRepeated(NavbookError):
    """A frame says two things of one key."""

    def __init__(self, name: str, key: Iterable[str], example: object) -> None:
        super().__init__(f"The frame {name} holds two rows with the same {', '.join(key)}: {example}.")


class PriceMissing(NavbookError):
    """A benchmark leg has no price at a time that needs one."""


class BracketInvalid(NavbookError):
    """A rule, a cost or an argument of a backtest cannot be used; `key` is its name."""

    exit_code = 2

    def __init__(self, key: str, value: object, wanted: str) -> None:
        super().__init__(f"{key} = {value!r} cannot be used: it must be {wanted}.")
        self.key = key


class CandlesInvalid(NavbookError):
    """A column or a row is no 1m candle; `row` counts from 0, None where a column is at fault."""

    def __init__(self, problem: str, row: int | None = None) -> None:
        super().__init__(f"These candles cannot be used: {problem}.")
        self.row = row


class FundingInvalid(NavbookError):
    """A row of funding cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"This funding cannot be used: {problem}.")


class JobFailed(NavbookError):
    """A job's notebook or function failed; the message names the cell and the run folder."""


class SnapshotIncomplete(NavbookError):
    """Facts were collected, but not all of them; what is known was stored."""


class Locked(NavbookError):
    """Somebody else does the same work at this moment."""

    exit_code = 75    # EX_TEMPFAIL of sysexits.h: try again later


class OrdersForbidden(NavbookError):
    """This host, this key or this account is none that orders may be sent with."""

    exit_code = 2


class TradeRefused(NavbookError):
    """What was asked of a position cannot be done as things stand."""


class ExchangeError(NavbookError):
    """Talking to Binance (or the sandbox) went wrong."""


class ExchangeUnavailable(ExchangeError):
    """No answer, or one that says that nothing happened. `retry_after` in seconds where the host gave one."""

    def __init__(self, endpoint: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(f"{endpoint} could not be reached: {reason}. Nothing was done; try again later.")
        self.endpoint, self.reason, self.retry_after = endpoint, reason, retry_after


class RequestRejected(ExchangeError):
    """Binance answered with an error code. Codes: BINANCE documentation, "Error codes"."""

    HINTS: ClassVar[dict[int, str]] = {
        -1003: "Too many requests from this address: wait, and run fewer programs at once.",
        -1021: "Compare the local clock with GET /api/v3/time.",
        -1022: "Check that the API secret belongs to the key.",
        -2008: "The key is of another environment or was deleted.",
        -2014: "The key has not the form of a Binance key.",
        -2015: "Check the key, its IP list and its permissions.",
        -12022: "Is this key a sub-account's? Its `master` in navbook.toml must say so, and only then.",
    }

    def __init__(self, endpoint: str, code: int, reason: str, status: int = 400) -> None:
        super().__init__(f"{endpoint} was refused ({code}): {reason} {self.HINTS.get(code, '')}".strip())
        self.endpoint, self.code, self.reason, self.status = endpoint, code, reason, status


class AnswerUnreadable(ExchangeError):
    """An answer of the exchange has a form that no parser knows."""

    def __init__(self, endpoint: str, problem: str) -> None:
        super().__init__(f"{endpoint} gave an answer that cannot be read: {problem}.")
        self.endpoint = endpoint


class OutcomeUnknown(ExchangeError):
    """A write may or may not have happened: look it up by its client id before anything else."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"{endpoint} may have been carried out or not: {reason}. It is looked up before anything "
                         "else.")
        self.endpoint, self.reason = endpoint, reason
