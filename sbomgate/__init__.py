"""sbomgate: may this build ship, given exactly what it is made of?

    import sbomgate

    checked = sbomgate.check("shop", trust="trust.toml")
    if not checked.allowed: ...

`sbomgate.library` documents the functions; importing `sbomgate` alone loads none of them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: importing typing takes longer than all the rest
if TYPE_CHECKING:
    from sbomgate.library import Checked, Verified, check, generate, verify

__version__ = "0.1.0"
__all__ = ["Checked", "Verified", "__version__", "check", "generate", "verify"]


if not TYPE_CHECKING:  # a type checker is to refuse every other name

    def __getattr__(name: str) -> object:
        """Load the library when one of its names is asked for (PEP 562): the command line starts without it."""
        if name in ("Checked", "Verified", "check", "generate", "verify"):
            from sbomgate import library

            return getattr(library, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
