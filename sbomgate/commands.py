"""The commands that a package puts on the path of every script: the names in its `bin`. Pure, a leaf."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping


def names(bin_: object, package: object) -> tuple[str, ...]:
    """Return the names of a manifest's `bin`, sorted, as npm makes them (npm-normalize-package-bin).

    A text stands for one command of the package's own name, without its scope; a list for files of these names; of a
    name only its last part counts: `../node` is linked as `node`.

    Args:
        bin_: as it was parsed.
        package: the package's name.
    """
    if isinstance(bin_, str):
        bin_ = {package: bin_} if isinstance(package, str) else {}
    elif isinstance(bin_, list):
        bin_ = {one: one for one in bin_ if isinstance(one, str)}
    if not isinstance(bin_, Mapping):
        return ()
    found = (_last(name) for name, path in bin_.items() if isinstance(name, str) and isinstance(path, str) and path)
    return tuple(sorted({name for name in found if name not in ("", ".", "..")}))


def _last(name: str) -> str:
    plain = name.encode("utf-8", "replace").decode().replace("\\", "/").replace(":", "/")
    return posixpath.basename(plain.rstrip("/"))
