"""How an artefact is tied to the lockfile (P13), as a release job does it: the real command line, engine and policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testkit import images, npm_cache, tarballs, trees
from testkit.bench import REPOSITORY, Bench, Said, entry, known, sha256
from testkit.registry import Simulator
from testkit.sigstore import GITHUB, TestSigstore

GOOD = tarballs.package("good", "1.0.0")
PLACE = "node_modules/good"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    trees.install(made.shop, PLACE, GOOD)
    npm_cache.put(made.folder / "home" / ".npm", GOOD)
    return made


def link(bench: Bench) -> Any:
    """The link of the newest decision, with what it rests on."""
    said = json.loads((bench.decisions()[-1] / "decision.json").read_bytes())["predicate"]
    return said["link"], said.get("ties")


def codes(said: Said) -> set[str]:
    """Everything that artefact_link found, as `code:level`."""
    found: dict[str, str] = {}
    for level in ("denials", "warnings", "notes"):
        for group in said.json[level]:
            found |= {f["code"]: level for f in group["findings"] if f["rule"] == "artefact_link"}
    return {f"{code}:{level}" for code, level in found.items()}


def replayed(bench: Bench) -> Said:
    return bench.run("replay", str(bench.decisions()[-1]))


# --------------------------------------------------------------------------------------------------------------------
# --installed


def test_installed_byte_for_byte(bench: Bench) -> None:
    """P13: the tree was compared, and the decision says how far; replay comes to the same."""
    said = bench.gate("--installed", "shop")
    assert (said.code, said.err, codes(said)) == (0, "", set())
    held, ties = link(bench)
    assert held == "installed"
    assert (ties["installed"]["packages"], ties["installed"]["bytes"], ties["installed"]["holds"]) == (1, 1, True)
    verified = bench.verify()
    assert (verified.code, "1 package, 1 of them byte for byte (installed)" in verified.out) == (0, True)
    assert bench.verify("--json").json["decision"]["link"] == "installed"
    assert replayed(bench).code == 0


def test_names_only_says_so(bench: Bench, tmp_path: Path) -> None:
    """P13: without a tarball in any cache the link is of names and versions, and the decision says so."""
    said = bench.run(
        *("gate", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline", "--json"),
        *("--subject", f"file:{bench.artefact}", "--key", "release.key", "--installed", "shop"),
        npm_config_cache=str(tmp_path / "empty"),
    )
    assert (said.code, codes(said)) == (0, {"names-only:notes"})
    assert link(bench)[1]["installed"]["bytes"] == 0


def alter(bench: Bench) -> None:
    (bench.shop / PLACE / "index.js").write_text("steal()")


def extra(bench: Bench) -> None:
    trees.install(bench.shop, "node_modules/evil", tarballs.package("evil", "1.0.0"))


def missing(bench: Bench) -> None:
    bench.write({"good": "1.0.0", "more": "1.0.0"}, {PLACE: entry("good"), "node_modules/more": entry("more")})
    bench.record(known("good"), known("more"))


def hidden(bench: Bench) -> None:
    (bench.shop / "node_modules" / ".cache").mkdir()
    (bench.shop / "node_modules" / ".cache" / "x.js").write_text("1")


TREES: dict[str, tuple[Callable[[Bench], object], int, set[str], str]] = {
    "a file altered": (alter, 1, {"altered:denials"}, "good 1.0.0: changed against its tarball: index.js"),
    "an extra package": (extra, 1, {"extra:denials"}, "node_modules/evil: evil 1.0.0: the lockfile has no"),
    "a missing package": (missing, 1, {"missing:denials"}, "more 1.0.0 is in the lockfile, and not there"),
    "a hidden folder": (hidden, 0, {"entry:warnings"}, "node_modules/.cache"),
}


@pytest.mark.parametrize("case", TREES)
def test_a_tree_that_is_not_the_lockfiles(bench: Bench, case: str) -> None:
    """P13: what is extra, missing or altered is named with its place, and the link does not hold."""
    change, code, expected, named = TREES[case]
    change(bench)
    said = bench.gate("--installed", "shop")
    assert (said.code, said.err, codes(said)) == (code, "", expected)
    assert named in said.out
    assert link(bench)[0] == ("asserted" if code else "installed")
    assert replayed(bench).code == 0


def test_nothing_installed_is_no_decision(bench: Bench) -> None:
    """P1, P3: a folder without a tree is not a tree without a difference."""
    (bench.folder / "empty").mkdir()
    for folder in ("empty", "absent"):
        said = bench.gate("--installed", folder)
        assert (said.code, said.out) == (2, "")


def test_tarballs_that_are_fetched_anyway_are_compared_with(bench: Bench, tmp_path: Path) -> None:
    """P13, P27: the release job has no cache of the build's; what it asks the registry for serves here too."""
    with Simulator() as registry:
        registry.publish("good", "1.0.0", GOOD, published="2024-01-01T00:00:00.000Z")
        address = f"{registry.url}good/-/good-1.0.0.tgz"
        bench.write({"good": "1.0.0"}, {PLACE: {**entry("good"), "resolved": address}})
        (bench.shop / ".npmrc").write_text(f"registry={registry.url}\n")
        bench.trust(signers=f'[[registries]]\nurl = "{registry.url}"\nserves_evidence = false\n')
        online = (
            "gate",
            "shop",
            "--trust",
            "trust.toml",
            "--subject",
            f"file:{bench.artefact}",
            "--key",
            "release.key",
        )
        without = {"npm_config_cache": str(tmp_path / "empty")}
        said = bench.run(*online, "--json", "--installed", "shop", **without)
        assert (said.code, codes(said)) == (0, set()), said.out
        assert link(bench)[1]["installed"]["bytes"] == 1
        alter(bench)
        assert codes(bench.run(*online, "--json", "--installed", "shop", **without)) == {"altered:denials"}


# --------------------------------------------------------------------------------------------------------------------
# --contains


def test_an_artefact_that_is_looked_into(bench: Bench) -> None:
    """P13: the digest that is signed is of the very bytes that were looked into."""
    bench.artefact.write_bytes(trees.tar({"app/server.js": b"1", **trees.files_of(f"app/{PLACE}", GOOD)}))
    said = bench.gate("--contains")
    assert (said.code, said.err, codes(said)) == (0, "", set())
    assert link(bench)[0] == "contained"
    assert "what the artefact holds was compared" in bench.verify().out
    assert replayed(bench).code == 0


def test_an_artefact_with_something_else_inside(bench: Bench) -> None:
    held = trees.files_of(PLACE, GOOD) | trees.files_of("node_modules/evil", tarballs.package("evil", "1.0.0"))
    bench.artefact.write_bytes(trees.zipped(held))
    said = bench.gate("--contains", ".")
    assert (said.code, codes(said)) == (1, {"extra:denials"})
    assert link(bench)[0] == "asserted"


def test_a_bundlers_file_cannot_be_looked_into(bench: Bench) -> None:
    bench.artefact.write_bytes(trees.tar({"dist/app.js": b"everything in one"}))
    said = bench.gate("--contains")
    assert (said.code, said.out) == (2, "")
    assert "bundler" in said.err


def test_an_image_in_a_layout(bench: Bench) -> None:
    digest = images.written(bench.folder / "image", images.layout([trees.tar(trees.files_of(f"app/{PLACE}", GOOD))]))
    subject = ("--subject", f"oci:registry.example/shop@sha256:{digest}", "--key", "release.key", "--json")
    common = ("gate", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline", *subject)
    said = bench.run(*common, "--contains", "layout:image#app")
    assert (said.code, said.err) == (0, "")
    assert link(bench)[0] == "contained"
    assert bench.run(*common, "--contains").code == 2


# --------------------------------------------------------------------------------------------------------------------
# --build-provenance


BUILDER = f"""
[[builders]]
name = "release build"
issuer = "{GITHUB}"
identity = "{REPOSITORY}/.github/workflows/release.yml@refs/tags/v*"
builder_id = "https://github.com/actions/runner/github-hosted"
"""


@pytest.fixture
def built(bench: Bench) -> Bench:
    """A project whose trust file accepts a builder of the test sigstore."""
    sigstore = TestSigstore(datetime.now(UTC).replace(microsecond=0))
    root = sigstore.trusted_root_json()
    (bench.folder / "root.json").write_bytes(root)
    bench.trust(
        "", signers=f'{BUILDER}\n[sigstore]\ntrusted_root = {{ path = "root.json", sha256 = "{sha256(root)}" }}\n'
    )
    return bench


def provenance(bench: Bench, **changes: Any) -> Path:
    """Write the build's provenance of the artefact."""
    digest = changes.pop("digest", sha256(bench.artefact.read_bytes()))

    def about(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "subject": [{"name": "other", "digest": {"sha256": "0" * 64}},
                                         {"name": "shop.tgz", "digest": {"sha256": digest}}]}  # fmt: skip

    given = {
        "repository": REPOSITORY,
        "commit": COMMIT,
        "workflow": ".github/workflows/release.yml",
        "ref": "refs/tags/v1.0.0",
        "mutate": {"statement": about},
    }
    sigstore = TestSigstore(datetime.now(UTC).replace(microsecond=0))
    bundle = sigstore.provenance("shop", "1.0.0", "0" * 128, **{**given, **changes})
    path = bench.folder / "build.sigstore.json"
    path.write_text(json.dumps(bundle))
    return path


ABOUT = ("--repository", REPOSITORY, "--commit", COMMIT)


def test_an_accepted_builder(built: Bench) -> None:
    """P13: an accepted builder says that it made this artefact from this commit; test_builder.py has the tables."""
    provenance(built)
    said = built.gate("--build-provenance", "build.sigstore.json", *ABOUT)
    assert (said.code, said.err, codes(said)) == (0, "", set())
    held, ties = link(built)
    assert (held, ties["provenance"]["builder"], ties["provenance"]["commit"]) == (
        "provenance",
        "release build",
        COMMIT,
    )
    assert "by the provenance of release build" in built.verify().out
    assert replayed(built).code == 0


def test_provenance_that_does_not_hold(built: Bench) -> None:
    """P12, P13: it is a finding that no waiver covers, and the link stays asserted."""
    provenance(built, digest="1" * 64)
    said = built.gate("--build-provenance", "build.sigstore.json", *ABOUT)
    assert (said.code, said.err, codes(said)) == (1, "", {"provenance-invalid:denials"})
    assert "not this artefact" in said.out
    assert link(built)[0] == "asserted"
    assert replayed(built).code == 0


def test_provenance_without_a_commit_to_compare(built: Bench) -> None:
    """P7: what cannot be compared is neither good nor bad, and does not pass."""
    provenance(built)
    said = built.gate("--build-provenance", "build.sigstore.json", "--repository", REPOSITORY)
    assert (said.code, codes(said)) == (1, {"provenance-unverifiable:denials"})


def test_no_builder_is_accepted_by_default(bench: Bench) -> None:
    """P21"""
    provenance(bench)
    said = bench.gate("--build-provenance", "build.sigstore.json", *ABOUT)
    assert (said.code, said.out) == (2, "")
    assert "[[builders]]" in said.err


def test_one_of_several_bundles(built: Bench) -> None:
    lines = [provenance(built, digest="2" * 64).read_text(), provenance(built).read_text()]
    (built.folder / "all.jsonl").write_text("\n".join(lines) + "\n")
    assert built.gate("--build-provenance", "all.jsonl", *ABOUT).code == 0
    assert link(built)[0] == "provenance"
    (built.folder / "all.jsonl").write_text("\n".join(lines[:1] * 2) + "\n")
    assert built.gate("--build-provenance", "all.jsonl", *ABOUT).code == 2
