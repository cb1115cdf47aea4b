"""Small words that others wrote: purls, versions and ranges, addresses, sets of versions, times."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate import addresses, purl, times, version_set
from sbomgate.errors import SbomgateError
from sbomgate.lockfiles._reading import meets
from sbomgate.policy import lists

LINES = (
    "pkg:npm/%40acme/a@1.0.0?vcs_url=git%2Bhttps://x/y@z#sub/path",
    "git+ssh://git@github.com:22/acme/shop.git#semver:^1.0.0",
    "https://user:secret@[::1]:8443/a/-/a-1.0.0.tgz?token=x#y",
    ">=1.2.3-rc.1 <2.0.0 || ~1.x || 1.0.0 - 2.0.0 || ^0.0.1+build",
    "1.0.0-alpha.1+build.5",
    "2026-11-20T12:00:00.123Z",
    "npm:@acme/a@^1.0.0",
    "file:../a", "workspace:^", "*",
)  # fmt: skip


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a few of each, a line each."""
    for number, line in enumerate(LINES):
        yield f"{number}", line.encode()
    yield "set", version_set.encode(["1.0.0", "1.0.1", "2.0.0-rc.1", "10.2.3"]).encode()


def read(data: bytes) -> object:
    """Read it as each word; what has no meaning is said by None, a value or an error of ours."""
    text = data.decode("utf-8", "replace")[:4096]
    shown = purl.public_url(text)
    if "://user:secret@" in shown:
        raise AssertionError(f"a secret is shown: {shown}")
    found: list[object] = [
        shown,
        purl.is_iri(text),
        purl.host_of(text),
        meets("1.2.3", text, "a"),
        meets(text, "^1.0.0", "a"),
    ]
    for reader in (purl.parse, lists.order, addresses.origin, times.parse_time, version_set.decode):
        try:
            found.append(reader(text))
        except (SbomgateError, ValueError):
            continue
    return found
