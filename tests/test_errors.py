"""Errors come over from a worker process as they are, whatever they were made of."""

from __future__ import annotations

import pickle

import pytest

from navbook import errors


@pytest.mark.parametrize("error", [
    errors.StoreUnusable("/data/holdings", "No space left on device"),
    errors.FolderUnusable("/runs", OSError(28, "No space left on device")),
    errors.RequestRejected("GET /api/v3/account", -2015, "no.", 401),
    errors.ExchangeUnavailable("GET /api/v3/time", "no answer", 3.0),
    errors.KeyRepeated("holdings", ("account",), "main"),
], ids=lambda error: type(error).__name__)
def test_an_error_of_a_worker_process_reaches_its_parent(error):
    came = pickle.loads(pickle.dumps(error))
    assert (type(came), str(came), vars(came)) == (type(error), str(error), vars(error))
