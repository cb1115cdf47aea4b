"""A rollback checklist as text, Markdown and JSON: the same, and inert whatever runners and projects are called."""

from __future__ import annotations

import json

from sbomgate.model import Ran
from sbomgate.model.checklist import Checklist, Machine, Redeploy
from sbomgate.report import checklist_json, checklist_markdown, checklist_text

EVIL = "a\x1b[2J`|<b>@all\n::set-output"
CHECKLIST = Checklist(
    packages=(("axios", "1.14.1"), ("plain-crypto-js", "4.2.1")),
    redeploy=(
        Redeploy(
            project="shop",
            holds=("axios@1.14.1",),
            builds=("sha256:" + "ab" * 32,),
            runs_in=("production",),
            last_good="sha256:" + "cd" * 32,
            last_good_evidence="ef" * 32,
        ),
        Redeploy(project=EVIL, holds=(), builds=(), runs_in=(), last_good=None, last_good_evidence=None),
    ),
    caches=(("npm", ("npm cache ls axios@1.14.1",)),),
    unnamed=(EVIL,),
    machines=(
        Machine(ran=Ran(system="none", runner="laptop"), runs=()),
        Machine(ran=Ran(system="jenkins", runner=EVIL, repository=EVIL), runs=(EVIL,)),
    ),
    unrecorded=2,
    searched=True,
)


def test_text_and_markdown_are_inert() -> None:
    """P39."""
    for text in (checklist_text.render(CHECKLIST), checklist_markdown.render(CHECKLIST)):
        assert "\x1b" not in text
        assert "\n::" not in text
        for said in (
            "axios 1.14.1",
            "runs in",
            "go back to",
            "npm cache ls axios@1.14.1",
            "laptop",
            "a machine outside CI",
            "2 builds do not say where",
            "no build is known that passed without",
        ):
            assert said in text, text
    assert "``a\\x1b[2J`|<b>@all\\x0a" in checklist_markdown.render(CHECKLIST)


def test_without_an_inventory_nothing_is_claimed() -> None:
    bare = Checklist(
        packages=(("axios", "1.14.1"),), redeploy=(), caches=(), unnamed=(), machines=(), unrecorded=0, searched=False
    )
    text = checklist_text.render(bare)
    assert text.count("not known: no inventory was asked") == 2
    searched = checklist_text.render(
        Checklist(packages=(), redeploy=(), caches=(), unnamed=(), machines=(), unrecorded=0, searched=True)
    )
    assert "no build in the inventory holds them" in searched
    assert "what is denied" in searched


def test_json_has_every_word() -> None:
    value = json.loads(checklist_json.render(CHECKLIST))
    assert value["schema"] == "sbomgate/rollback-checklist/v1"
    assert value["packages"][1] == {"name": "plain-crypto-js", "version": "4.2.1"}
    assert value["rotate_credentials"][1]["runner"] == EVIL
    assert value["unnamed"] == [EVIL]
    assert (value["unrecorded"], value["inventory_searched"]) == (2, True)
