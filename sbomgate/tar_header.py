"""What `tarfile` holds in memory of a header before anybody can look at its member. A leaf."""

from __future__ import annotations

import tarfile

_EXTENDED = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)


def is_over(header: tarfile.TarInfo, limit: int) -> bool:
    """Whether a header announces more than `limit` bytes of extension (pax, GNU long names): read at once (P9)."""
    return header.type in _EXTENDED and header.size > limit
