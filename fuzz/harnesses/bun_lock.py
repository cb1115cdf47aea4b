"""bun.lock, versions 0 to 2, with bunfig.toml."""

from __future__ import annotations

from fuzz.projects import read, seeds_of

__all__ = ["read", "seeds"]

seeds = seeds_of("every-source/bun-*/bun.lock")
