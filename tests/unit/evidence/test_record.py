"""A record that exists is consistent: its parts are those that the signed detail names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from sbomgate.decision import material, write_detail, write_summary
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import Record, check_names, index, manifests
from sbomgate.model import Verdict
from testkit.evidence import BLOBS, OTHER_TARBALL, TARBALL, decision, key, record

GOOD = record()


def test_the_files_an_auditor_finds() -> None:
    assert list(GOOD.files()) == sorted(
        [*BLOBS, "decision.json", "decision.sigstore.json", "vsa.json", "vsa.sigstore.json"]
    )
    assert "vsa.json" not in record(profile="observe").files()


def test_P22_the_files_have_the_digests_that_are_said() -> None:
    for one in (GOOD, record(profile="observe")):
        assert one.digests() == {name: hashlib.sha256(data).hexdigest() for name, data in one.files().items()}
        assert list(one.digests()) == sorted(one.digests())
        assert (one.summary_claimed is None) is (one.summary is None)


def test_a_record_s_names_stay_in_their_folder() -> None:
    """Whoever signs such a name had no way to have it stored."""
    with pytest.raises(EvidenceError, match="plain relative path"):
        record(blobs={**BLOBS, "../x": ("text/plain", b"x")})


@pytest.mark.parametrize("name", BLOBS)
def test_each_blob_is_needed_and_unaltered(name: str) -> None:
    missing = {n: d for n, d in GOOD.blobs.items() if n != name}
    longer = {**GOOD.blobs, name: GOOD.blobs[name] + b" "}
    altered = {**GOOD.blobs, name: GOOD.blobs[name][:-1] + b"?"}
    for blobs in (missing, longer, altered):
        with pytest.raises(EvidenceError) as e:
            Record(detail=GOOD.detail, summary=GOOD.summary, blobs=blobs)
        assert e.value.where == name


def test_a_material_by_its_name() -> None:
    assert GOOD.material("sbom.cdx.json") == BLOBS["sbom.cdx.json"][1]
    with pytest.raises(EvidenceError, match="does not hold this file"):
        GOOD.material("project/package-lock.json")


def test_P22_a_blob_has_the_size_that_was_signed() -> None:
    """Also where whoever makes the record has compared the digests already."""
    made = decision()
    materials = tuple(replace(one, size=one.size + 1) if one.stored else one for one in made.materials)
    detail = key().sign(write_detail(replace(made, materials=materials)))
    summary = key().sign(write_summary(replace(made, materials=materials), detail) or b"")
    for hashed in (True, False):
        with pytest.raises(EvidenceError, match="bytes, the decision names"):
            Record(detail=detail, summary=summary, blobs=GOOD.blobs, hashed=hashed)


def test_nothing_else_is_taken() -> None:
    with pytest.raises(EvidenceError):
        Record(detail=GOOD.detail, summary=GOOD.summary, blobs={**GOOD.blobs, "waiver.json": b"{}"})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(record(subject=OTHER_TARBALL), id="another subject"),
        pytest.param(record(environment="staging"), id="another environment"),
        pytest.param(record(verdict=Verdict.DENIED), id="another verdict"),
        pytest.param(record(policy="ee" * 32), id="another policy"),
        pytest.param(record(key(2)), id="another signer"),
    ],
)
def test_two_decisions_cannot_be_spliced(other: Record) -> None:
    with pytest.raises(EvidenceError):
        Record(detail=GOOD.detail, summary=other.summary, blobs=GOOD.blobs)


def test_P8_observe_cannot_be_given_a_summary_nor_the_rest_lose_it() -> None:
    observed = record(profile="observe")
    with pytest.raises(EvidenceError):
        Record(detail=observed.detail, summary=GOOD.summary, blobs=observed.blobs)
    with pytest.raises(EvidenceError, match="summary"):
        Record(detail=GOOD.detail, summary=None, blobs=GOOD.blobs)


def test_a_summary_that_passes_a_denied_decision_is_refused() -> None:
    """The signer's own mistake, rightly signed, is still no evidence."""
    denied = decision(verdict=Verdict.DENIED)
    detail = key().sign(write_detail(denied))
    passed = write_summary(decision(), detail)
    assert passed is not None
    with pytest.raises(EvidenceError):
        Record(detail=detail, summary=key().sign(passed), blobs=GOOD.blobs)


@pytest.mark.parametrize(
    "names",
    [
        ["../x"], ["a/../b"], ["/etc/passwd"], ["a//b"], [""], ["."], [".hidden"], ["a/.tmp-b"], ["a\\b"], ["a\0b"],
        ["a\nb"], ["a b"], ["x" * 201], ["/".join("abcdefghijklmnopq")],
        ["decision.json"], ["VSA.json"], ["a", "A"], ["a", "a/b"],
        ["é"],
    ],
    ids=repr,
)  # fmt: skip
def test_names_stay_in_their_folder(names: list[str]) -> None:
    extra = [material(name, b"x", "text/plain") for name in names]
    made = decision()
    with pytest.raises(EvidenceError):
        check_names(replace(made, materials=(*made.materials, *extra)))
    unstored = [replace(m, stored=False) for m in extra]
    check_names(replace(made, materials=(*made.materials, *unstored)))


def test_P38_manifests_are_a_function_of_the_record() -> None:
    assert manifests(record()) == manifests(record())
    found = {m.sha256: m for m in manifests(GOOD)}
    listed = json.loads(index(GOOD.build, found))
    first, *rest = listed["manifests"]
    assert first["annotations"] == {
        "org.opencontainers.image.ref.name": "build",
        "kind": "dev.cosignproject.cosign/image",
    }
    assert sorted(m["artifactType"] for m in rest) == [
        "application/vnd.cyclonedx+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.sbomgate.record.v1+json",
    ]


def test_a_referrer_has_the_shape_that_tools_read() -> None:
    found = [json.loads(m.data) for m in manifests(GOOD)]
    build = record(subject=TARBALL).build
    for manifest in found:
        assert manifest["schemaVersion"] == 2
        assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
        assert manifest["config"] == {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        }
        assert manifest["subject"] == {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": f"sha256:{build.sha256}",
            "size": len(build.data),
        }
    record_ = next(m for m in found if m["artifactType"] == "application/vnd.sbomgate.record.v1+json")
    named = {one["annotations"]["org.opencontainers.image.title"]: one["digest"] for one in record_["layers"]}
    in_others = ("sbom.cdx.json", "decision.sigstore.json", "vsa.sigstore.json")
    assert named == {name: f"sha256:{d}" for name, d in GOOD.digests().items() if name not in in_others}
    bundles = [m for m in found if m["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"]
    assert [m["annotations"]["dev.sigstore.bundle.predicateType"] for m in bundles] == [
        "https://sbomgate.dev/decision/v1",
        "https://slsa.dev/verification_summary/v1",
    ]
    assert {m["annotations"]["org.opencontainers.image.created"] for m in bundles} == {"2026-11-20T11:00:00Z"}


def test_P37_evidence_of_an_image_refers_to_the_image() -> None:
    about = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{'ab' * 32}", "size": 7}
    assert [json.loads(m.data)["subject"] for m in manifests(GOOD, about)] == [about] * 4
