"""Attaching a decision to a registry on loopback: `python benchmarks/attach.py`. The bar is 100 ms with referrers API.

It needs the registries of tools/install_registry_parts.sh on PATH. Each round attaches a decision with an SBOM of
200 kB to a new build, and reads all of it back, as `gate` does; then finds it, as `verify` does.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sbomgate.evidence import registry  # noqa: E402
from sbomgate.evidence.registry_client import Client, repository  # noqa: E402
from sbomgate.model import Subject, SubjectKind  # noqa: E402
from sbomgate.transport import open_client  # noqa: E402
from testkit import evidence, oci_registries  # noqa: E402

ROUNDS, BAR = 15, 0.100
BLOBS = {**evidence.BLOBS, "sbom.cdx.json": ("application/vnd.cyclonedx+json", b"{" + b" " * 200_000 + b"}")}


def main() -> int:
    """Measure, print, and return 1 where the bar is missed."""
    print("| registry | attach, clock | attach, our processor | find, clock |\n|---|---|---|---|")
    with oci_registries.referrers_registry() as host:
        figure = _measure("go-containerregistry's, referrers API, in memory", host)
    with tempfile.TemporaryDirectory() as folder, oci_registries.docker_registry(Path(folder)) as host:
        _measure("docker-registry, fallback tag, on disk", host)
    return 1 if figure > BAR else 0


def _measure(name: str, host: str) -> float:
    attached, processor, found = [], [], []
    with open_client() as http:
        client = Client(http, repository(f"{host}/acme/evidence"), lambda: None, writes=True)
        for number in range(ROUNDS + 1):
            subject = Subject(kind=SubjectKind.FILE, name="app.tgz", digest={"sha256": f"{number:064x}"})
            record = evidence.record(subject=subject, blobs=BLOBS)
            begin, cpu = time.perf_counter(), time.process_time()
            registry.attach(client, subject, [record])
            middle = time.perf_counter()
            processor.append(time.process_time() - cpu)
            assert registry.find(client, subject)[0].id == record.id
            attached.append(middle - begin)
            found.append(time.perf_counter() - middle)
    medians = [statistics.median(one[1:]) for one in (attached, processor, found)]  # the first connects
    print(f"| {name} | {' | '.join(f'{seconds * 1000:.0f} ms' for seconds in medians)} |")
    return medians[0]


if __name__ == "__main__":
    sys.exit(main())
