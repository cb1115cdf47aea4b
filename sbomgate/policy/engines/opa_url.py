"""The engine `opa-url`: an OPA server that others run. sbomgate pushes its own bundle, and takes it away again.

Such a server may hold other policies and serve other clients. So each evaluation takes a turn (a data document that is
made only where there is none), refuses whatever else lies in `data.sbomgate`, pushes, evaluates, looks again whether
exactly its own modules were there, and cleans up. What a server that lies could still do, the caller has to find out:
`ours` is False (P24).
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

from sbomgate import canonical, tls
from sbomgate.errors import PolicyError, UsageError
from sbomgate.model import PolicyBundle
from sbomgate.policy.bundle import data_document
from sbomgate.policy.engines import path_of
from sbomgate.policy.rest import RestClient

if TYPE_CHECKING:
    from sbomgate.policy.engines import EngineSettings

TURN_SECONDS = 30.0  # a turn may take: pushing, evaluating, cleaning up
STALE_SECONDS = 45.0  # a turn that has not changed hands for so long was left by a client that was killed
WAIT_SECONDS = 180.0  # for our turn
_TURN = "/v1/data/sbomgate_turn"
_PREFIX = "sbomgate/"  # of the ids of our modules: what has it is ours, or was left by one of us
_ROOT = "sbomgate"


def open_engine(settings: EngineSettings) -> OpaUrlEngine:
    """Open the engine.

    Raises:
        UsageError: no URL, or one that would send the input or the token in clear over a network.
    """
    from sbomgate.policy.engines.embedded import EmbeddedEngine

    if settings.url is None:
        raise UsageError("the engine opa-url needs the server's URL", hint="--opa-url https://opa.example:8181")
    # The same OPA that is embedded checks the bundle before it is pushed: the server itself knows no capabilities.
    checker = EmbeddedEngine(settings.cache_dir, settings.notify)

    def check(bundle: PolicyBundle) -> None:
        checker.check(bundle, strict=False)

    return OpaUrlEngine(
        settings.url,
        token=settings.token,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
        no_proxy=settings.no_proxy,
        check=check,
    )


class OpaUrlEngine:
    """An OPA server that we do not run."""

    name = "opa-url"
    ours = False

    def __init__(
        self,
        url: str,
        *,
        check: Callable[[PolicyBundle], None],
        token: str | None = None,
        ca_file: Path | None = None,
        proxy: str | None = None,
        no_proxy: str = "",
        seconds: float = TURN_SECONDS,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: https://…, http:// on loopback, or unix:///path.
            check: raises PolicyError for a bundle that does not compile or calls a forbidden built-in.
            token: bearer token.
            ca_file: PEM certificates to trust instead of the system's.
            proxy: URL of an HTTP proxy; this machine itself is asked directly.
            no_proxy: what else is (`addresses.is_direct`).
            seconds: limit of one exchange.
            stale_seconds: when a turn counts as left behind.

        Raises:
            UsageError: a URL that would send the input or the token in clear over a network, a bad token or proxy.
            PolicyError: the certificates cannot be read.
        """
        base, socket = _address(url)
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
            raise UsageError("the token for OPA holds a blank or a character outside ASCII")
        try:
            context = tls.client_context(ca_file)
        except (OSError, ssl.SSLError) as e:
            raise PolicyError(f"certificates cannot be read: {e}", where=str(ca_file)) from e
        self._client = RestClient(
            base, socket=socket, token=token, context=context, proxy=proxy, no_proxy=no_proxy, seconds=seconds
        )
        self._check = check
        self._checked: set[str] = set()
        self._stale_seconds = stale_seconds
        self.version = "unknown"  # until the first evaluation: by the server's own word

    def prepare(self, bundle: PolicyBundle, query: str) -> None:
        """Do nothing: the server is asked when there is something to ask."""

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) and return its canonical JSON.

        Raises:
            PolicyError: compile error, forbidden built-in, undefined result, failing built-in, over a limit, foreign
                policy or data in `data.sbomgate`, a bundle that changed meanwhile, or no usable answer.
        """
        # (1) the built-ins, before anything is pushed (P23)
        if bundle.sha256 not in self._checked:
            self._check(bundle)
            self._checked.add(bundle.sha256)
        names = ".".join(path_of(query))
        once = secrets.token_hex(16)
        modules = {
            f"{_PREFIX}{bundle.sha256}/{path}": text.decode("utf-8")
            for path, text in bundle.files.items()
            if path.endswith(".rego")
        }
        # One module of this evaluation's own, whose answer says so: no cache and no mix-up on the way has it already.
        own = f"answer_{once}"
        modules[f"{_PREFIX}{own}"] = f'package {_ROOT}.{own}\n\nanswer := {{"of": "{once}", "is": data.{names}}}\n'
        with self._turn() as require_turn:
            # (2) nothing but ours under data.sbomgate: what others put there would be merged into the decision
            self._take_away(self._own_ids(self._modules()))
            self._require_empty("/v1/data/" + _ROOT)
            data = self._new_data(bundle)
            try:
                for name, value in data.items():
                    self._client.send("PUT", f"/v1/data/{quote(name, safe='')}", value, accept=(204,))
                self._push(modules)
                answer = self._client.value(policy_input, f"data.{_ROOT}.{own}.answer", shown=query)
                self.version = self._said_version()
                result = self._of(once, answer)
                # (3) what was evaluated is what we pushed: all of it, unaltered, alone, and still in our turn (P3)
                if self._modules() != modules:
                    raise self._error("the policy on the server changed during the evaluation")
                require_turn()
            finally:
                self._take_away(modules)
                for name in data:
                    self._client.send("DELETE", f"/v1/data/{quote(name, safe='')}", accept=(204, 404))
        return result

    def _of(self, once: str, answer: object) -> bytes:
        """Return the result in an answer, as canonical JSON: the answer must be that of this evaluation."""
        match answer:
            case {"of": str(said), "is": found} if said == once:
                return canonical.dumps(found)
            case _:
                raise self._error("gives the answer of another request", "what stands between here and OPA?")

    def close(self) -> None:
        """Close the connections. Nothing of ours is on the server after an evaluation."""
        self._client.close()

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _said_version(self) -> str:
        """Return what the server says of its version; many do not let a client ask, so that is no error."""
        try:
            _, answer = self._client.send("POST", "/v1/query", b'{"query":"v := opa.runtime().version"}')
            said = answer["result"][0]["v"]
        except (PolicyError, KeyError, IndexError, TypeError):
            return "unknown"
        return said if isinstance(said, str) and re.fullmatch(r"[\w.+-]{1,64}", said) else "unknown"

    @contextmanager
    def _turn(self) -> Iterator[Callable[[], None]]:
        """Hold the server for ourselves among the clients of our kind; yields a check that we still do."""
        mine = {"holder": secrets.token_hex(16)}
        begun = changed = time.monotonic()
        seen: object = None
        while True:
            status, _ = self._client.send("PUT", _TURN, json.dumps(mine).encode(), if_absent=True, accept=(204, 304))
            if status == 204:
                break
            _, answer = self._client.send("GET", _TURN)
            holder = answer.get("result") if isinstance(answer, dict) else None
            if holder == mine:  # put there by a request whose answer was lost
                break
            now = time.monotonic()
            if holder != seen:
                seen, changed = holder, now
            elif now - changed > self._stale_seconds:
                self._client.send("DELETE", _TURN, accept=(204, 404))
            if now - begun > WAIT_SECONDS:
                raise self._error(f"the server was not free within {WAIT_SECONDS:g} s", "try again")
            time.sleep(0.1)

        def require_turn() -> None:
            _, answer = self._client.send("GET", _TURN)
            if not isinstance(answer, dict) or answer.get("result") != mine:
                raise self._error("another client took the server over", "try again")

        try:
            yield require_turn
        finally:
            _, answer = self._client.send("GET", _TURN)
            if isinstance(answer, dict) and answer.get("result") == mine:
                self._client.send("DELETE", _TURN, accept=(204, 404))

    def _modules(self) -> dict[str, str]:
        """Return the text of every module on the server that speaks in package sbomgate, by id."""
        _, answer = self._client.send("GET", "/v1/policies")
        found: dict[str, str] = {}
        try:
            for module in answer["result"]:
                package = [part["value"] for part in module["ast"]["package"]["path"]]
                if package[1:2] in ([], [_ROOT]):
                    found[module["id"]] = module["raw"]
        except (KeyError, TypeError) as e:
            raise self._error("answers with a list of policies that is not OPA's", "is this OPA's own address?") from e
        return found

    def _own_ids(self, modules: Mapping[str, str]) -> list[str]:
        foreign = sorted(name for name in modules if not name.startswith(_PREFIX))
        if foreign:
            raise self._error(
                f"holds {len(foreign)} module(s) in package {_ROOT} that are not ours: {', '.join(foreign[:3])[:200]}",
                "they would be merged into the decision: remove them, or use another server",
            )
        return list(modules)

    def _require_empty(self, path: str) -> None:
        _, answer = self._client.send("GET", path)
        if not isinstance(answer, dict) or answer.get("result") not in (None, {}):
            raise self._error(
                f"holds data under {path} that is not ours",
                "it would be merged into the decision: remove it, or use another server",
            )

    def _new_data(self, bundle: PolicyBundle) -> dict[str, bytes]:
        """Return the bundle's data by top-level name: the server has none of them yet, or the very same value."""
        new: dict[str, bytes] = {}
        for name, value in sorted(data_document(bundle).items()):
            _, answer = self._client.send("GET", f"/v1/data/{quote(name, safe='')}")
            if not isinstance(answer, dict) or "result" not in answer:
                new[name] = canonical.dumps(value)
            elif answer["result"] != value:
                raise self._error(f"already holds other data under {name!r}", "use another server for this policy")
        return new

    def _push(self, modules: Mapping[str, str]) -> None:
        """Push all modules, each after those that it calls: the server refuses a call of what it does not have yet."""
        pending = sorted(modules)
        while pending:
            refused: list[str] = []
            for name in pending:
                text = modules[name].encode("utf-8")
                status, _ = self._client.send(
                    "PUT", f"/v1/policies/{quote(name)}", text, content_type="text/plain", accept=(200, 400)
                )
                if status == 400:
                    refused.append(name)
            if len(refused) == len(pending):
                name = refused[0]
                text = modules[name].encode("utf-8")
                self._client.send("PUT", f"/v1/policies/{quote(name)}", text, content_type="text/plain")
                return
            pending = refused

    def _take_away(self, names: Mapping[str, str] | list[str]) -> None:
        """Remove our modules, each before those that it calls."""
        pending = sorted(names, reverse=True)
        while pending:
            refused: list[str] = []
            for name in pending:
                status, _ = self._client.send("DELETE", f"/v1/policies/{quote(name)}", accept=(200, 400, 404))
                if status == 400:
                    refused.append(name)
            if len(refused) == len(pending):
                raise self._error(f"does not let {refused[0]} be removed")
            pending = refused

    def _error(self, message: str, hint: str = "use the embedded engine, or an OPA of your own") -> PolicyError:
        return PolicyError(message, where=self._client.where, hint=hint)


def _address(url: str) -> tuple[str, Path | None]:
    """Return the base URL and the unix socket. The message never repeats the URL: it may hold a secret."""
    hint = "https://host:port, http:// on loopback, or unix:///path/to/socket"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise UsageError("--opa-url is no URL", hint=hint) from e
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(
            "--opa-url holds user info, a query or a fragment", hint=f"{hint}; a token is given on its own"
        )
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
        return "http://opa", Path(parts.path)
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[!-~]+", url):
        raise UsageError("--opa-url has no scheme that is known, or no host", hint=hint)
    if parts.scheme == "http" and not _is_loopback(host):
        raise UsageError("--opa-url would send the input in clear over the network", hint=hint)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
