"""Commands that people copy into a shell: a name can be nothing that a shell reads."""

from __future__ import annotations

import pytest

from sbomgate.fix._purge import purges

HOSTILE = [
    ("pad; rm -rf ~", "1.0.0"),
    ("$(curl h.example)", "1.0.0"),
    ("`id`", "1.0.0"),
    ("-rf", "1.0.0"),
    ("../../etc", "1.0.0"),
    ("@acme/../pad", "1.0.0"),
    ("@acme", "1.0.0"),
    ("pad\nid", "1.0.0"),
    ("päd", "1.0.0"),
    ("pad *", "1.0.0"),
    ("", "1.0.0"),
    ("pad", ""),
    ("pad", "1.0.0 && id"),
    ("pad", "*"),
    ("pad", "-1"),
    ("pad", "1/../../x"),
    ("p" * 300, "1.0.0"),
]


@pytest.mark.parametrize("package", HOSTILE, ids=[repr(one)[:40] for one in HOSTILE])
def test_what_no_command_can_name(package: tuple[str, str]) -> None:
    """P39: it is told, and stands in no command."""
    commands, unnamed = purges([package, ("good", "1.0.0")])
    assert unnamed == ("@".join(package),)
    assert commands == purges([("good", "1.0.0")])[0]


def test_each_manager_has_its_own_and_none_twice() -> None:
    commands, unnamed = purges([("@acme/pad", "1.0.0-rc.1"), ("pad", "2.0.0"), ("pad", "2.0.0"), ("pad", "2.0.1")])
    assert unnamed == ()
    assert dict(commands) == {
        "bun": (
            'rm -rf "$(bun pm cache)"/@acme/pad@1.0.0-rc.1@* "$(bun pm cache)"/@acme/pad/1.0.0-rc.1@*',
            'rm -rf "$(bun pm cache)"/pad@2.0.0@* "$(bun pm cache)"/pad/2.0.0@*',
            'rm -rf "$(bun pm cache)"/pad@2.0.1@* "$(bun pm cache)"/pad/2.0.1@*',
        ),
        "npm": (
            'npm cache ls @acme/pad@1.0.0-rc.1 | while read -r key; do npm cache clean "$key"; done',
            'npm cache ls pad@2.0.0 | while read -r key; do npm cache clean "$key"; done',
            'npm cache ls pad@2.0.1 | while read -r key; do npm cache clean "$key"; done',
        ),
        "pnpm": ("rm -rf node_modules && pnpm store prune   # in each project that held it",),
        "yarn 1": ("yarn cache clean @acme/pad", "yarn cache clean pad"),
        "yarn 2+": (
            'rm -f "$(yarn config get cacheFolder)"/@acme-pad-npm-1.0.0-rc.1-*.zip',
            'rm -f "$(yarn config get cacheFolder)"/pad-npm-2.0.0-*.zip',
            'rm -f "$(yarn config get cacheFolder)"/pad-npm-2.0.1-*.zip',
        ),
    }
