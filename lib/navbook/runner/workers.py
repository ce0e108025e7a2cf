"""Processes for work that keeps every core busy. Imports nothing heavy: the first lines that run in each of them."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from navbook.runner import orphans


def pool(processes: int) -> ProcessPoolExecutor:
    """Processes that compute on one core each, and end with this one, however that ends."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    orphans.end_with(parent)
    os.environ["POLARS_MAX_THREADS"] = "1"    # read when polars is imported: with the first piece of work
    os.environ["_RJEM_MALLOC_CONF"] = "dirty_decay_ms:-1,muzzy_decay_ms:-1"    # its memory is kept for the next piece
