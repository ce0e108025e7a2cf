"""Rows come out by key, however they lay: account by account, newest file first, or shuffled."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from navbook.store import ordering

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3), st.sampled_from(["x", "y"])), max_size=12)
KEY = ("account", "time", "wallet")


@given(ROWS, st.booleans())
def test_rows_come_out_by_key_and_doubles_are_noticed(rows, by_time):
    lain = sorted(rows, key=lambda row: row[1]) if by_time else rows
    frame = pl.DataFrame(lain, schema={"account": pl.String, "time": pl.Int64, "wallet": pl.String}, orient="row")
    found, unique = ordering.ordered(frame, KEY)
    assert_frame_equal(found, frame.sort(KEY))
    assert unique == (len(set(rows)) == len(rows))


@given(ROWS)
def test_of_each_key_the_row_seen_last_stays(rows):
    frame = pl.DataFrame(rows, schema={"account": pl.String, "time": pl.Int64, "wallet": pl.String}, orient="row"
                         ).with_row_index("seen_at")
    last = dict(zip(rows, range(len(rows)), strict=True))
    found = ordering.newest(frame, KEY)
    assert [(row[1:], row[0]) for row in found.iter_rows()] == sorted(last.items())
