"""yarn's lockfiles from version 2 on, with .yarnrc.yml."""

from __future__ import annotations

from fuzz.projects import read, seeds_of

__all__ = ["read", "seeds"]

seeds = seeds_of("every-source/berry-*/yarn.lock")
