"""What each command does, as functions: the command line only parses words.

Imports that a job's kernel makes anyway (exchange, compute, publish) wait here until a command needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from navbook import schemas, settings
from navbook.errors import JobFailed, NavbookError, SettingsInvalid
from navbook.job import Job
from navbook.runner import alerts, jobs, locks, log_files, logs, sandbox, slots, stores, watching
from navbook.settings import Settings
from navbook.store import tables

Told = Callable[[str], None]
LAB = ("--ServerApp.identity_provider_class=navbook.publish.identity.OneToken",)    # beside Jupyter's own guards


def job(config: Settings, name: str, account: str, told: Told, /, *, in_process: bool = False,
        **parameters: Any) -> None:
    """Run one of the jobs and say where its result is. Raises `Locked`, `JobFailed` and what the job raises."""
    with ready_for(config, config.job(name), account, parameters, told) as ready:
        _run(ready, name, account, told, in_process, parameters)


def backtest(config: Settings, told: Told, parameters: dict[str, Any], *, in_process: bool = False) -> None:
    """Run the backtest that `parameters` of `backtest_plan.Plan` name; raises as `job` does, and `BracketInvalid`."""
    job(config, "backtest", "all", told, in_process=in_process, **parameters)


@contextmanager
def ready_for(config: Settings, job: Job, account: str, parameters: dict[str, Any], told: Told) -> Iterator[Settings]:
    """`config` as the notebook of `job` needs it, its lock held. Refuses what cannot be before anything runs."""
    if job.notebook == "backtest":
        from navbook.runner.backtest_plan import Plan
        Plan(**parameters)
    elif job.notebook == "parity":
        from navbook.runner import parity
        parity.live_trades(config, parity.Asked(**parameters))
    with locks.hold(config, job.lock):
        stores.claim(config)
        if job.notebook == "collect":
            if config.is_demo:
                told("No navbook.toml and no keys: collecting the demo accounts of the local sandbox.")
            with sandbox.for_command(config) as ready:
                ready.names(account)
                yield ready
        elif job.notebook in ("backtest", "parity"):
            with sandbox.for_prices(config) as ready:
                yield ready
        else:
            if account != "all":
                stores.require(config, account)
            yield config


def parity(config: Settings, told: Told, parameters: dict[str, Any], *, in_process: bool = False) -> None:
    """Compare the position that `parameters` of `parity.Asked` name; raises as `job` does."""
    job(config, "parity", "all", told, in_process=in_process, **parameters)


def everything(config: Settings, account: str, told: Told, *, in_process: bool = False) -> None:
    """The jobs in order. A failed one stops none: the pages must say what is not known. Raises the first trouble."""
    troubles = []
    for name in ("collect", "benchmark", "backtest", "publish"):
        try:
            if name == "backtest":
                backtest(config, told, {}, in_process=in_process)
            else:
                job(config, name, account, told, in_process=in_process)
        except NavbookError as trouble:
            troubles.append(trouble)
    raise_together(troubles)


def raise_together(troubles: Sequence[NavbookError]) -> None:
    """Raise the trouble there was, or `JobFailed` with all of them; nothing where there was none."""
    if len(troubles) > 1:
        raise JobFailed(" ".join(str(trouble) for trouble in troubles))
    if troubles:
        raise troubles[0]


@contextmanager
def watched(config: Settings, name: str) -> Iterator[None]:
    """A job, by hand or when it was due: its end is told to whom it concerns, then the books are looked at."""
    try:
        with alerts.watched(config, name):
            yield
    finally:
        watching.look(config, name)
        log_files.keep_house(config)


def _run(config: Settings, name: str, account: str, told: Told, in_process: bool,
         parameters: dict[str, Any]) -> None:
    where = ""
    with watched(config, name):
        if in_process:
            with logs.session(config, name, account):
                _in_process(config, name, account, parameters)
        else:
            slot = slots.served_by(config, name, datetime.now(UTC))
            where = f" Run: {jobs.run(config, name, account, slot=slot, **parameters)}"
    told(f"{name}: {summary(config, name, account, parameters)}{where}")


def _in_process(config: Settings, name: str, account: str, parameters: dict[str, Any]) -> None:
    """The functions that the job's notebook calls, without it."""
    if name == "collect":
        import asyncio

        from navbook.runner import collecting
        asyncio.run(collecting.collect(config, account))
    elif name == "benchmark":
        from navbook.runner import rebuild
        rebuild.run(config, parameters.get("as_of", "now"))
    elif name == "backtest":
        from navbook.runner import backtesting
        from navbook.runner.backtest_plan import Plan
        backtesting.run(config, Plan(**parameters))
    elif name == "parity":
        import asyncio

        from navbook.runner import parity
        asyncio.run(parity.run(config, parity.Asked(**parameters)))
    else:
        from navbook.runner import pages
        pages.publish(config, account, parameters.get("share", ""))


def look_back(config: Settings, account: str, days: int | None, told: Told, *, dry_run: bool) -> None:
    """Collect, and read all histories `days` back whatever was read before; `dry_run` lists what that would add."""
    import asyncio
    from datetime import timedelta

    from navbook.runner import collecting
    lookback = timedelta(days=days or config.lookback_days)
    with locks.hold(config, "collect"):
        stores.claim(config)
        with sandbox.for_command(config) as ready:
            if not dry_run:
                rows = asyncio.run(collecting.collect(ready, account, lookback))
                told(f"collect: {rows.get('cash_flows', 0)} flows of the last {lookback.days} days were not known yet. "
                     f"{summary(ready, 'collect', account)}")
                return
            found = asyncio.run(collecting.unknown_flows(ready, account, lookback))
    for row in found.iter_rows(named=True):
        told(f"{row['time']:%Y-%m-%d %H:%M:%S}  {row['account']}  {row['kind']}  {row['amount'].normalize():f} "
             f"{row['asset']}  {row['status']}  {row['source']}:{row['id']}")
    told(f"{found.height} flows of the last {lookback.days} days are not known yet; nothing was written.")


def summary(config: Settings, notebook: str, account: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """One sentence on what stands in the store or in the published folder now."""
    if notebook == "publish":
        from navbook.runner import pages
        return pages.said(config)
    if notebook == "backtest":
        from navbook.runner.backtest_plan import Plan, said
        return said(config, Plan(**parameters))
    if notebook == "parity":
        from navbook.runner import parity
        return parity.said(config, parity.Asked(**parameters))
    if notebook == "collect":
        from navbook.runner import known
        newest = tables.newest(config.location, schemas.SNAPSHOTS, account).filter(known.of_settings(config))
        grades = ", ".join(f"{row['account']} {row['grade']}" for row in newest.iter_rows(named=True))
        return f"snapshot of {newest['time'].sort()[-1]:%Y-%m-%d %H:%M:%S} UTC: {grades}."
    if notebook != "benchmark":
        return "done."
    newest = tables.newest(config.location, schemas.NAV_HISTORY, known=("nav",)).sort("account_id")
    lines = [f"{row['account']} ${row['nav']:,.2f} against ${row['benchmark_value']:,.2f}"
             for row in newest.iter_rows(named=True) if row["benchmark_value"] is not None]
    return "; ".join(lines) + "." if lines else "no counted snapshot yet; run navbook collect."


def demo_settings(config: Path | None) -> Settings:
    """The settings that a demo runs with."""
    from navbook.runner import demo
    return demo.settings_for(settings.load(config))


def demo(config: Settings, candles: Path | None, progress: Callable[[int, int], None], told: Told) -> None:
    """All of the demo but serving: history in this process, the last slot through papermill."""
    import asyncio

    from navbook.runner import demo as demonstration
    told("Demo: the local sandbox's own accounts; no key and no network are used.")
    with locks.hold(config, "collect"), locks.hold(config, "benchmark"), locks.hold(config, "publish"):
        stores.claim(config)
        world, end = demonstration.world_of(config, candles)
        with sandbox.started(world) as local:
            ready = sandbox.with_accounts_of(local, config)
            until = demonstration.end_of(end)
            asyncio.run(demonstration.history(ready, local, world, until, progress))
            local.set_clock(until)
            for name in ("collect", "benchmark", "publish"):
                _run(ready, name, "all", told, in_process=False, parameters={})


def serve(config: Settings, host: str, port: int, told: Told) -> None:
    """Serve the published pages until stopped. Raises `SettingsInvalid` when there are none."""
    import tempfile

    from navbook.publish import server
    from navbook.runner import kernels, pages
    folder, token = pages.published_folder(config), settings.dashboards_token()
    if not (folder / "index.html").exists():
        raise SettingsInvalid(f"Nothing is published in {folder} yet; run make demo, or navbook all.")
    with tempfile.TemporaryDirectory(prefix="navbook-dashboards-") as aside:
        server.serve(folder, host, port, token=token,
                     on_ready=lambda address: told(f"Dashboards: {_shown(address, token)} (Ctrl-C ends them)"),
                     kernels=kernels.variables(config, Path(aside)))


def _shown(address: str, token: str | None) -> str:
    """`address` as it may stand in a log: with a token that was made up now, without one that is somebody's secret."""
    return address.partition("?")[0] if token else address


def lab(config: Settings) -> int:
    """JupyterLab until it ends; its notebooks see this store from whatever folder they lie in, and no key."""
    import subprocess
    import sys
    import tempfile

    from navbook.runner import kernels
    with tempfile.TemporaryDirectory(prefix="navbook-lab-") as aside:
        return subprocess.call([sys.executable, "-m", "jupyter", "lab", str(settings.NOTEBOOKS), *LAB],
                               env=kernels.variables(config, Path(aside)))
