"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | bytes) -> Iterator[Any]:
    """A file to write to, which takes the place of ``path`` when all of it is on the disk.

    Raises:
        RuntimeError: there is no such folder.
    """
    target = os.path.realpath(os.fsdecode(path))
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.isdir(target):
        raise IsADirectoryError(f"{target} is a folder, not a file to save to")
    if os.path.exists(target) and not os.path.isfile(target):  # a pipe, /dev/null
        with open(target, "wb") as file:
            yield file
        return
    remove_leftovers(folder, name)
    host = os.uname().nodename if hasattr(os, "uname") else "here"
    writer = f"{host}-{os.getpid()}-{threading.get_ident()}"
    temporary = os.path.join(folder, f".{name}.{writer}.saving")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def remove_leftovers(folder: str, name: str) -> None:
    """Remove what processes of this machine, killed while they were saving there, have left."""
    if not hasattr(os, "uname"):  # on Windows there is no harmless way to ask for a process
        return
    host = os.uname().nodename
    pattern = re.compile(rf"{re.escape(f'.{name}.{host}')}-(\d+)-\d+\.saving")
    for entry in os.listdir(folder):
        found = pattern.fullmatch(entry)
        if found and not _alive(int(found[1])):
            try:
                os.remove(os.path.join(folder, entry))
            except FileNotFoundError:  # another process has seen it, too
                pass


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return True
