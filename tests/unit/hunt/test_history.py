"""Of each version of a lockfile in a history what is new is searched: nothing is missed that a search of all finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate.hunt import Wanted, lockfile
from testkit.hunting import INTEGRITY, address

LINES = (
    '    "node_modules/axios": {', '    "node_modules/left-pad": {', '      "version": "1.14.1",', "    },", "  },",
    "}", '      "name": "axios",', '"axios@^1.0.0", axios@^1.1.0:', '  version "1.14.1"',
    '  resolution: "axios@npm:1.14.1"',
    "  /axios/1.14.1:", "  /axios@1.14.1(peer@1.0.0):", "  axios@1.14.1:", "  axios@1.14.10:", "", "\r", "  ",
    f'  resolved "{address("axios", "1.14.1")}#abc"', f'      "integrity": "{INTEGRITY}"', '      "\\u0061xios": 1',
    '{"node_modules/axios":{"version":"1.14.1"}},', '    "axios": { "version": "1.14.1" },',
)  # fmt: skip
NAMES = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock")
TEXTS = st.lists(st.sampled_from(LINES), max_size=12).map("\n".join)


def wanted(pairs: tuple[tuple[bytes, bytes], ...] = ()) -> Wanted:
    return Wanted(
        ids=lambda name, version: ("MAL-1",) if (name, version) == ("axios", "1.14.1") else (),
        integrities=frozenset({INTEGRITY}),
        pairs=pairs,
    )


def searched(name: str, data: bytes) -> bool:
    """Whether a search of the whole text finds something, or what it cannot exclude."""
    patterns, _ = lockfile._KINDS[name]
    return b"\\u" in data or any(lockfile._by_text(data, patterns, wanted()))


@pytest.mark.parametrize("pairs", [(), ((b"axios", b"1.14.1"),)], ids=["many names", "few names"])
@given(name=st.sampled_from(NAMES), versions=st.lists(TEXTS, min_size=1, max_size=4))
def test_nothing_is_missed(pairs: tuple[tuple[bytes, bytes], ...], name: str, versions: list[str]) -> None:
    seen = lockfile.Seen()
    for text in versions:
        data = text.encode()
        assert seen.has_nothing(name, data, wanted(pairs)) is not searched(name, data)


def test_a_piece_that_was_harmless_in_another_kind_of_lockfile() -> None:
    """As YAML this is a key; as a package-lock.json it is the package."""
    data = b'"node_modules/axios": {\n"version": "1.14.1"'
    seen = lockfile.Seen()
    assert seen.has_nothing("pnpm-lock.yaml", data, wanted())
    assert not seen.has_nothing("package-lock.json", data, wanted())
    assert not seen.has_nothing("package-lock.json", data, wanted()), "what was found is found again"


def test_what_is_not_remembered_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockfile, "MAX_PIECES", 1)
    seen = lockfile.Seen()
    assert seen.has_nothing("yarn.lock", b"a\n\nb\n\nc", wanted())
    assert not seen.has_nothing("yarn.lock", b'a\n\nb\n\nc\n\n  resolution: "axios@npm:1.14.1"', wanted())
