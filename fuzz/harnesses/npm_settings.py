"""Settings and credentials: .npmrc as a setting and as a place of secrets, Docker's config.json, login challenges."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sbomgate.errors import FetchError
from sbomgate.evidence import registry_auth
from sbomgate.lockfiles import _npmrc
from sbomgate.npm import auth
from sbomgate.npm.auth import Credentials

URLS = ("https://registry.npmjs.org/a/-/a-1.0.0.tgz", "https://[::1]:8443/x/y", "http://npm.example/")
NPMRC = rb"""; a comment
registry=https://npm.example/
@acme:registry = "https://npm.acme.example:8443/x/"
//npm.example/:_authToken=${TOKEN}
//npm.acme.example:8443/x/:_auth='Zm9vOmJhcg=='
[section]
ca[]=x
ignore-scripts = true
node-options=--require ./x.js
key = \# value # comment
"""


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one of each."""
    yield "npmrc", NPMRC
    yield (
        "docker.json",
        (
            b'{"auths":{"r.example":{"auth":"dTpw"},"https://index.docker.io/v1/":{"identitytoken":"t"}},'
            b'"credHelpers":{"x.example":"gcr"},"credsStore":"pass"}'
        ),
    )
    yield (
        "challenge",
        b'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull", Basic realm="x"',
    )


def read(data: bytes) -> object:
    """Read it as each."""
    found: list[object] = [_npmrc.parse(data, ".npmrc")]
    text = data.decode("utf-8", "replace")
    for said in (
        auth.read(user=text, environment={"TOKEN": "t"}),
        auth.read(project=text, environment={"TOKEN": "t"}, project_hosts=("npm.example",)),
    ):
        found += [_header(said, url) for url in URLS]
    registry_auth.challenge(text.splitlines())
    try:
        config = registry_auth.read_config(data, "config.json")
    except FetchError:
        return found
    found.append(config)
    for host in ("r.example", "docker.io", "x.example", "[::1]:5000"):
        with contextlib.suppress(FetchError):
            config.account(host, lambda _name, _server: data)
    return found


def _header(said: Credentials, url: str) -> str | None:
    header = said.header(url, "https://npm.example/")
    if header is not None and ("\n" in header or "\r" in header):
        raise AssertionError("a header of two lines")
    return header
