"""Processes for work that keeps every core busy. Imports nothing heavy: the first line that runs in each of them."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread


def pool(processes: int) -> ProcessPoolExecutor:
    """Processes that compute on one core each, and end with this one, however that ends."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
    os.environ["POLARS_MAX_THREADS"] = "1"    # read when polars is imported: with the first piece of work
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)    # a killed parent sends no message that the work is off
