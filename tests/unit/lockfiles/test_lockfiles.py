"""Every reader is found by the names of its files."""

from __future__ import annotations

import importlib
import pkgutil

from sbomgate import lockfiles


def test_the_table_is_what_the_readers_say() -> None:
    said = {}
    for module in pkgutil.iter_modules(lockfiles.__path__):
        if not module.name.startswith("_"):
            reader = importlib.import_module(f"sbomgate.lockfiles.{module.name}")
            said.update(dict.fromkeys(reader.FILENAMES, module.name))
    assert list(lockfiles.READERS.items()) == list(said.items())
