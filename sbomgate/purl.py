"""Package URLs (ECMA-427) of npm packages, and URLs as they may leave the process.

The name keeps its case: npm names are case-sensitive in the purl specification since May 2026 (`JSONStream` and
`jsonstream` are two packages).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

from sbomgate.errors import InputError
from sbomgate.model import Kind, Package

# What `quote` leaves as it is. It takes 5 µs to see that of a name; these take a tenth of it.
_PLAIN_NAME = re.compile(r"@?([A-Za-z0-9_.~/-]*)")
_PLAIN_VERSION = re.compile(r"[A-Za-z0-9_.~-]+")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9_.~@+#?&/=,;!$'()*-]*:[A-Za-z0-9_.~@:+#?&/=,;!$'()*-]*")

_QUALIFIER = {Kind.GIT: "vcs_url", Kind.TARBALL: "download_url", Kind.FILE: "download_url"}
# The others are compiled at their first use: most lockfiles need none of them, and every start would pay.
_FORGE = r"(github|gitlab|bitbucket|gist):(?!//)"
_USER = r"//[^/?#\\]*@"
_SCP = r"(?s)([^/@\s]+)@([^/@:\s]+:.*)"
_DRIVE = r"[A-Za-z]:[\\/]"


def purl(name: str, version: str | None, **qualifiers: str) -> str:
    """Return `pkg:npm/%40scope/name@version?qualifiers`, percent-encoded; the version is left out where it is None."""
    # the slash stays, the scope's @ is encoded
    if (plain := _PLAIN_NAME.fullmatch(name)) is None:
        text = "pkg:npm/" + quote(name)
    else:
        text = "pkg:npm/" + name if plain.start(1) == 0 else "pkg:npm/%40" + plain[1]
    if version:
        text += "@" + (version if _PLAIN_VERSION.fullmatch(version) else quote(version, safe=""))
    if qualifiers:
        text += "?" + "&".join(f"{key}={quote(value, safe=':/')}" for key, value in sorted(qualifiers.items()))
    return text


def of(package: Package) -> str:
    """Return the purl of a lockfile entry: of its real name, where it is an alias; "" for a root without a name.

    An entry from git, a URL or a file carries where its bytes come from (`vcs_url`, `download_url`), without secrets,
    so that it is not mistaken for the registry's package of that name.
    """
    if not package.name:
        return ""
    key = _QUALIFIER.get(package.kind)
    if key and package.resolved:
        return purl(package.name, package.version, **{key: public_url(package.resolved)})
    return purl(package.name, package.version)


def parse(text: str) -> tuple[str, str | None]:
    """Return (name, version) of an npm purl; qualifiers and subpath are ignored.

    Raises:
        InputError: not a purl of type npm.
    """
    if not text.startswith("pkg:npm/"):
        raise InputError("not a purl of type npm", place=text[:100])
    body = text[8:].partition("#")[0].partition("?")[0]
    name, _, version = body.partition("@")
    return unquote(name), unquote(version) or None


def public_url(text: str) -> str:
    """Return a URL or dependency specifier without what is nobody's business (PROMISES P40).

    User information goes (but for the plain user `git` of ssh), as do the query, any fragment of an http(s) URL that is
    not a hexadecimal digest, and absolute local paths but for their last segment. What is no URL comes back unchanged.
    """
    if ":" not in text and "/" not in text and "\\" not in text:
        return text
    scheme, slashes, rest = text.partition("://")
    if slashes and ":" not in scheme:
        return _public_remote(scheme, rest)
    if slashes:  # no URL, and one in it
        text = re.sub(_USER, "//", text)
    if text.startswith(("/", "\\", "~/")) or re.match(_DRIVE, text):
        return "file:" + _last(text)
    if text.startswith("file:"):
        path = text[5:]
        return "file:" + _last(path) if path.startswith(("/", "\\", "~")) or re.match(_DRIVE, path) else text
    if text.startswith("npm:"):
        return text
    if forge := re.match(_FORGE, text):
        rest = text[forge.end() :]
        return forge.group() + rest.rpartition("@")[2] if "@" in rest.partition("#")[0] else text
    if (scp := re.fullmatch(_SCP, text)) and not text.startswith("@"):
        user, address = scp.groups()
        return f"git@{address}" if user.removeprefix("git+ssh:") == "git" else address
    return text


def _public_remote(scheme: str, rest: str) -> str:
    web = scheme.lower() in ("http", "https")
    if web and not ("@" in rest or "?" in rest or "#" in rest):
        return f"{scheme}://{rest}"
    if scheme == "file":
        return "file:" + _last(rest)
    cut = min((found for c in "/?#\\" if (found := rest.find(c)) >= 0), default=len(rest))
    authority, tail = rest[:cut], rest[cut:]
    user, at, host = authority.rpartition("@")
    if at and user == "git" and not web:
        host = "git@" + host
    tail, mark, fragment = tail.partition("#")
    tail = tail.partition("?")[0]
    if mark and (not web or (fragment and set(fragment.lower()) <= set("0123456789abcdef"))):
        tail += "#" + fragment.partition("?")[0]
    # What follows may be an address again: a mirror's, which fetches what stands behind its own name.
    return f"{scheme}://{host}{re.sub(_USER, '//', tail)}"


def _last(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def is_iri(text: str) -> bool:
    """Whether a URL may stand where a schema wants an IRI reference: plain characters only, none of them encoded."""
    return _IRI.fullmatch(text) is not None


def host_of(url: str) -> str:
    """Return scheme and host of a URL, for messages; "" where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
