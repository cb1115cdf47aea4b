"""pnpm's lockfiles, versions 5.4, 6 and 9, with its workspace file."""

from __future__ import annotations

from fuzz.projects import read, seeds_of

__all__ = ["read", "seeds"]

seeds = seeds_of("every-source/pnpm-*/pnpm-lock.yaml")
