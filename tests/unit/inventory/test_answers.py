"""What is found: by version, range, pattern and condition; decisions on one artefact are one build."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import UsageError
from sbomgate.inventory import answers, sweep, terms
from sbomgate.inventory.answers import Found
from sbomgate.inventory.engines.duck import DuckDB
from sbomgate.inventory.folder import Folder
from sbomgate.lockfiles import _range
from testkit.inventories import EXAMPLES, NOW, SRI, build, package


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDB]:
    folder = Folder(tmp_path_factory.mktemp("answers") / "inventory")
    folder.create()
    folder.add(EXAMPLES[:2])
    folder.compact()
    folder.add(EXAMPLES[2:])
    made = folder.reader()
    folder.ask(made, lambda e: e.query("SELECT 1"))
    yield made
    made.close()


def ask(engine: DuckDB, *words: str, **more: Any) -> Found:
    return answers.find(engine, terms.parse(words), _range.satisfies, **more)


def said(found: Found) -> list[str]:
    return [f"{h.package['name']}@{h.package['version']} {h.artefact.build['project']}" for h in found.hits]


FINDS = {
    "axios@1.14.1": ["axios@1.14.1 shop"],
    "axios@=v1.14.1": ["axios@1.14.1 shop"],
    "axios": ["axios@None other", "axios@0.30.4 vendor", "axios@1.14.0 shop", "axios@1.14.1 shop",
              "axios@1.15.0-beta.1 other"],
    "axios@>=1.14 <2": ["axios@1.14.0 shop", "axios@1.14.1 shop"],
    "axios@^1.14.1 || ~0.30": ["axios@0.30.4 vendor", "axios@1.14.1 shop"],
    "axios@1.15.0-beta.1": ["axios@1.15.0-beta.1 other"],
    "axios@9.9.9": [],
    "@tanstack/*": ["@tanstack/router@1.0.0 shop"],
    "*crypto*": ["plain-crypto-js@4.2.1 shop"],
    "lod%sh": ["lod%sh@1.0.0 vendor"],
    "lod_sh": [],
    "lod%*": ["lod%sh@1.0.0 vendor"],
    "pkg:npm/axios@1.14.0": ["axios@1.14.0 shop"],
    SRI: ["axios@1.14.1 shop"],
    "axios@1.14.1 & plain-crypto-js": ["axios@1.14.1 shop", "plain-crypto-js@4.2.1 shop"],
    "axios & project:other": ["axios@None other", "axios@1.15.0-beta.1 other"],
    "axios & environment:production": ["axios@1.14.0 shop", "axios@1.14.1 shop"],
    "axios & verdict:denied": ["axios@None other", "axios@1.15.0-beta.1 other"],
    "axios & licence:M*": ["axios@1.14.1 shop"],
    "axios & publisher:mallory": ["axios@1.14.1 shop"],
    "maintainer:bob": ["axios@1.14.1 shop"],
    "maintainer:mal*": ["axios@1.14.1 shop"],
    "maintainer:*lory": ["axios@1.14.1 shop"],
    "maintainer:*b*": ["axios@1.14.1 shop"],
    "maintainer:ob*": [],
    "maintainer:*bo": [],
    "maintainer:m_l*": [],
    "repository:*github.com/axios/*": ["axios@1.14.0 shop"],
    "axios & after:2026-03-30": ["axios@None other", "axios@1.14.1 shop", "axios@1.15.0-beta.1 other"],
    "axios & before:2026-03-30": ["axios@1.14.0 shop"],
    "is:direct": ["axios@1.14.1 shop"],
    "is:dev": ["plain-crypto-js@4.2.1 shop"],
    # What is not known counts: nobody said that it is attested, old or without scripts.
    "axios & is:unattested & project:shop": ["axios@1.14.1 shop"],
    "axios & is:unattested & project:vendor": ["axios@0.30.4 vendor"],
    "axios & is:scripted & project:shop": ["axios@1.14.0 shop"],
    "plain-crypto-js & is:scripted": ["plain-crypto-js@4.2.1 shop"],
    "axios@1.14.1 & younger:1d": ["axios@1.14.1 shop"],
    "axios@1.14.1 & younger:2h": [],
    "axios@1.14.0 & younger:2h": ["axios@1.14.0 shop"],
}  # fmt: skip


@pytest.mark.parametrize("question", FINDS)
def test_find(engine: DuckDB, question: str) -> None:
    words = question.split(" & ")
    assert said(ask(engine, *words)) == FINDS[question]


COUNTS = {
    "axios": ["axios@ 1 of 1", "axios@0.30.4 1 of 1", "axios@1.14.0 1 of 1", "axios@1.14.1 1 of 1",
              "axios@1.15.0-beta.1 1 of 1"],
    "axios@>=1.14 <2": ["axios@1.14.0 1 of 1", "axios@1.14.1 1 of 1"],
    "axios@1.14.1 & plain-crypto-js": ["axios@1.14.1 1 of 1", "plain-crypto-js@4.2.1 1 of 1"],
    "axios@9.9.9": [],
    "@tanstack/*": ["@tanstack/router@1.0.0 1 of 1"],
    "*crypto*@^4": ["plain-crypto-js@4.2.1 1 of 1"],
    "axios & verdict:denied": ["axios@ 1 of 1", "axios@1.15.0-beta.1 1 of 1"],
    "project:vendor": ["axios@0.30.4 1 of 1", "lod%sh@1.0.0 1 of 1"],
}  # fmt: skip


@pytest.mark.parametrize("question", COUNTS)
def test_count(engine: DuckDB, question: str) -> None:
    found, notes = answers.count(engine, terms.parse(question.split(" & ")), _range.satisfies)
    assert [f"{c.name}@{c.version} {len(c.builds)} of {len(c.projects)}" for c in found] == COUNTS[question]
    assert bool(notes) == (question in ("axios@>=1.14 <2", "axios@1.14.1 & plain-crypto-js", "axios@9.9.9"))


@pytest.mark.parametrize("question", [SRI, "axios & is:direct", "licence:MIT", "younger:3d"])
def test_what_is_not_counted(engine: DuckDB, question: str) -> None:
    with pytest.raises(UsageError, match="by name and version"):
        answers.count(engine, terms.parse(question.split(" & ")), _range.satisfies)


def test_a_count_and_a_find_agree(engine: DuckDB) -> None:
    """P19: decisions on one artefact are one build in both, and only what runs where that is asked."""
    digest = EXAMPLES[1][1][0]["digest"]
    for digests in (None, [digest], []):
        hits = answers.find(engine, terms.parse(["*"]), _range.satisfies, digests=digests).hits
        held: dict[tuple[str, str], set[tuple[str, ...]]] = {}
        for hit in hits:
            held.setdefault((hit.package["name"], hit.package["version"] or ""), set()).add(hit.artefact.identity)
        counted, _ = answers.count(engine, terms.parse(["*"]), _range.satisfies, digests=digests)
        assert {(one.name, one.version): set(one.builds) for one in counted} == held


def test_what_a_range_leaves_out_is_said(engine: DuckDB) -> None:
    notes = ask(engine, "axios@>=1.14 <2").notes
    assert any("1.15.0-beta.1" in note for note in notes)
    assert any("a version that nobody states" in note for note in notes)


def test_a_range_that_is_none(engine: DuckDB) -> None:
    with pytest.raises(UsageError, match="no version and no range"):
        ask(engine, "axios@latest")


def test_only_what_runs(engine: DuckDB) -> None:
    digest = EXAMPLES[1][1][0]["digest"]
    assert said(ask(engine, "axios", digests=[digest])) == ["axios@1.14.1 shop"]
    assert said(ask(engine, "axios", digests=[])) == []


def test_decisions_on_one_artefact_are_one_build(tmp_path: Path) -> None:
    """P19: the newest decision speaks for it; of one moment the one that denies."""
    folder = Folder(tmp_path / "inventory")
    folder.create()
    same = {"digest": "sha256:" + "1" * 64, "sbom": "2" * 64}
    folder.add(
        [
            build("first", [("axios", "1.14.1")], decided=NOW - timedelta(days=1), **same),
            build("passed", [("axios", "1.14.1")], decided=NOW, **same),
            build("failed", [("axios", "1.14.1")], decided=NOW, verdict="denied", **same),
        ]
    )
    engine = folder.reader()
    (hit,) = folder.ask(engine, lambda e: answers.find(e, terms.parse(["axios"]), _range.satisfies)).hits
    assert (hit.artefact.decisions, hit.artefact.build["verdict"]) == (3, "denied")
    assert hit.artefact.first == NOW - timedelta(days=1)
    engine.close()


# --------------------------------------------------------------------------------------------------------------------
# Sweep


def named(*wanted: str) -> sweep.Judge:
    return lambda pairs: {pair: ("MAL-1",) for pair in pairs if "@".join(pair) in wanted}


def test_a_sweep_says_since_when_and_what_to_go_back_to(engine: DuckDB) -> None:
    (one,) = sweep.sweep(engine, ["axios", "plain-crypto-js"], named("axios@1.14.1", "plain-crypto-js@4.2.1"))
    assert [hit.package["name"] for hit, _ in one.artefacts[0][1]] == ["axios", "plain-crypto-js"]
    assert one.since.build["decided"] == NOW - timedelta(hours=5)
    assert one.last_good is not None
    assert one.last_good.build["subject"] == "file:old.tgz"
    assert not one.newer_good
    assert [(c.name, c.now, c.then) for c in one.changes] == [
        ("@tanstack/router", ("1.0.0",), ()),
        ("@tanstack_x/y", ("1.0.0",), ()),
        ("axios", ("1.14.1",), ("1.14.0",)),
        ("plain-crypto-js", ("4.2.1",), ()),
    ]


def test_the_last_good_build_is_judged_by_the_same_list(engine: DuckDB) -> None:
    (one,) = sweep.sweep(engine, ["axios"], named("axios@1.14.1", "axios@1.14.0"))
    assert len(one.artefacts) == 2
    assert one.last_good is None
    assert one.changes == ()


def test_nothing_is_hit(engine: DuckDB) -> None:
    assert sweep.sweep(engine, ["axios"], named("axios@6.6.6")) == ()
    assert sweep.sweep(engine, [], named()) == ()


GOOD: dict[str, tuple[dict[str, Any], bool]] = {
    "it passed": ({}, True),
    "it failed": ({"verdict": "denied"}, False),
    "it was only observed": ({"profile": "observe"}, False),
    "nobody judged it": ({"verdict": None}, False),
    "nobody accepted signed it, and others are": ({"standing": "unverified"}, False),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_counts_as_good(tmp_path: Path, case: str) -> None:
    about, good = GOOD[case]
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add([build("good", [], decided=NOW, **about), build("bad", [("evil", "1.0.0")], decided=NOW)])
    engine = folder.reader()
    (one,) = folder.ask(engine, lambda e: sweep.sweep(e, ["evil"], named("evil@1.0.0")))
    assert (one.last_good is not None) is good
    engine.close()


def test_the_projects_own_are_not_the_registrys(tmp_path: Path) -> None:
    """CASES L30: a workspace that is called like a package on the list is not that package."""
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add([build("one", [package("evil", "1.0.0", kind="workspace"), package("evil", "1.0.0", kind="link")])])
    engine = folder.reader()
    assert folder.ask(engine, lambda e: sweep.sweep(e, ["evil"], named("evil@1.0.0"))) == ()
    engine.close()
