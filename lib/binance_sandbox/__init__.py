"""A local Binance over HTTP, for demos and tests: `python -m binance_sandbox --help`.

It serves `/api`, `/sapi` and `/fapi` below one base URL as BINANCE.md describes them, and `/sandbox` to control
it (DESIGN.md, "binance_sandbox"). It knows nothing of navbook: the two agree on the wire alone.
"""
