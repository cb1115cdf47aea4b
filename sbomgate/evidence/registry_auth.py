"""Logging in to an OCI registry: Docker's configuration, its credential helpers, basic and bearer authentication.

Nothing is sent before the registry asks (401), nothing to another host than the registry's and the token service that
it names over TLS, and nothing of it stands in a message (PROMISES P40). Sources: Docker's `config.json` and
docker-credential-helpers' protocol; the distribution project's token authentication and its OAuth2 form; RFC 9110
section 11.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sbomgate import dsse
from sbomgate.errors import EvidenceError, FetchError

MAX_CONFIG_BYTES = 1 << 20  # a config.json with a hundred registries has 20 kB
MAX_HELPER_BYTES = 64 << 10  # a helper answers with one token: cloud registries' have up to 5 kB
MAX_HELPER_SECONDS = 60.0  # cloud helpers ask their own service first
MAX_TOKEN_BYTES = 256 << 10  # a token service's answer
CLIENT_ID = "sbomgate"

DOCKER_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"  # Docker's own name for its registry
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SENDABLE = re.compile(r"[\x21-\x7e]{1,65536}")  # what a header may hold; anything else would show in an error
_PARAMETER = re.compile(r'([A-Za-z]+)="([^"]*)"')
_SCHEME = re.compile(r"\s*(Basic|Bearer)\b", re.IGNORECASE)
_IDENTITY = "<token>"  # the user name by which a helper says that its secret is an identity token
_NOT_FOUND = b"credentials not found in native keychain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who logs in: a user with a password, or an identity token that is exchanged, or a bearer token as it is."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)

    @property
    def basic(self) -> str | None:
        """The header of basic authentication, or None without a user."""
        if not self.user:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


Helper = Callable[[str, str], bytes | None]
"""Runs `docker-credential-NAME get` for a server and returns what it wrote; None where it knows no such server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """What Docker's config.json says about logging in: `repr` leaves out what is secret."""

    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None
    where: str = "config.json"

    def account(self, host: str, run: Helper) -> Account | None:
        """Return the account for a registry's host: of its own helper, else the general one, else of the file itself.

        Raises:
            FetchError: a helper is named and does not answer as one; an entry cannot be read.
        """
        keys = _keys(host)
        named = next((self.helpers[key] for key in keys if key in self.helpers), self.store)
        if named is not None:
            # (1) a helper: its name becomes a program's, so it is nothing but a name
            if not _HELPER.fullmatch(named):
                raise FetchError("names a credential helper that is no plain name", where=self.where)
            answer = run(named, keys[0])
            if answer is not None:
                return _helped(answer, named)
        # (2) the file's own entry
        entry = next((self.auths[key] for key in keys if key in self.auths), None)
        return None if entry is None else _entry(entry, f"{self.where}: auths: {host}")


NO_LOGIN = DockerConfig()


def read_config(data: bytes, where: str) -> DockerConfig:
    """Read Docker's config.json. What it says besides logins is not looked at.

    Raises:
        FetchError: it cannot be read as one.
    """
    found = _object(data, where)
    auths, helpers = ({} if found.get(name) is None else found[name] for name in ("auths", "credHelpers"))
    store = found.get("credsStore") or None
    fits = (
        isinstance(auths, dict)
        and all(isinstance(one, dict) for one in auths.values())
        and isinstance(helpers, dict)
        and all(isinstance(one, str) for one in helpers.values())
        and (store is None or isinstance(store, str))
    )
    if not fits:
        raise FetchError("auths, credHelpers or credsStore are not what Docker writes", where=where)
    return DockerConfig(auths=auths, helpers=helpers, store=store, where=where)


def run_helper(
    name: str, server: str, *, program: Callable[[str], str | None], environment: Mapping[str, str]
) -> bytes | None:
    """Run a credential helper, bounded in time and output, and return what it wrote.

    Args:
        name: `NAME` of docker-credential-NAME.
        server: what it is asked about.
        program: command → path of the program, or None where there is none.
        environment: of the helper.

    Returns:
        Its answer, or None where it knows nothing of this server.

    Raises:
        FetchError: there is no such program, it takes too long, writes too much or fails.
    """
    command = f"docker-credential-{name}"
    path = program(command)
    if path is None:
        raise FetchError(
            "no such program on PATH",
            where=command,
            hint="install the credential helper that Docker's config.json names, or take it out there",
        )
    try:
        process = subprocess.Popen(
            [path, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may hold what nobody may see
            env=dict(environment),
            process_group=0,
        )
    except OSError as e:
        raise FetchError(f"cannot be started: {(e.strerror or str(e)).lower()}", where=command) from e
    timer = threading.Timer(MAX_HELPER_SECONDS, _kill, [process])
    timer.start()
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(server.encode() + b"\n")
            process.stdin.close()
        written = process.stdout.read(MAX_HELPER_BYTES + 1)
        if len(written) > MAX_HELPER_BYTES:
            raise FetchError(f"wrote more than {MAX_HELPER_BYTES} bytes", where=command)
        code = process.wait()
    finally:
        timer.cancel()
        _kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
    if code == 0:
        return written
    if _NOT_FOUND in written:
        return None
    what = f"was ended after {MAX_HELPER_SECONDS:g} seconds" if code == -9 else f"exited with {code}"
    raise FetchError(what, where=f"{command} get", hint="run it by hand: `echo HOST | docker-credential-NAME get`")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a helper and what it started: a child that lives on would hold its output open."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _keys(host: str) -> tuple[str, ...]:
    """Return the names under which Docker may keep a registry's login: first the one that a helper is asked with."""
    plain = (host, f"https://{host}", f"http://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    return (_HUB_KEY, *plain) if host == DOCKER_HUB else plain


def _helped(answer: bytes, name: str) -> Account | None:
    where = f"docker-credential-{name}"
    found = _object(answer, where)
    user, secret = found.get("Username"), found.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise FetchError("its answer holds no Username and Secret", where=where)
    if user == _IDENTITY:
        return Account(identity_token=secret)
    return Account(user=user, password=secret) if user else None


def _entry(entry: Mapping[str, Any], where: str) -> Account | None:
    texts = {name: entry.get(name) or "" for name in ("auth", "username", "password", "identitytoken", "registrytoken")}
    if any(not isinstance(one, str) for one in texts.values()):
        raise FetchError("not what `docker login` writes", where=where)
    if texts["registrytoken"]:
        return Account(bearer=texts["registrytoken"])
    if texts["identitytoken"]:
        return Account(identity_token=texts["identitytoken"])
    user, password = texts["username"], texts["password"]
    if texts["auth"]:
        try:
            user, colon, password = base64.b64decode(texts["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            # what could not be decoded is not shown, nor kept as the cause of what is
            colon = ""
        if not colon:
            raise FetchError("auth: not base64 of USER:PASSWORD", where=where, hint="run `docker login` again")
        password = password.rstrip("\0")
    return Account(user=user, password=password) if user else None


def _object(data: bytes, where: str) -> dict[str, Any]:
    """Parse a JSON object; an error says where it is broken and shows nothing of it."""
    try:
        found = dsse.loads(data, where)
    except EvidenceError:
        found = None
    if not isinstance(found, dict):
        raise FetchError("not a JSON object", where=where)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry wants to see: `scheme` basic or bearer, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def challenge(headers: Sequence[str]) -> Challenge | None:
    """Return the challenge in WWW-Authenticate headers, bearer before basic; None where neither is asked."""
    found: list[Challenge] = []
    for header in headers:
        if (scheme := _SCHEME.match(header[:8192])) is not None:
            parameters = {name.lower(): value for name, value in _PARAMETER.findall(header[:8192])}
            found.append(Challenge(scheme=scheme[1].lower(), parameters=parameters))
    return max(found, key=lambda one: one.scheme, default=None)  # "bearer" sorts after "basic"


Exchange = Callable[[str, Mapping[str, str], Mapping[str, str] | None], bytes]
"""Asks a token service: URL, headers, and the form to post or None for a GET; returns the body of a 200."""


class Login:
    """The Authorization header of one repository, renewed when the registry asks; for several threads at once."""

    def __init__(self, *, scope: str, account: Callable[[], Account | None], exchange: Exchange) -> None:
        """Ask `account` only when a registry wants to know, and once; `exchange` reaches the token service."""
        self._scope = scope
        self._ask_account = account
        self._account: Account | None = None
        self._asked = False
        self._exchange = exchange
        self._lock = threading.Lock()
        self.header: str | None = None

    def answer(self, headers: Sequence[str], sent: str | None) -> bool:
        """Have another header after a 401; whether it is worth asking again.

        Args:
            headers: WWW-Authenticate, as they came.
            sent: the header that was refused.

        Raises:
            FetchError: the token service gives no token, or the account cannot be had.
        """
        with self._lock:
            if self.header != sent:  # another thread has renewed it in the meantime
                return True
            wanted = challenge(headers)
            if wanted is None:
                return False
            if not self._asked:
                self._account, self._asked = self._ask_account(), True
            basic = None if self._account is None else self._account.basic
            fresh = self._token(wanted) if wanted.scheme == "bearer" else basic
            if fresh is None or (fresh == sent and wanted.scheme == "basic"):
                return False
            self.header = fresh
            return True

    def _token(self, wanted: Challenge) -> str | None:
        account = self._account or Account()
        if account.bearer:
            return _bearer(account.bearer, "Docker's config.json")
        realm = wanted.parameters.get("realm", "")
        asked = {"service": wanted.parameters.get("service", ""), "scope": self._scope}
        asked = {name: value for name, value in asked.items() if value}
        if account.identity_token:
            # OAuth2: an identity token is a refresh token
            form = {
                "grant_type": "refresh_token",
                "client_id": CLIENT_ID,
                "refresh_token": account.identity_token,
                **asked,
            }
            body = self._exchange(realm, {}, form)
        else:
            headers = {} if account.basic is None else {"authorization": account.basic}
            body = self._exchange(_with_query(realm, asked), headers, None)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = None
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        return _bearer(token, "the token service")


def _bearer(token: object, where: str) -> str:
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise FetchError("gives no token that can be sent", where=where)
    return f"Bearer {token}"


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
