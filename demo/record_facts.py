"""Records the facts of the demo's project into demo/shop/facts.json: run once by a maintainer, needs the network.

What the registry says of each package, and what each tarball says; the tarballs are hashed against the lockfile. The
demo signs the recording with a key of its own when it runs.

usage: python demo/record_facts.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sbomgate import facts, lockfiles
from sbomgate.npm.collect import Sources, collect
from sbomgate.npm.registry import open_client
from sbomgate.npm.wanted import wanted
from sbomgate.project import DiskFiles

SHOP = Path(__file__).resolve().parent / "shop"


def main() -> None:
    """Collect and write."""
    graph = lockfiles.read(DiskFiles(SHOP))
    sources = Sources(now=datetime.now(UTC).replace(microsecond=0), offline=False, client=open_client)
    collected = collect(wanted(graph), sources=sources, progress=lambda done, all_: print(f"{done} of {all_}"))
    (SHOP / "facts.json").write_bytes(facts.dumps(collected))


if __name__ == "__main__":
    main()
