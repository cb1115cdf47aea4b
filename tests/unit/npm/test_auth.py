"""sbomgate.npm.auth: which credential goes where."""

from __future__ import annotations

import pytest

from sbomgate.npm import auth

HOME = "https://registry.example/npm/"


@pytest.mark.parametrize(
    ("npmrc", "url", "registry", "header"),
    [
        pytest.param("//registry.example/:_authToken=t", HOME + "a", HOME, "Bearer t", id="host"),
        pytest.param("//registry.example/npm/:_authToken=t", HOME + "a", HOME, "Bearer t", id="path"),
        pytest.param("//registry.example/npm:_authToken=t", HOME + "a", HOME, "Bearer t", id="no slash"),
        pytest.param("//registry.example/np:_authToken=t", HOME + "a", HOME, None, id="half a path part"),
        pytest.param("//registry.example/other/:_authToken=t", HOME + "a", HOME, None, id="other path"),
        pytest.param(
            "//registry.example/npm/:_authToken=t",
            "https://registry.example/files/a.tgz",
            HOME,
            "Bearer t",
            id="same host as registry",
        ),
        pytest.param("//registry.example/:_authToken=t", "https://evil.example/npm/a", HOME, None, id="other host"),
        pytest.param(
            "//registry.example/:_authToken=t", "https://registry.example:8443/a", HOME, None, id="other port"
        ),
        pytest.param("//registry.example:8443/:_authToken=t", HOME + "a", HOME, None, id="default port asked"),
        pytest.param(
            "//registry.example/:_authToken=t", "https://registry.example:443/a", HOME, "Bearer t", id="explicit port"
        ),
        pytest.param(
            "//registry.example/npm/:_authToken=t",
            "http://registry.example/files/a",
            HOME,
            None,
            id="the registry's own only with its scheme",
        ),
        pytest.param("//registry.example.evil/:_authToken=t", HOME, HOME, None, id="suffix"),
        pytest.param("//registry.example/:_auth=dTpw", HOME, HOME, "Basic dTpw", id="basic"),
        pytest.param(
            "//registry.example/:_auth=dTpw\n//registry.example/:_authToken=t", HOME, HOME, "Bearer t", id="token wins"
        ),
        pytest.param(
            "//registry.example/:_authToken=t\n//registry.example/:_auth=dTpw",
            HOME,
            HOME,
            "Bearer t",
            id="in any order",
        ),
        pytest.param("_authToken=t", HOME, HOME, None, id="without a registry"),
        pytest.param("; //registry.example/:_authToken=t", HOME, HOME, None, id="comment"),
        pytest.param("//registry.example/:_authToken=t ; comment", HOME, HOME, "Bearer t", id="comment after"),
        pytest.param('//registry.example/:_authToken="t"', HOME, HOME, "Bearer t", id="quoted"),
        pytest.param("//registry.example/:_authToken='t'", HOME, HOME, "Bearer t", id="single quoted"),
        pytest.param(" //registry.example/:_authToken = t ", HOME, HOME, "Bearer t", id="blanks"),
        pytest.param("//registry.example/:_authToken=${T}", HOME, HOME, "Bearer from-env", id="variable"),
        pytest.param("//registry.example/:_authToken=${UNSET}", HOME, HOME, None, id="unset variable"),
        pytest.param("//registry.example/:_authToken=${UNSET?}", HOME, HOME, None, id="optional variable, empty"),
        pytest.param("//registry.example/:_authToken=a b", HOME, HOME, None, id="no header can hold it"),
        pytest.param('//registry.example/:_authToken="a\\nb"', HOME, HOME, None, id="line end"),
        pytest.param("//[::1]:4873/:_authToken=t", "http://[::1]:4873/a", "http://[::1]:4873/", "Bearer t", id="IPv6"),
    ],
)
def test_header(npmrc: str, url: str, registry: str, header: str | None) -> None:
    assert auth.read(user=npmrc, environment={"T": "from-env"}).header(url, registry) == header


def test_longest_path_wins_and_project_wins() -> None:
    found = auth.read(
        user="//r.example/:_authToken=u\n//r.example/npm/:_authToken=long", project="//r.example/:_authToken=p"
    )
    assert found.header("https://r.example/npm/a", "https://r.example/npm/") == "Bearer long"
    assert found.header("https://r.example/x", "https://r.example/x/") == "Bearer p"


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("//evil.example/:_authToken=${TOKEN}", None),
        ("//${HOST}/:_authToken=x", None),
        ("//evil.example/:_authToken=literal", "Bearer literal"),
    ],
)
def test_the_tree_under_test_sends_the_environment_nowhere(line: str, header: str | None) -> None:
    """P40: a project's .npmrc gets the environment's tokens only for hosts that are named from outside of it."""
    environment = {"TOKEN": "secret", "HOST": "evil.example"}
    found = auth.read(project=line, environment=environment, project_hosts=["registry.npmjs.org"])
    assert found.header("https://evil.example/a", "https://evil.example/") == header


def test_the_project_may_use_a_variable_for_a_known_host() -> None:
    found = auth.read(
        project="//registry.npmjs.org/:_authToken=${T}", environment={"T": "x"}, project_hosts=["Registry.npmjs.org"]
    )
    assert found.header("https://registry.npmjs.org/a", "https://registry.npmjs.org/") == "Bearer x"


def test_a_credential_is_never_shown() -> None:
    """P40."""
    assert "s3cret" not in repr(auth.read(user="//r.example/:_authToken=s3cret"))
