from __future__ import annotations

import pytest

from sbomgate.adoption import hardening
from sbomgate.adoption.found import Manager
from sbomgate.errors import InputError
from sbomgate.project import MemoryFiles


def plan(
    name: str, version: tuple[int, int, int] | None, files: dict[str, bytes] | None = None, *, hours: float = 72
) -> hardening.Hardening:
    manager = Manager(name=name, version=version, source="a test")
    return hardening.plan(manager, MemoryFiles(files or {}), minimum_age_hours=hours)


NEW = {
    "npm": ((11, 19, 1), ".npmrc", "ignore-scripts=true\nmin-release-age=3\nsave-exact=true\n"),
    "pnpm": (
        (12, 21, 0),
        "pnpm-workspace.yaml",
        "strictDepBuilds: true\nminimumReleaseAge: 4320\nsaveExact: true\n",
    ),
    "yarn": (
        (4, 18, 1),
        ".yarnrc.yml",
        'enableScripts: false\nnpmMinimalAgeGate: 4320\ndefaultSemverRangePrefix: ""\n',
    ),
    "yarn-classic": ((1, 22, 22), ".yarnrc", 'ignore-scripts true\nsave-prefix ""\n'),
    "bun": (
        (1, 4, 5),
        "bunfig.toml",
        "[install]\nignoreScripts = true\nminimumReleaseAge = 259200\nexact = true\n",
    ),
}


@pytest.mark.parametrize("name", NEW)
def test_a_project_without_the_file(name: str) -> None:
    version, path, text = NEW[name]
    made = plan(name, version)
    assert (made.path, made.after, made.kept, made.notes) == (path, text.encode(), {}, ())


@pytest.mark.parametrize("name", NEW)
def test_twice_is_as_once(name: str) -> None:
    version, path, text = NEW[name]
    made = plan(name, version, {path: text.encode()})
    assert (made.after, made.added, made.kept, made.notes) == (None, (), {}, ())


OLD = {
    "npm before minimum ages": ("npm", (10, 9, 2), "min-release-age", "npm 11.10.0"),
    "npm of an unknown version": ("npm", None, "min-release-age", "packageManager"),
    "pnpm before minimum ages": ("pnpm", (10, 12, 0), "minimumReleaseAge", "pnpm 10.16.0"),
    "pnpm 9": ("pnpm", (9, 15, 0), "minimum-release-age", "pnpm 10.16.0"),
    "yarn 3": ("yarn", (3, 6, 1), "npmMinimalAgeGate", "yarn 4.10.0"),
    "bun 1.2": ("bun", (1, 2, 0), "minimumReleaseAge", "bun 1.3.0"),
}


@pytest.mark.parametrize("case", OLD)
def test_a_setting_that_this_version_does_not_know_is_left_out_and_said(case: str) -> None:
    name, version, key, says = OLD[case]
    made = plan(name, version)
    assert made.after is not None
    assert key not in made.after.decode()
    assert len(made.notes) == 1
    assert key in made.notes[0]
    assert says in made.notes[0]


def test_pnpm_of_an_unknown_version_is_not_guessed() -> None:
    made = plan("pnpm", None)
    assert (made.after, made.added) == (None, ())
    assert "packageManager" in made.notes[0]


KEPT = {
    "npm": ("npm", ".npmrc", b"save-exact = false\n; ignore-scripts=false\n", {"save-exact": "false"}),
    "npm, a line without its end": ("npm", ".npmrc", b"@acme:registry=https://npm.acme.example", {}),
    "npm, Windows' line ends": ("npm", ".npmrc", b"min-release-age=1\r\nfund=false\r\n", {"min-release-age": "1"}),
    "pnpm": ("pnpm", "pnpm-workspace.yaml", b"packages:\n  - a\nsaveExact: false # no\n", {"saveExact": "false"}),
    "yarn": ("yarn", ".yarnrc.yml", b"nodeLinker: node-modules\nenableScripts: true\n", {"enableScripts": "true"}),
    "yarn 1": ("yarn-classic", ".yarnrc", b'# x\nsave-prefix "^"\n', {"save-prefix": "^"}),
    "bun": ("bun", "bunfig.toml", b"[install] # here\nexact = false\n[test]\nx = 1\n", {"exact": "false"}),
    "bun without the table": ("bun", "bunfig.toml", b"telemetry = false", {}),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_there_stays(case: str) -> None:
    name, path, text, kept = KEPT[case]
    made = plan(name, NEW[name][0], {path: text})
    assert made.kept == kept
    assert made.after is not None
    before, after = text.splitlines(), made.after.splitlines()
    assert [line for line in after if line in before] == before
    new_table = b"[install]" in made.after and b"[install]" not in text
    assert len(list(filter(None, after))) == len(before) + len(made.added) + new_table
    assert (b"\r\n" in made.after) == (b"\r\n" in text)
    again = plan(name, NEW[name][0], {path: made.after})
    assert again.after is None


FORMS = {
    "npm, below a section": ("npm", ".npmrc", b"[section]\nx=1\n"),
    "yaml in flow style": ("yarn", ".yarnrc.yml", b"{nodeLinker: pnp}\n"),
    "yaml that has ended": ("pnpm", "pnpm-workspace.yaml", b"packages: [a]\n...\n"),
    "bun, an inline table": ("bun", "bunfig.toml", b"install = {auto = 'disable'}\n"),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_that_is_not_written_into(case: str) -> None:
    name, path, text = FORMS[case]
    made = plan(name, NEW[name][0], {path: text})
    assert (made.after, made.added) == (None, ())
    assert any("by hand" in note for note in made.notes)


def test_npm_refuses_a_minimum_age_beside_before() -> None:
    made = plan("npm", (11, 19, 1), {".npmrc": b"before=2026-01-01\n"})
    assert made.after == b"before=2026-01-01\nignore-scripts=true\nsave-exact=true\n"
    assert "`before`" in made.notes[0]


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("npm", ".npmrc", b"\xff\xfe"),
        ("yarn", ".yarnrc.yml", b"a: [\n"),
        ("yarn", ".yarnrc.yml", b"- a\n"),
        ("yarn-classic", ".yarnrc", b"\xff"),
        ("bun", "bunfig.toml", b"[install\n"),
        ("bun", "bunfig.toml", b"install = 7\n"),
        ("bun", "bunfig.toml", b"[install]\nretry = " + b"9" * 5000),
    ],
)
def test_a_file_without_one_meaning_is_an_error(name: str, path: str, text: bytes) -> None:
    with pytest.raises(InputError):
        plan(name, NEW[name][0], {path: text})


@pytest.mark.parametrize(("hours", "days"), [(1, 1), (24, 1), (25, 2), (72, 3), (168, 7)])
def test_whole_days(hours: float, days: int) -> None:
    made = plan("npm", (11, 19, 1), hours=hours)
    assert made.after is not None
    assert f"min-release-age={days}\n".encode() in made.after
