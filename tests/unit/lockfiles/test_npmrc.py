"""The project's .npmrc, read as npm's ini reader does."""

from __future__ import annotations

import pytest

from sbomgate.errors import InputError
from sbomgate.lockfiles import _npmrc

PUBLIC = "https://registry.npmjs.org/"
REGISTRIES = {
    "plain": ("registry=https://npm.acme.test", "https://npm.acme.test/"),
    "blanks": ("  registry  =  https://npm.acme.test/  ", "https://npm.acme.test/"),
    "double quotes": ('registry="https://npm.acme.test/"', "https://npm.acme.test/"),
    "single quotes": ("registry='https://npm.acme.test/'", "https://npm.acme.test/"),
    "escaped key": ('"reg\\u0069stry"=https://npm.acme.test/', "https://npm.acme.test/"),
    "comment behind": ("registry=https://npm.acme.test/ ; the mirror", "https://npm.acme.test/"),
    "commented out": ("# registry=https://npm.acme.test/\n;registry=https://x.test/", PUBLIC),
    "last one counts": ("registry=https://x.test/\nregistry=https://npm.acme.test/", "https://npm.acme.test/"),
    "old line ends": ("a=b\rregistry=https://npm.acme.test/\r\n", "https://npm.acme.test/"),
    "byte order mark": ("\ufeffregistry=https://npm.acme.test/", "https://npm.acme.test/"),
    "host and port": ("registry=HTTPS://NPM.Acme.test:443/Repo", "https://npm.acme.test/Repo/"),
    "environment": ("registry=https://${HOST}/", "https://${HOST}/"),
    "byte order mark within": ("a=b\n\ufeffregistry=https://npm.acme.test/", "https://npm.acme.test/"),
    "behind what is no section: indented": (" [x]\nregistry=https://npm.acme.test/", "https://npm.acme.test/"),
    "behind what is no section: a key": ("[x]y=1]\nregistry=https://npm.acme.test/", "https://npm.acme.test/"),
    "in a section": ("[x]\nregistry=https://npm.acme.test/", PUBLIC),
    "section behind": (
        "registry=https://npm.acme.test/\n[x]\nregistry=https://registry.npmjs.org/",
        "https://npm.acme.test/",
    ),
    "none": ("save-exact=true", PUBLIC),
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_registry(name: str) -> None:
    text, registry = REGISTRIES[name]
    npmrc = _npmrc.parse(text.encode(), ".npmrc")
    assert npmrc.registry == registry
    if registry != PUBLIC:
        assert "npmrc-registry" in {finding.code for finding in npmrc.findings}


FOUND = {
    "script-shell=/bin/evil": ("manager_code", "npmrc-runs-code"),
    "node-options=--require ./evil.js": ("manager_code", "npmrc-runs-code"),
    "git=./evil": ("manager_code", "npmrc-runs-code"),
    "prefix=./x": ("manager_code", "npmrc-runs-code"),
    "${X}=y": ("manager_code", "npmrc-variable-key"),
    "strict-ssl=false": ("registries", "npmrc-weakens"),
    "package-lock=false": ("lockfile_sound", "npmrc-weakens"),
    "force": ("lockfile_sound", "npmrc-weakens"),
    "https-proxy=http://p.test": ("registries", "npmrc-redirects"),
    "cache=./cache": ("registries", "npmrc-redirects"),
    "electron_mirror=https://evil.test/": ("manager_code", "npmrc-runs-code"),
    "SHARP-BINARY-HOST=https://evil.test": ("manager_code", "npmrc-runs-code"),
    "disturl=https://evil.test/": ("manager_code", "npmrc-runs-code"),
    "nodedir=headers": ("manager_code", "npmrc-runs-code"),
    "python=./evil.sh": ("manager_code", "npmrc-runs-code"),
    "anything_else=../evil": ("manager_code", "npmrc-runs-code"),
}
HARMLESS = (
    "loglevel=warn",
    "save-exact=true",
    "fund=false",
    "audit-level=high",
    "message=https://acme.test/%s",
    "init-author-url=https://acme.test/",
    "//registry.npmjs.org/:_authToken=a/b",
    "//registry.npmjs.org/:certfile=./client.pem",
    "_auth=ab/cd",
    "public-hoist-pattern[]=@acme/*",
    "tag-version-prefix=v",
)


@pytest.mark.parametrize("line", FOUND)
def test_findings(line: str) -> None:
    (finding,) = _npmrc.parse(line.encode(), ".npmrc").findings
    assert (finding.rule, finding.code) == FOUND[line]
    assert finding.place == ".npmrc line 1"


@pytest.mark.parametrize("line", HARMLESS)
def test_nothing_to_find(line: str) -> None:
    npmrc = _npmrc.parse(line.encode(), ".npmrc")
    assert (npmrc.findings, npmrc.settings) == ([], {} if "save-exact" not in line else {"save-exact": "true"})


def test_P40_what_scripts_get_is_kept_by_its_digest() -> None:
    """Only an address is shown: who knows what else such a setting holds."""
    npmrc = _npmrc.parse(b"my_mirror=secret\nother_mirror=https://user:secret@evil.test/x?token=secret", ".npmrc")
    assert npmrc.settings["other_mirror"] == "https://evil.test/x"
    assert npmrc.settings["my_mirror"].startswith("sha256:")
    assert "secret" not in str(npmrc)


def test_bun_hands_no_settings_to_scripts() -> None:
    assert not _npmrc.parse(b"electron_mirror=https://evil.test/", ".npmrc", exports=False).findings


def test_harmless_settings_are_recorded_without_a_finding() -> None:
    npmrc = _npmrc.parse(b"ignore-scripts=true\nlegacy-peer-deps=true\nsave-exact=true\nfund=false\n", ".npmrc")
    assert npmrc.findings == []
    assert npmrc.settings == {"ignore-scripts": "true", "legacy-peer-deps": "true", "save-exact": "true"}


def test_C03_a_key_that_a_variable_completes_is_a_setting_so_that_one_more_is_a_change() -> None:
    npmrc = _npmrc.parse(b"${X}-shell=./evil\n//${HOST}/:_authToken=secret\n", ".npmrc")
    assert npmrc.settings == {"${X}-shell": "(set)", "//${HOST}/:_authToken": "(set)"}


def test_absent() -> None:
    assert _npmrc.parse(None, ".npmrc") == _npmrc.Npmrc()


@pytest.mark.parametrize("data", [b"\xff\xfea", b"x" * (_npmrc.MAX_BYTES + 1)])
def test_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        _npmrc.parse(data, ".npmrc")
