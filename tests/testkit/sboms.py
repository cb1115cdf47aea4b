"""SBOMs of one graph with facts in every form: what the golden files are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sbomgate import lockfiles, sbom
from sbomgate.model import Attestation, AttestationState, Claims, DependencyGraph, PackageFacts
from sbomgate.project import DiskFiles
from sbomgate.sbom.parties import Parties, Party
from testkit.inputs import FACTS

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
TIME = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
PARTIES = Parties(
    author=Party.parse("Jane Doe <jane@acme.example>", where="test"),
    manufacturer=Party.parse("Acme Ltd <https://acme.example/sbom>", where="test"),
    supplier=Party.parse("Acme Ltd <sbom@acme.example>", where="test"),
)
PROVENANCE = Attestation(
    state=AttestationState.VERIFIED,
    reason="",
    log_proof="inclusion+SET",
    log_time=TIME,
    sha256="ab" * 32,
    claims=Claims(
        issuer="https://token.actions.githubusercontent.com",
        identity="https://github.com/o/r/.github/workflows/publish.yml@refs/heads/main",
        repository="https://github.com/o/r",
        commit="c" * 40,
    ),
)
ATTESTED = replace(FACTS, author="Ann <ann@author.example> (https://author.example/)", provenance=PROVENANCE)


def fixture(name: str) -> DependencyGraph:
    """Return the graph of a fixture: of a project (`npm/sources`), or of an SBOM that another tool made."""
    path = FIXTURES / name
    if path.is_file():
        return lockfiles.read_sbom(DiskFiles(path.parent, path.parent), path.name)
    return lockfiles.read(DiskFiles(FIXTURES / name, FIXTURES / name))


def facts_of(graph: DependencyGraph) -> dict[str, PackageFacts]:
    """Return facts for two packages of a graph: one with an author and provenance, one without either."""
    ids = [package.id for package in graph.packages if package.hashes][:2]
    return dict(zip(ids, (ATTESTED, FACTS), strict=False))


def goldens() -> dict[str, bytes]:
    """Return file name → SBOM of one project with every kind of source, in every version and format."""
    graph = fixture("npm/sources")
    return {
        f"{version}.{'xml' if xml else 'json'}": sbom.write(
            graph,
            facts_of(graph),
            timestamp=TIME,
            tool_version="0",
            parties=PARTIES,
            spec_version=version,
            xml=xml,
        )
        for version in sbom.SPEC_VERSIONS
        for xml in (False, True)
    }
