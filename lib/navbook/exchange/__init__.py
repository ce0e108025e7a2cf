"""Binance over HTTP: asked in fetch, understood in parse, within its limits."""
