"""Sweeps on the workers of a Dask scheduler: the grid is cut into pieces, and each worker gets the candles once.

What a piece comes to does not depend on where it is worked out, so the answer is the local one, to the last bit. A
piece whose worker died is given to another one, distributed.scheduler.allowed-failures times. Certificates of a tls://
address are distributed's own configuration (distributed.comm.tls).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute import backtest
from navbook.compute.backtest import BracketRules, Candles, Costs, prepare
from navbook.compute.backtest.grid import Progress
from navbook.compute.backtest.replay import FREE
from navbook.compute.combinations import Combinations
from navbook.compute.study import Engine
from navbook.errors import ClusterUnusable
from navbook.settings import Settings

Client = Any     # of distributed, which says of few of its functions what they take and give; imported late:
Future = Any     # most backtests run here
CONNECT_S = 5            # for the scheduler to answer, and for a first worker to be there
PIECES = 4               # for each thread of a worker: what a dead one takes with it, and how fine progress is
SAME = ("navbook", "distributed", "numpy", "numba", "polars")    # versions that decide what comes out; and Python's


def engine(config: Settings) -> Engine:
    """What runs the sweeps of a study: the workers of `backtest.dask`, or this process."""
    return Cluster(config.backtest.dask) if config.backtest.dask else backtest


@contextmanager
def connected(config: Settings) -> Iterator[Engine]:
    """`engine`, whose connection ends with the block."""
    found = engine(config)
    try:
        yield found
    finally:
        if isinstance(found, Cluster):
            found.close()


class Cluster:
    """`backtest.sweep` and `backtest.pnl_by_period` on other machines; connects when it is first used.

    Both raise `ClusterUnusable` beside what the local ones raise.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._placed: tuple[Candles, Future] | None = None

    def close(self) -> None:
        """End the connection, if there is one; without this it ends with the process."""
        self._placed = None
        if client := self.__dict__.pop("_client", None):
            client.close(timeout=CONNECT_S)

    def sweep(self, candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
              costs: Costs = FREE, *, intrabar: str = "pessimistic", entry: pl.Expr | None = None,
              progress: Progress | None = None) -> pl.DataFrame:
        """As `backtest.sweep`."""
        values = Combinations.of(rules, grid).values()
        found = self._map(backtest.sweep, prepare(candles), rules, grid, costs, progress,
                          intrabar=intrabar, entry=entry)
        sums = pl.concat(part.drop(values.columns) for part in found)    # a piece may guess another type of the values
        return pl.DataFrame({**values.to_dict(), **sums.to_dict()})

    def pnl_by_period(self, candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
                      costs: Costs = FREE, *, every: str = "1w", intrabar: str = "pessimistic",
                      entry: pl.Expr | None = None) -> NDArray[np.float64]:
        """As `backtest.pnl_by_period`."""
        Combinations.of(rules, grid)    # refuses what cannot be before anybody is asked
        return np.hstack(self._map(backtest.pnl_by_period, prepare(candles), rules, grid, costs, None,
                                   every=every, intrabar=intrabar, entry=entry))

    def _map(self, work: Callable[..., Any], candles: Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
             costs: Costs, progress: Progress | None, **how: Any) -> list[Any]:
        """What `work` finds for each piece of `grid`, in order."""
        with self._told(), self._client.as_current():
            placed = self._place(candles)
            number = PIECES * sum(self._client.nthreads().values())
            futures = [self._client.submit(work, placed, rules, piece, costs, **how, pure=False)
                       for piece in pieces(grid, number)]
            try:
                self._wait(futures, progress)
                return list(self._client.gather(futures))
            finally:
                self._client.cancel(futures)    # after Ctrl-C or an error nobody wants the rest

    def _wait(self, futures: list[Future], progress: Progress | None) -> None:
        from distributed import wait
        waiting = set(futures)
        while waiting:
            found = wait(waiting, return_when="FIRST_COMPLETED")    # type: ignore[no-untyped-call]
            waiting = found.not_done
            if failed := next((future for future in found.done if future.status != "finished"), None):
                failed.result()    # raises now, not when the others are done
            if progress:
                progress(1 - len(waiting) / len(futures))

    def _place(self, candles: Candles) -> Future:
        """`candles` on every worker; those of the call before stay there for the next."""
        if self._placed is None or self._placed[0] is not candles:
            self._placed = candles, self._client.scatter(candles, broadcast=True, hash=False)
        return self._placed[1]

    @cached_property
    def _client(self) -> Client:
        """The connection, after a look at who would work."""
        import distributed
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)    # what matters of it, our sentence says
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")    # differing versions, which are refused below
            client: Client = distributed.Client(    # type: ignore[no-untyped-call]
                self.address, timeout=CONNECT_S, set_as_default=False)
        try:
            self._refuse_strangers(client)
        except BaseException:
            client.close(timeout=CONNECT_S)
            raise
        return client

    def _refuse_strangers(self, client: Client) -> None:
        """Another version, or other code of this one, could find other figures. Raises `ClusterUnusable`."""
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise ClusterUnusable(self.address, "it has no worker", f"start some: dask worker {self.address}") from None
        told = client.get_versions(packages=SAME)
        ours = told["client"]["packages"]
        for worker, versions in told["workers"].items():
            for name in ("python", *SAME):
                if (theirs := versions["packages"].get(name)) != ours[name]:
                    raise self._stranger(worker, f"{name} {theirs}" if theirs else f"no {name}", f"{name} {ours[name]}")
        ours = code()
        for worker, theirs in client.run(code).items():
            if theirs != ours:
                raise self._stranger(worker, "another navbook.compute of the same version", "the one")

    def _stranger(self, worker: str, theirs: str, ours: str) -> ClusterUnusable:
        return ClusterUnusable(self.address, f"its worker {worker} has {theirs}, not {ours} as here",
                               "give it the same environment, then run again")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What Dask raises becomes one sentence."""
        try:
            import distributed
        except ImportError:
            raise ClusterUnusable(self.address, "Dask is not installed here",
                                  "install it: pip install 'navbook[dask]'") from None
        try:
            yield
        except distributed.KilledWorker:
            raise ClusterUnusable(self.address, "several workers died at one piece of the sweep",
                                  "give them more memory, or make the grid smaller") from None
        except (CancelledError, distributed.CancelledError, OSError) as problem:
            lost = isinstance(problem, CancelledError | distributed.CancelledError)
            reason = "its scheduler or all its workers were lost" if lost else f"it does not answer ({problem})"
            raise ClusterUnusable(self.address, reason, "see that it runs (dask scheduler), then run again") from None


def code() -> str:
    """The code that works a sweep out, as a hash."""
    files = sorted(Path(backtest.__file__).parents[1].rglob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def pieces(grid: Mapping[str, Sequence[Any]], number: int) -> list[dict[str, Sequence[Any]]]:
    """`grid` cut into about `number` grids whose combinations, one after the other, are those of `grid`."""
    if not grid:
        return [{}]
    name, *others = grid
    values, rest = list(grid[name]), {other: grid[other] for other in others}
    if rest and len(values) < number:
        return [{name: [value], **piece} for value in values for piece in pieces(rest, -(-number // len(values)))]
    parts = min(number, len(values))
    edges = [len(values) * part // parts for part in range(parts + 1)]
    return [{name: values[start:end], **rest} for start, end in pairwise(edges)]
