"""Policies as archives, an engine's answers, and licence expressions."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sbomgate.errors import SbomgateError
from sbomgate.policy import bundle, evaluation, licences

RULE = b"package sbomgate.rules.pinned\n\n# METADATA\n# title: x\nfindings contains {} if false\n"
EXPRESSION = b"(MIT OR Apache-2.0+) AND GPL-2.0-only WITH Classpath-exception-2.0 OR LicenseRef-x"


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return a policy of one rule, unpacked, an answer, and an expression."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules").mkdir()
        (Path(folder) / "decision.rego").write_bytes(b"package sbomgate.decision\n")
        (Path(folder) / "rules" / "pinned.rego").write_bytes(RULE)
        yield "small.tar", gzip.decompress(bundle.to_tar(bundle.load(Path(folder))))
    answer = {
        "schema": "sbomgate/evaluation/v1", "verdict": "allowed", "profile": "default", "packages": 1, "findings": [],
        "rules": sorted(bundle.shipped().rules), "waived_by": {}, "unused_waivers": [],
    }  # fmt: skip
    yield "answer.json", json.dumps(answer, indent=1).encode()
    yield "expression", EXPRESSION


def read(data: bytes) -> object:
    """Read it as each."""
    licences.ways(data.decode("utf-8", "replace"))
    known = bundle.shipped()
    try:
        return evaluation.read(data, known, packages=1, profile="default")
    except SbomgateError:
        return bundle.from_tar(bundle._gzip(data))
