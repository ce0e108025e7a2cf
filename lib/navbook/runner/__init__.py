"""Wires exchange, store, compute and publish into what commands and notebooks do."""
