"""Sweeps on a real Dask scheduler and worker processes: the same bits, whoever dies, and one sentence where it cannot be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters import READY_S, dask
from commands import navbook, sentence
from navbook import settings
from navbook.compute import backtest, validation
from navbook.compute.combinations import Combinations
from navbook.errors import BracketInvalid, ClusterUnusable, SettingsInvalid
from navbook.runner import backtesting, cluster
from navbook.runner.backtest_plan import Plan
from stores import configured, table
from test_compute_study import walk
from test_runner_backtesting import recorded

RULES, COSTS = backtest.BracketRules(), backtest.Costs(0.0005)
GRID = {"max_reopens": [None, 40], "tp_usdt": [5, 7.5, 10, 12], "sl_usdt": [3, 5, 8]}
SLOW = {"tp_usdt": [5, 7.5, 10, 12], "sl_usdt": [3.0 + step / 10 for step in range(50)], "wallet_usdt": [150],
        "leverage": [5 + step for step in range(12)]}


@pytest.fixture(scope="module")
def candles():
    return backtest.prepare(walk(20, 1))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with dask(tmp_path_factory.mktemp("dask"), workers=2) as started:
        started.wait_for(2)
        yield started


@contextmanager
def away(started, workers: int = 2) -> Iterator[cluster.Cluster]:
    """A connection to a cluster, once so many workers are in it."""
    started.wait_for(workers)
    with closing(cluster.Cluster(started.address)) as found:
        yield found


def test_a_sweep_on_workers_equals_the_local_one_to_the_last_bit(two, candles):
    told = []
    with away(two) as elsewhere:
        found = elsewhere.sweep(candles, RULES, GRID, COSTS, intrabar="path", progress=told.append)
        assert elsewhere.sweep(candles, RULES, {}).equals(backtest.sweep(candles, RULES, {}))
        periods = elsewhere.pnl_by_period(candles, RULES, GRID, COSTS, every="1d")
    local = backtest.sweep(candles, RULES, GRID, COSTS, intrabar="path")
    assert found.equals(local)
    assert found.schema == local.schema
    assert (periods == backtest.pnl_by_period(candles, RULES, GRID, COSTS, every="1d")).all()
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_walk_forward_on_workers_chooses_and_earns_the_same(two, candles):
    how = {"train": "10d", "test": "5d"}
    with away(two) as elsewhere:
        found = validation.walk_forward(candles, RULES, GRID, COSTS, **how, sweep=elsewhere.sweep)
    assert found.equals(validation.walk_forward(candles, RULES, GRID, COSTS, **how))


def test_what_cannot_be_is_refused_before_anybody_is_asked():
    with pytest.raises(BracketInvalid, match="tp_usdt = 0 cannot be used"):
        cluster.Cluster("tcp://127.0.0.1:1").sweep(walk(1, 1), RULES, {"tp_usdt": [0]})


def test_a_worker_killed_in_the_middle_of_a_sweep_is_made_good(tmp_path, candles):
    with dask(tmp_path, workers=2) as started, away(started) as elsewhere:
        left = []

        def kill(part: float) -> None:
            if not left:
                left.append(part)
                started.processes[1].send_signal(signal.SIGKILL)

        found = elsewhere.sweep(candles, RULES, SLOW, COSTS, progress=kill)
        assert left[0] < 1
        assert started.processes[1].wait(5) == -signal.SIGKILL
        assert len(elsewhere._client.nthreads()) == 1
    assert found.equals(backtest.sweep(candles, RULES, SLOW, COSTS))


@pytest.mark.parametrize(("allowed", "dead", "said"), [
    pytest.param("0", 1, "several workers died at one piece of the sweep.*give them more memory", id="a piece that kills"),
    pytest.param("3", 0, "its scheduler or all its workers were lost; see that it runs", id="no scheduler"),
    pytest.param("3", 1, "its scheduler or all its workers were lost; see that it runs", id="no worker")])
def test_a_cluster_that_is_lost_in_the_middle_is_told(tmp_path, candles, allowed, dead, said):
    workers = 2 if allowed == "0" else 1
    variables = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": allowed}
    with dask(tmp_path, workers, **variables) as started, away(started, workers) as elsewhere, pytest.raises(
            ClusterUnusable, match=said):
        elsewhere.sweep(candles, RULES, SLOW, COSTS, progress=lambda _: started.processes[dead].kill())


def test_ctrl_c_ends_a_sweep_at_once_and_leaves_nothing_to_do(two, candles, request):
    began = []

    def press(part: float) -> None:
        if not began:
            began.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)    # a process in the background may ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with away(two) as elsewhere:
        with pytest.raises(KeyboardInterrupt):
            elsewhere.sweep(candles, RULES, SLOW | {"leverage": [5 + step / 100 for step in range(300)]}, COSTS, progress=press)
        assert time.monotonic() - began[0] < 5
        deadline = time.monotonic() + 20
        while any(elsewhere._client.processing().values()):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_scheduler_that_is_not_there_or_has_no_workers_is_told_in_a_moment(tmp_path, candles, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    began = time.monotonic()
    with pytest.raises(ClusterUnusable, match=r"The Dask cluster at tcp://127.0.0.1:1 cannot be used: it does not answer"):
        cluster.Cluster("tcp://127.0.0.1:1").sweep(candles, RULES, GRID)
    assert time.monotonic() - began < 5
    with dask(tmp_path) as started, pytest.raises(ClusterUnusable, match="it has no worker; start some: dask worker tcp://"):
        cluster.Cluster(started.address).sweep(candles, RULES, GRID)


SAYS = "from distributed import versions\nversions.get_package_info = lambda names, asked=versions.get_package_info: {**asked(names), "


@pytest.mark.parametrize(("other", "has"), [
    pytest.param(SAYS + '"python": "3.99.0"}', r"has python 3.99.0, not python 3\.", id="python"),
    pytest.param(SAYS + '"navbook": None}', r"has no navbook, not navbook 0\.", id="none"),
    pytest.param('from navbook.runner import cluster\ncluster.code = lambda: "other"', "has another navbook.compute", id="code")])
def test_a_worker_with_another_environment_is_refused_before_anything_runs(two, tmp_path, candles, other, has):
    (tmp_path / "other.py").write_text(other)
    with away(two) as elsewhere:
        stranger = two.worker("--preload", str(tmp_path / "other.py"))
        try:
            elsewhere._client.wait_for_workers(3, timeout=READY_S)
            with pytest.raises(ClusterUnusable, match=rf"its worker tcp://\S+ {has}.*; give it the same environment"), closing(
                    cluster.Cluster(two.address)) as newcomer:
                newcomer.sweep(candles, RULES, GRID)
        finally:
            stranger.kill()
            stranger.wait()


def test_certificates_are_distributeds_own_configuration(tmp_path, candles):
    from dask import config
    authority, certificate = certificates(tmp_path)
    tls = {"distributed.comm.tls.ca-file": authority, **{f"distributed.comm.tls.{role}.{part}": certificate for role in (
        "client", "scheduler", "worker") for part in ("cert", "key")}}
    variables = {f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": value for name, value in tls.items()}
    with dask(tmp_path, 1, "tls", **variables) as started, config.set(tls), away(started, 1) as elsewhere:
        assert started.address.startswith("tls://")
        assert elsewhere.sweep(candles, RULES, GRID).equals(backtest.sweep(candles, RULES, GRID))


def certificates(folder):
    """An authority that is its own only client and server: the paths of its certificate, and of that with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dask")])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1)).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "authority.pem").write_bytes(made)
    (folder / "both.pem").write_bytes(secret + made)
    return str(folder / "authority.pem"), str(folder / "both.pem")


# -- settings and command -------------------------------------------------------------------------------------
def test_the_command_gives_the_same_rows_by_its_notebook_on_workers(two, tmp_path):
    config = recorded(tmp_path)
    grid = {"tp_usdt": [5, 10], "sl_usdt": [5, 10]}
    done = navbook("backtest", "--from", "2026-03-02", "--grid", "tp_usdt=5,10", "--grid", "sl_usdt=5,10", "--dask", two.address,
                   folder=tmp_path)
    assert done.returncode == 0, done.stderr
    elsewhere = table(config, "backtests"), table(config, "backtest_sweeps")
    backtesting.run(config, Plan(grid=grid, since="2026-03-02"))
    assert (elsewhere[0].equals(table(config, "backtests")), elsewhere[1].equals(table(config, "backtest_sweeps"))) == (True, True)


def test_the_settings_say_where_sweeps_run(tmp_path):
    config = configured(tmp_path, more='[backtest]\ndask = "tcp://10.0.0.5:8786"')
    assert cluster.engine(config).address == "tcp://10.0.0.5:8786"
    assert cluster.engine(settings.on_cluster(config, "tls://[::1]:8786")).address == "tls://[::1]:8786"
    assert cluster.engine(configured(tmp_path)) is backtest


@pytest.mark.parametrize("address", ["10.0.0.5:8786", "http://10.0.0.5:8786", "tcp://10.0.0.5", "tcp://user:word@host:1/x", ""])
def test_what_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(SettingsInvalid, match="dask: must be the address of a Dask scheduler such as tcp://"):
        configured(tmp_path, more=f'[backtest]\ndask = "{address}"')
    with pytest.raises(SettingsInvalid, match="--dask: must be the address"):
        settings.on_cluster(configured(tmp_path), address)


def test_the_command_refuses_in_one_sentence(tmp_path):
    recorded(tmp_path)
    assert "--dask: must be the address of a Dask scheduler" in sentence(navbook("backtest", "--dask", "here", folder=tmp_path))


# -- pieces ---------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(1, 40))
def test_the_combinations_of_the_pieces_in_order_are_those_of_the_grid(sizes, number):
    names = ("tp_usdt", "sl_usdt", "leverage")
    grid = {name: [1 + value for value in range(size)] for name, size in zip(names, sizes, strict=False)}
    cut = cluster.pieces(grid, number)
    rows = [row for piece in cut for row in Combinations.of(RULES, piece).values().rows()]
    assert rows == Combinations.of(RULES, grid).values().rows()
    assert len(cut) >= min(number, len(rows)) / 2
    assert len(cut) <= number * 2
