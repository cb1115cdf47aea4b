"""Evidence in a registry that forgets, lies, lists late and holds strangers' things: found, refused, or no matter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sbomgate import dsse
from sbomgate.decision import DETAIL_TYPE, EXTENSION, SUMMARY_TYPE
from sbomgate.errors import EvidenceError, FetchError
from sbomgate.evidence import registry
from sbomgate.evidence.head import View
from sbomgate.evidence.record import DECISION, RECORD_MEDIA_TYPE, SBOM_MEDIA_TYPE, Record, manifests
from sbomgate.evidence.registry_client import Client, Repository, repository
from sbomgate.evidence.revocation import Revocation, write
from sbomgate.evidence.verify import VerificationResult, verify_build
from sbomgate.model import Subject, SubjectKind, Verdict
from sbomgate.subject import EMPTY_BLOB, EMPTY_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, build_manifest, canonical, descriptor
from testkit.evidence import COMMIT, NOW, OTHER_TARBALL, POLICY, TARBALL, key, record, trusting
from testkit.oci_simulator import INDEX, Asked, Reply, Simulator, sha256, simulator

ABOUT = f"sha256:{build_manifest(TARBALL).sha256}"
TAG = ABOUT.replace(":", "-")


@dataclass
class Bench:
    """A registry and a client of it."""

    registry: Simulator
    client: Client
    waited: list[float] = field(default_factory=list)

    def attach(self, *records: Record, subject: Subject = TARBALL) -> None:
        registry.attach(self.client, subject, records, sleep=self.waited.append)

    def find(self, subject: Subject = TARBALL) -> tuple[Record, ...]:
        return registry.find(self.client, subject)

    def verify(self, subject: Subject = TARBALL) -> VerificationResult:
        return verify_build(self.find(subject), subject, trusting(), now=NOW, shipped_policy=POLICY)

    def add(self, manifest: dict[str, Any], **changes: Any) -> str:
        """Attach a manifest as anybody who may push can: everything is ours but for `changes`."""
        data = canonical({**manifest, **changes})
        self.registry.manifests[sha256(data)] = (MANIFEST_MEDIA_TYPE, data)
        if not self.registry.api:
            entries = self.listed()
            entries.append({"digest": sha256(data), "size": len(data), "mediaType": MANIFEST_MEDIA_TYPE})
            self.write_tag(entries)
        return sha256(data)

    def listed(self) -> list[dict[str, Any]]:
        """What stands under the fallback tag."""
        found: list[dict[str, Any]] = json.loads(self.registry.manifests[TAG][1])["manifests"]
        return found

    def write_tag(self, entries: list[dict[str, Any]]) -> None:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        self.registry.manifests[TAG] = (INDEX, canonical(index))


@contextmanager
def bench(**settings: Any) -> Iterator[Bench]:
    with simulator(**settings) as one, httpx.Client(trust_env=False, timeout=60, verify=False) as http:
        at = repository(f"{one.host}/acme/evidence")
        yield Bench(one, Client(http, at, lambda: None, writes=True, sleep=lambda _: None))


@pytest.fixture(params=[True, False], ids=["api", "tag"])
def each(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(api=request.param) as one:
        yield one


def same(found: tuple[Record, ...], *expected: Record) -> bool:
    return [one.files() for one in found] == [one.files() for one in expected]


def test_what_is_attached_is_found_byte_for_byte(each: Bench) -> None:
    """P37, P41."""
    new, old = record(), record(age=timedelta(hours=2), verdict=Verdict.DENIED)
    observed = record(age=timedelta(hours=3), profile="observe")
    assert each.find() == ()
    each.attach(new)
    each.attach(old, observed)
    assert same(each.find(), new, old, observed)
    assert each.waited == []
    assert each.find(OTHER_TARBALL) == ()
    assert each.registry.count("PUT", "/manifests/build-") == 1, "a registry may keep a tag for ever"
    # the same again sends nothing
    writes = sum(one.method != "GET" for one in each.registry.asked)
    each.attach(new, old, observed)
    assert sum(one.method != "GET" for one in each.registry.asked) == writes
    if not each.registry.api:
        assert each.registry.count("PUT", TAG) == 2, "the tag is written once for all of a call"


def test_the_digests_are_those_of_the_layout(each: Bench) -> None:
    one = record()
    each.attach(one)
    served = {
        name for name, (kind, _) in each.registry.manifests.items() if name.startswith("sha256:") and kind != INDEX
    }
    assert served == {f"sha256:{m.sha256}" for m in manifests(one)} | {ABOUT}
    assert each.registry.manifests[f"build-{build_manifest(TARBALL).sha256}"][1] == build_manifest(TARBALL).data
    assert set(each.registry.blobs) == {
        *map(sha256, one.files().values()), sha256(EMPTY_BLOB), sha256(build_manifest(TARBALL).blob)
    }  # fmt: skip


def test_a_commit_and_an_image_have_their_own_places(each: Bench) -> None:
    store = Repository(host="registry.example", name="acme/evidence")
    assert registry.home(COMMIT, store) == registry.home(TARBALL, store) == store
    image = canonical({"schemaVersion": 2, "manifests": []})
    subject = Subject(kind=SubjectKind.OCI, name=f"{each.registry.host}/acme/web", digest={"sha256": sha256(image)[7:]})
    assert registry.home(subject, store) == Repository(host=each.registry.host, name="acme/web")
    one = record(subject=subject)
    with pytest.raises(EvidenceError, match="no such image"):
        each.attach(one, subject=subject)
    assert each.registry.count("PUT") == each.registry.count("POST") == 0
    each.registry.manifests[sha256(image)] = (INDEX, image)
    each.attach(one, subject=subject)
    assert same(each.find(subject), one)
    for entry in registry_entries(each, sha256(image)):
        about = json.loads(each.registry.manifests[entry][1])["subject"]
        assert about == descriptor(INDEX, image)  # its own word, which this one leaves out, or what it looks like
    each.attach(record(subject=COMMIT), subject=COMMIT)
    assert each.verify(COMMIT).accepted


def registry_entries(one: Bench, digest: str) -> frozenset[str]:
    return one.client.referrers(digest).digests


# --------------------------------------------------------------------------------------------------------------------
# A registry that does not keep what it took


def lost(match: Callable[[Asked], bool]) -> Callable[[Simulator], Callable[[Asked], Reply | None]]:
    """A registry that says "created" to a request and keeps nothing of it."""
    return lambda _: lambda asked: Reply(status=201) if match(asked) else None


def altered(one: Simulator) -> Callable[[Asked], Reply | None]:
    def fault(asked: Asked) -> Reply | None:
        reply = one.serve(asked)
        if asked.method == "GET" and "/blobs/" in asked.path and reply.status == 200 and len(reply.body) > 2:
            return replace(reply, body=reply.body[:-1] + b"~")
        return None

    return fault


def late(one: Simulator) -> Callable[[Asked], Reply | None]:
    def fault(asked: Asked) -> Reply | None:
        listing = "/referrers/" in asked.path or TAG in asked.path
        if asked.method == "GET" and listing and sum("/referrers/" in a.path for a in one.asked) < 5:
            return Reply(headers={"Content-Type": INDEX}, body=canonical({"schemaVersion": 2, "manifests": []}))
        return None

    return fault


FORGETS: dict[str, tuple[Callable[[Simulator], Callable[[Asked], Reply | None]], type[Exception], str]] = {
    "a blob": (
        lost(lambda a: a.method == "POST" and a.body == b'{"facts":[]}'),
        EvidenceError,
        "the registry has no sha256:",
    ),
    "the build manifest": (lost(lambda a: "build-" in a.path), EvidenceError, f"the registry has no {ABOUT}"),
    "a referrer": (
        lost(lambda a: a.method == "PUT" and RECORD_MEDIA_TYPE.encode() in a.body and b'"layers"' in a.body),
        EvidenceError,
        "sha256:",
    ),
    "every byte": (altered, EvidenceError, "altered"),
}


@pytest.mark.parametrize(("fault", "error", "says"), FORGETS.values(), ids=FORGETS)
def test_what_a_registry_does_not_serve_is_not_attached(
    each: Bench, fault: Any, error: type[Exception], says: str
) -> None:
    """P37: absent or different is no success, whatever the registry said when it took it."""
    each.registry.fault = fault(each.registry)
    with pytest.raises(error) as refused:
        each.attach(record())
    assert says in str(refused.value)
    # and the same again, to a registry that works, repairs it
    each.registry.fault = None
    each.attach(record())
    assert each.verify().accepted


def test_a_list_may_be_late() -> None:
    with bench() as one:
        one.registry.fault = late(one.registry)
        one.attach(record())
        assert one.waited == [0.2, 0.5, 1.0]
        assert same(one.find(), record())


def test_a_list_that_never_comes_is_an_error() -> None:
    with bench() as one:
        empty = Reply(headers={"Content-Type": INDEX}, body=canonical({"schemaVersion": 2, "manifests": []}))
        one.registry.fault = lambda asked: empty if "/referrers/" in asked.path else None
        with pytest.raises(EvidenceError, match="written, and afterwards the registry does not list sha256:"):
            one.attach(record())
        assert one.waited == [0.2, 0.5, 1.0, 2.0]


def test_another_writer_of_the_tag_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """P41: an entry that another writer threw out is written again; his stays."""
    with bench(api=False) as one:
        others = record(age=timedelta(hours=5))
        one.attach(others)
        theirs = one.registry.manifests[TAG]
        thrown: list[Reply] = []

        def fault(asked: Asked) -> Reply | None:
            if asked.method == "PUT" and TAG in asked.path and not thrown:
                thrown.append(one.registry.serve(asked))
                one.registry.manifests[TAG] = theirs
                return thrown[0]
            return None

        one.registry.fault = fault
        one.attach(record())
        assert same(one.find(), record(), others)


def test_a_tag_that_cannot_be_written_now_is_written_later() -> None:
    """docker-registry answers 400 while another writer is at the tag; a registry that always does says so."""
    with bench(api=False) as one:
        busy = Reply(status=400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        one.registry.fault = lambda a: busy if a.method == "PUT" and TAG in a.path and len(one.waited) < 2 else None
        one.attach(record())
        assert one.waited == [0.2, 0.5]
        assert one.verify().accepted
        one.registry.fault = lambda a: busy if a.method == "PUT" and TAG in a.path else None
        with pytest.raises(EvidenceError, match=r"does not list .*answers 400 DIGEST_INVALID"):
            one.attach(record(age=timedelta(hours=2)))


# --------------------------------------------------------------------------------------------------------------------
# Reading what others may have written


def test_the_newest_decides_and_a_failed_one_beats_it(each: Bench) -> None:
    """P19, from a registry as from disk."""
    each.attach(record(age=timedelta(hours=3)))
    assert each.verify().accepted
    each.attach(record(age=timedelta(hours=2), verdict=Verdict.DENIED))
    assert [one.code for one in each.verify().reasons] == ["failed"]
    each.attach(record(age=timedelta(hours=1), environment="staging"))
    each.attach(record(key(2), age=timedelta(minutes=1)))
    result = each.verify()
    assert result.accepted
    assert any("does not count" in note for note in result.notes), "a stranger's is told and does not count"


STRANGERS: dict[str, dict[str, Any]] = {
    "another type": {"artifactType": "application/vnd.example.scan+json"},
    "another type as its config": {
        "artifactType": None,
        "config": {"mediaType": "application/vnd.cncf.notary.signature"},
    },
    "no layers": {"layers": "none"},
    "layers that are none": {"layers": ["x", {"mediaType": dsse.BUNDLE_MEDIA_TYPE}]},
    "a layer with a digest that is none": {
        "layers": [{"mediaType": dsse.BUNDLE_MEDIA_TYPE, "digest": "sha256:../../../x", "size": 10}]
    },
    "a layer without an end": {
        "layers": [{"mediaType": dsse.BUNDLE_MEDIA_TYPE, "digest": ABOUT, "size": dsse.MAX_BUNDLE_BYTES + 1}]
    },
    "about something else": {"subject": descriptor(MANIFEST_MEDIA_TYPE, b"other")},
    "a record of nothing": {"artifactType": RECORD_MEDIA_TYPE, "annotations": {}},
    "a record of something else": {"artifactType": RECORD_MEDIA_TYPE, "annotations": {DECISION: "x" * 100_000}},
}


@pytest.mark.parametrize("changes", STRANGERS.values(), ids=STRANGERS)
def test_what_strangers_attach_is_no_matter(each: Bench, changes: dict[str, Any]) -> None:
    each.attach(record())
    (ours,) = (json.loads(m.data) for m in manifests(record()) if DETAIL_TYPE in m.data.decode())
    each.add({name: value for name, value in {**ours, **changes}.items() if value is not None})
    assert same(each.find(), record())


def bundle(predicate_type: str, predicate: object, *, number: int = 2) -> bytes:
    statement = dsse.statement([("x", dict(TARBALL.digest))], predicate_type, predicate)
    return key(number).sign(statement)


BUNDLES: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"<html>", ""),
    "a signature of a message": (b'{"messageSignature":{}}', ""),
    "another predicate": (bundle("https://slsa.dev/provenance/v1", {}), ""),
    "another predicate with a word of ours": (bundle("https://example.test/v1", {EXTENSION + "profile": "x"}), ""),
    "another verifier's summary": (bundle(SUMMARY_TYPE, {"verifier": {"id": "https://other.example"}}), ""),
    "a decision that is none": (bundle(DETAIL_TYPE, {}), "predicate"),
    "a summary that is none": (bundle(SUMMARY_TYPE, {EXTENSION + "profile": "default"}), "inputAttestations"),
}


@pytest.mark.parametrize(("data", "says"), BUNDLES.values(), ids=BUNDLES)
def test_bundles_that_are_not_ours(each: Bench, data: bytes, says: str) -> None:
    """What claims to be a decision and cannot be read may be a newer FAILED one: that is no answer (P1, P19)."""
    each.attach(record())
    (ours,) = (json.loads(m.data) for m in manifests(record()) if DETAIL_TYPE in m.data.decode())
    each.registry.blobs[sha256(data)] = data
    each.add(ours, layers=[descriptor(dsse.BUNDLE_MEDIA_TYPE, data)], annotations={})
    if not says:
        assert same(each.find(), record())
        return
    with pytest.raises(EvidenceError) as refused:
        each.find()
    assert says in str(refused.value)


def test_another_summary_of_a_decision_takes_nothing_away(each: Bench) -> None:
    """Whoever may push can sign a summary of a FAILED decision: it stays FAILED (P19)."""
    passed, failed = record(age=timedelta(hours=2)), record(verdict=Verdict.DENIED)
    theirs = record(verdict=Verdict.DENIED, summary_key=key(2))
    assert theirs.id == failed.id
    each.attach(passed, failed)
    each.attach(theirs)
    result = each.verify()
    assert [one.code for one in result.reasons] == ["failed"]
    assert any("its summary is" in note for note in result.notes)


def test_what_a_list_names_and_refers_to_something_else_is_no_matter() -> None:
    with bench(api=False) as one:
        one.attach(record())
        one.attach(record(subject=OTHER_TARBALL, verdict=Verdict.DENIED), subject=OTHER_TARBALL)
        theirs = one.client.referrers(f"sha256:{build_manifest(OTHER_TARBALL).sha256}").entries
        one.write_tag([*one.listed(), *map(dict, theirs)])
        assert same(one.find(), record())


def test_a_decision_in_part_is_an_error(each: Bench) -> None:
    """P37, P41: what is left of a decision shows that the rest is held back."""
    denied = record(verdict=Verdict.DENIED, age=timedelta(minutes=1))
    each.attach(record(), denied)
    kept = dict(each.registry.manifests)
    for referrer in manifests(denied):
        name = f"sha256:{referrer.sha256}"
        del each.registry.manifests[name]
        if not each.registry.api:
            if SBOM_MEDIA_TYPE.encode() not in referrer.data[:200]:  # the SBOM is found as a blob all the same
                with pytest.raises(EvidenceError, match="listed by the registry, and not there"):
                    each.find()
            each.write_tag([one for one in each.listed() if one["digest"] != name])
        if DETAIL_TYPE.encode() in referrer.data:
            with pytest.raises(EvidenceError, match="attached in part"):
                each.find()
        elif SUMMARY_TYPE.encode() in referrer.data:
            with pytest.raises(EvidenceError, match="the summary of this decision is missing") as refused:
                each.find()
            assert f"{each.client.repository}@{ABOUT}: {denied.id}: " in refused.value.where
        else:
            assert [one.code for one in each.verify().reasons] == ["failed"]
        each.registry.manifests = dict(kept)


def revocation(number: int = 1, *, decision: str) -> bytes:
    said = Revocation(decision=decision, signer=None, issued_at=NOW, reason="a compromised runner")
    return key(number).sign(write(said))


def test_revocations_stand_beside_the_builds(each: Bench) -> None:
    """P19, from a registry as from disk; two that revoke at the same time take nothing from each other."""
    assert registry.revocations(each.client) == {}
    one = record()
    each.attach(one)
    mine, theirs = revocation(decision=one.id), revocation(2, decision=one.id)
    registry.attach_revocations(each.client, [mine], sleep=each.waited.append)
    registry.attach_revocations(each.client, [theirs, mine], sleep=each.waited.append)
    found = registry.revocations(each.client)
    assert found == {sha256(bundle)[7:]: bundle for bundle in (mine, theirs)}
    assert same(each.find(), one)
    view = View(bundle=None, where="", entries=(), revocations=found)
    result = verify_build(each.find(), TARBALL, trusting(), now=NOW, shipped_policy=POLICY, view=view)
    assert [reason.code for reason in result.reasons] == ["revoked"]
    assert any("revocation" in note and "does not count" in note for note in result.notes), "a stranger's does not"


def test_a_revocation_that_is_altered_or_gone_is_an_error(each: Bench) -> None:
    mine = revocation(decision="ab" * 32)
    registry.attach_revocations(each.client, [mine])
    each.registry.blobs[sha256(mine)] = mine[:-1] + b" "
    with pytest.raises(EvidenceError, match="altered"):
        registry.revocations(each.client)
    del each.registry.blobs[sha256(mine)]
    with pytest.raises(EvidenceError, match="not there"):
        registry.revocations(each.client)
    registry.attach_revocations(each.client, [mine])
    assert list(registry.revocations(each.client).values()) == [mine]


def test_evidence_without_end_is_refused(each: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    each.attach(record())
    monkeypatch.setattr(registry, "MAX_EVIDENCE_BYTES", 100)
    with pytest.raises(EvidenceError, match="more than 100 bytes"):
        each.find()


def test_P9_the_bundles_and_what_they_name_have_a_limit_each(each: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    each.attach(record())
    (found,) = registry.statements(each.client, ABOUT)
    monkeypatch.setattr(registry, "MAX_EVIDENCE_BYTES", 50)
    with pytest.raises(EvidenceError, match="more than 50 bytes"):
        registry.whole(each.client, found)
    with pytest.raises(EvidenceError, match="more than 50 bytes"):
        registry.statements(each.client, ABOUT)


def test_what_an_inventory_reads(each: Bench) -> None:
    """The statements alone, and what one of them names when it is asked for."""
    new, old = record(), record(age=timedelta(hours=2), verdict=Verdict.DENIED)
    each.attach(new, old)
    found = {one.id: one for one in registry.statements(each.client, ABOUT)}
    assert found.keys() == {new.id, old.id}
    material = "/blobs/" + sha256(new.blobs["facts.json"])
    reads = each.registry.count("GET", material)
    assert registry.whole(each.client, found[old.id]).files() == old.files()
    assert each.registry.count("GET", material) == reads + 1
    assert registry.statements(each.client, sha256(b"nothing")) == ()


def test_what_evidence_may_refer_to_is_found_by_its_tags(each: Bench) -> None:
    """A build manifest by its own, an image by its own or by that of an index that lists it, and nothing twice."""
    each.attach(record())
    registry.attach_revocations(each.client, [revocation(decision="ab" * 32)])
    image, part = canonical({"schemaVersion": 2, "n": 1}), sha256(b"a part of an index")
    listing = canonical({"manifests": [{"digest": part}, {"digest": "sha512:ab"}, {"digest": 7}, "x"]})
    for tag, kind, data in (("v1", MANIFEST_MEDIA_TYPE, image), ("all", INDEX, listing), ("odd", INDEX, b"[]")):
        each.registry.manifests[tag] = (kind, data)
    each.registry.page = 2
    assert registry.listed(each.client) == tuple(sorted({ABOUT, sha256(image), sha256(listing), sha256(b"[]"), part}))
    # A tag that is gone when it is asked for was removed meanwhile.
    gone = Reply(status=404)
    each.registry.fault = lambda asked: gone if asked.path.endswith("/manifests/v1") else None
    assert sha256(image) not in registry.listed(each.client)


def test_a_repository_that_is_not_there_lists_nothing() -> None:
    with bench(fault=lambda _: Reply(status=404)) as one:
        assert registry.listed(one.client) == ()


IMAGE = "sha256:" + "3f" * 32


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        pytest.param({"manifests": ["x", {"digest": "sha256:" + "4f" * 32}, {"digest": IMAGE}]}, "", id="listed"),
        pytest.param({"manifests": ["x", {}, {"digest": "sha256:" + "4f" * 32}]}, f"does not list {IMAGE}", id="not"),
        pytest.param({"manifests": [IMAGE]}, f"does not list {IMAGE}", id="no descriptor"),
        pytest.param({"manifests": {"digest": IMAGE}}, f"does not list {IMAGE}", id="no list"),
        pytest.param({"layers": [{"digest": IMAGE}]}, f"does not list {IMAGE}", id="a layer"),
    ],
)
def test_P12_an_index_must_list_the_image_that_is_verified_for_it(each: Bench, listing: Any, says: str) -> None:
    data = canonical(listing)
    name = f"{each.registry.host}/acme/evidence"
    index, image = (
        Subject(kind=SubjectKind.OCI, name=name, digest={"sha256": one[7:]}) for one in (sha256(data), IMAGE)
    )
    with pytest.raises(EvidenceError, match="no such index"):
        registry.must_list(each.client, index, image)
    each.registry.manifests[sha256(data)] = (INDEX, data)
    if not says:
        registry.must_list(each.client, index, image)
        return
    with pytest.raises(EvidenceError, match=says):
        registry.must_list(each.client, index, image)


def test_a_blob_that_is_larger_than_said_is_not_read(each: Bench) -> None:
    """P9."""
    each.attach(record())
    name = sha256(record().blobs["facts.json"])
    each.registry.blobs[name] += b" " * 1000
    with pytest.raises(FetchError, match="more than the limit of"):
        each.find()


def test_an_image_listed_by_its_config_is_ours() -> None:
    """Some registries list what refers to an image by the type of its config, which is the empty one."""
    with bench() as one:
        one.attach(record())

        def by_config(asked: Asked) -> Reply | None:
            if "/referrers/" not in asked.path:
                return None
            reply = one.registry.serve(asked)
            index = json.loads(reply.body)
            for entry in index["manifests"]:
                entry["artifactType"] = EMPTY_MEDIA_TYPE
            return replace(reply, body=canonical(index))

        one.registry.fault = by_config
        assert same(one.find(), record())
