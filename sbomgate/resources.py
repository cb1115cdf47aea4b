"""The files that travel with the package: policies, schemas, the embedded engine, the trust root.

In an installed wheel they lie in `sbomgate/_data`; in a source tree they lie at its top. Nothing else is looked at.
"""

from __future__ import annotations

from pathlib import Path

from sbomgate.errors import SbomgateError

_PACKAGE = Path(__file__).resolve().parent


def path(*parts: str) -> Path:
    """Return the path of a shipped file or folder (`path("policies", "decision.rego")`).

    Raises:
        SbomgateError: it is not there: the installation is incomplete.
    """
    installed = _PACKAGE / "_data"
    if installed.is_dir():
        root = installed
    elif (_PACKAGE.parent / "pyproject.toml").is_file():
        root = _PACKAGE.parent
    else:
        root = installed
    found = root.joinpath(*parts)
    if not found.exists():
        raise SbomgateError(
            f"{'/'.join(parts)} is missing from this installation",
            where=str(root),
            hint="install sbomgate again (pip install --force-reinstall sbomgate)",
        )
    return found
