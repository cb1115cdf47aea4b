"""npm's lockfiles, versions 1 to 3, and a shrinkwrap; package.json and .npmrc beside them."""

from __future__ import annotations

from fuzz.projects import read, seeds_of

__all__ = ["read", "seeds"]

seeds = seeds_of("every-source/npm-*/package-lock.json", "npm/*/npm-shrinkwrap.json")
