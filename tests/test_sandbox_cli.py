"""The command line: one line when ready, one sentence when not, and no orphan."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from binance_sandbox.__main__ import main
from test_sandbox_support import START, command, running, started


@pytest.fixture
def failing(capsys):
    """The one sentence that a start with these arguments ends in."""
    def fail(*arguments):
        assert main(["--port", "0", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert len(printed.err.strip().splitlines()) == 1
        return printed.err

    return fail


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(command("--port", port), capture_output=True, text=True, timeout=10)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert port in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize(("arguments", "said"), [
    (["--scenario", "nothing"], "there is no scenario nothing; name a .toml file or one of: demo"),
    (["--scenario", "no/such.toml"], "there is no scenario no/such.toml"),
    (["--start", "yesterday"], "--start: 'yesterday' is not an ISO time"),
    (["--candles", "no-such-folder"], "there is no folder no-such-folder"),
    (["--candles", "."], "holds no SYMBOL-1m*.parquet"),
    (["--scenario", "crash+calm"], "crash and calm are two moods"),
    (["--scenario", "crash", "--candles", "."], "crash is a mood of generated prices"),
    (["--seed", "-1"], "--seed"),
    (["--speed", "-1"], "--speed"),
    (["--host", "203.0.113.1"], "Cannot listen on 203.0.113.1"),
])
def test_one_sentence(failing, arguments, said):
    assert said in failing(*arguments)


ACCOUNT = '[[accounts]]\nname = "a"\napi_key = "k"\napi_secret = "s"\n'


@pytest.mark.parametrize(("text", "said"), [
    ("[[accounts", "is not a TOML file"),
    ("colour = 1", "colour: is not a key"),
    ('[[accounts]]\nname = "a"', "accounts[0].api_key: is missing"),
    (ACCOUNT + "extra = 1", "accounts[0].extra: is not a key"),
    (ACCOUNT + 'balances = { spot = { BTC = "x" } }', "accounts[0].balances.spot.BTC: expected an amount"),
    (ACCOUNT + '[[events]]\ntype = "deposit"', "events[0].at: is missing"),
    (ACCOUNT + '[[events]]\nat = "soon"\ntype = "deposit"', "events[0].at: expected an offset"),
    (ACCOUNT + '[[events]]\nat = "1d"\ntype = "deposit"\naccount = "b"\nasset = "BTC"\namount = 1', "events[0].account"),
    (ACCOUNT + '[[events]]\nat = "1d"\ntime = 5\ntype = "deposit"', "events[0].time: a scenario counts from its start"),
    ("accounts = 5", "accounts: expected [[accounts]] tables"), ('prices = "odd"', "prices: 'odd' is none of calm, bull"),
])
def test_broken_scenarios_name_the_key(failing, tmp_path, text, said):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert said in failing("--scenario", str(file))


def test_a_scenario_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(ACCOUNT + 'balances = { spot = { BTC = 1.5 } }\n[[events]]\nat = "1h 30s"\ntype = "deposit"\n'
                              'account = "a"\nasset = "BTC"\namount = "0.5"\ncomplete_after = "5m"\n')
    with running("--scenario", str(file)) as sandbox:
        assert sandbox.spot("a") == {"BTC": "1.50000000"}
        sandbox.set_clock(START + 3_630_000)
        assert sandbox.read("/sapi/v1/capital/deposit/hisrec", "a")[0]["status"] == 0
        sandbox.control("clock", advance_ms=300_000)
        assert sandbox.spot("a") == {"BTC": "2.00000000"}


def test_without_options_there_is_nobody_and_the_wall_clock():
    with running(start=None) as sandbox:
        state = sandbox.get("/sandbox/state")
        assert (state["accounts"], state["scenario"], state["seed"], state["candles"]) == ([], None, 1, None)
        assert abs(state["now"] - time.time() * 1000) < 2000
        assert sandbox.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(("arguments", "said"), [([], "this machine only"), (["--host", "0.0.0.0"], "open to the network")])
def test_it_says_who_can_reach_it(arguments, said):
    process = subprocess.Popen(command("--port", "0", "--with-parent", *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    process.stdin.close()
    process.wait(5)
    process.stdout.close()
    assert line.startswith(f"binance_sandbox ({said}) listening on http://")


def test_speed():
    with running("--speed", "100000") as sandbox:
        sandbox.account()
        first = sandbox.now
        time.sleep(0.05)
        assert sandbox.now - first > 4_000_000
        assert sandbox.signed("/api/v3/account", timestamp=first).status == 200    # a client keeps wall pace


def test_the_end_of_stdin_stops_it():
    process = subprocess.Popen(command("--port", "0", "--with-parent"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    process.stdin.close()
    assert process.wait(5) == 0
    assert process.stdout.read() == ""    # one line and no more
    process.stdout.close()
    port = int(line.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number):
    process = subprocess.Popen(command("--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    os.kill(process.pid, number)
    said = process.communicate(timeout=5)
    assert (process.returncode, said) == (0, ("", ""))


def test_ready_soon():
    began = time.perf_counter()
    with started("--scenario", "demo") as sandbox:
        assert sandbox.get("/api/v3/ping") == {}
        assert time.perf_counter() - began < 3    # 0.3 s on an idle machine
