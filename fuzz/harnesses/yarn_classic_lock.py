"""yarn 1's lockfile, .yarnrc and .npmrc."""

from __future__ import annotations

from fuzz.projects import read, seeds_of

__all__ = ["read", "seeds"]

seeds = seeds_of("every-source/yarn-*/yarn.lock")
