"""Frames in, pages out: theme, charts, tables, page parts; rendering of executed notebooks; the server."""

import sys

# jsonschema (under altair, nbformat and Jupyter's server) would compile a grammar for IRIs when it is imported,
# which takes 1.3 s and which nothing here asks for. Without the module it leaves that one check out.
sys.modules.setdefault("rfc3987_syntax", None)    # type: ignore[arg-type]
