"""The files of a table, wherever it lies: in a folder of this disk, or in a bucket.

A bucket is spoken to by delta-rs' own client alone, so that the same AWS_… variables serve tables and files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from navbook import redaction

if TYPE_CHECKING:
    from pyarrow.fs import PyFileSystem

PAINT = re.compile(r"\x1b\[[0-9;]*m|↳")    # with which delta-rs shows a chain of causes
MESSAGE = re.compile(r"<Message>(.*?)</Message>")    # of a bucket's answer
OF_A_CLOUD = "//169.254.169.254/"    # where a machine of Amazon's would be told a key, asked when there is no other


def is_bucket(uri: str) -> bool:
    """Whether `uri` is of object storage, not of this disk."""
    return "://" in uri


def folder(uri: str) -> PyFileSystem:
    """The table's folder as a file system of its own. Writing goes through `write`."""
    from deltalake.fs import DeltaStorageHandler  # pyarrow, which most commands do without
    from pyarrow.fs import PyFileSystem
    return PyFileSystem(DeltaStorageHandler(uri))


def write(uri: str, name: str, content: bytes) -> None:
    """A new file `name` of the table at `uri`. Raises `OSError`."""
    if is_bucket(uri):
        from pyarrow import BufferedOutputStream
        # in one piece: delta-rs takes bytes, pyarrow would hand it a buffer
        with BufferedOutputStream(folder(uri).open_output_stream(name), len(content) + 1) as stream:
            stream.write(content)
    else:
        place = Path(uri)
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


def remove(uri: str, name: str) -> None:
    """Take a file away that may be gone already. Raises `OSError`."""
    if is_bucket(uri):
        folder(uri).delete_file(name)
    else:
        (Path(uri) / name).unlink(missing_ok=True)


def reason(problem: BaseException | str) -> str:
    """What went wrong, on one line, without colours and without the key, which a bucket's answer may name."""
    said = " ".join(str(redaction.cleaned(PAINT.sub("", str(problem)))).split()).rstrip(".")
    if OF_A_CLOUD in said:
        return "no AWS_ACCESS_KEY_ID is in the environment, and the machine has no role of a cloud"
    answered = MESSAGE.search(said)
    return answered[1].rstrip(".") if answered else said
