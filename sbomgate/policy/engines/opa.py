"""The engine `opa`: a local `opa` that we start on a unix socket, in a private folder, and end.

It is never picked silently: the caller asked for it, and names the binary.
"""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sbomgate import resources
from sbomgate.errors import PolicyError, UsageError
from sbomgate.model import PolicyBundle
from sbomgate.policy.bundle import to_tar
from sbomgate.policy.rest import RestClient

if TYPE_CHECKING:
    from sbomgate.policy.engines import EngineSettings

START_SECONDS = 20.0  # for `opa check` and for the server's start: 131 ms on an idle machine
STOP_SECONDS = 5.0
SECONDS = 60.0  # for one evaluation
_SOCKET_PATH = 100  # bytes: sun_path holds 104 on macOS, 108 on Linux
_COMPLAINT = 2_000  # bytes of stderr that are read
# Not our environment: OPA takes its flags from OPA_*, and `opa.runtime` would hand the rest to a policy. A server
# that lives for one decision spends a third of its time on garbage in the middle of it: four times later will do, up to
# as much memory as the embedded engine may have.
_ENVIRONMENT = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}


def open_engine(settings: EngineSettings) -> OpaEngine:
    """Open the engine; the server starts with the first evaluation.

    Raises:
        UsageError: no binary is named. PolicyError: it is not OPA, or older than 1.0.
    """
    if settings.opa is None:
        raise UsageError("there is no `opa` on PATH", hint="install OPA, or use the embedded engine")
    return OpaEngine(settings.opa)


class OpaEngine:
    """A server of our own, which holds one bundle and nothing else."""

    name = "opa"
    ours = True

    def __init__(self, binary: Path, *, seconds: float = SECONDS) -> None:
        """Ask the binary for its version.

        Raises:
            PolicyError: it is not OPA, or older than 1.0.
        """
        self._binary = binary.absolute()
        self._seconds = seconds
        said = self._call("version")
        found = re.search(r"^Version: (\d+)\.(\d+)\.(\S+)$", said.stdout, re.MULTILINE)
        if said.returncode or not found:
            raise PolicyError("does not say which OPA it is", where=str(binary), hint="is this the `opa` binary?")
        if int(found[1]) < 1:
            raise PolicyError(
                f"is OPA {found[0].split()[1]}, expected 1.0 or later",
                where=str(binary),
                hint="earlier versions read Rego differently",
            )
        self.version = f"{found[1]}.{found[2]}.{found[3]}"
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._client: RestClient | None = None
        self._sha256 = ""

    def prepare(self, bundle: PolicyBundle, query: str) -> None:
        """Do nothing: the server is asked when there is something to ask."""

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) and return its canonical JSON.

        Raises:
            PolicyError: compile error, forbidden built-in, undefined result, failing built-in, or over a limit.
        """
        if bundle.sha256 != self._sha256 or self._client is None:
            self.close()
            self._start(bundle)
        assert self._client is not None and self._server is not None  # noqa: S101, PT018  set by _start
        if self._server.poll() is not None:
            raise PolicyError(
                f"ended by itself with code {self._server.returncode}", where=str(self._binary), hint="try again"
            )
        return self._client.evaluate(policy_input, query)

    def close(self) -> None:
        """End the server and remove its folder."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._sha256 = ""

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [str(self._binary), *arguments],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=START_SECONDS,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise PolicyError(f"cannot be run: {e}", where=str(self._binary)) from e

    def _start(self, bundle: PolicyBundle) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sbomgate-")  # mode 0700
        if len(self._folder.name) + len("/opa.sock") > _SOCKET_PATH:
            self._folder.cleanup()
            self._folder = tempfile.TemporaryDirectory(prefix="sbomgate-", dir="/tmp")  # a short name
        try:
            self._serve(bundle, Path(self._folder.name))
        except BaseException:
            self.close()
            raise

    def _serve(self, bundle: PolicyBundle, folder: Path) -> None:
        archive, own, log = folder / "bundle.tar.gz", folder / "opa.sock", folder / "stderr"
        archive.write_bytes(to_tar(bundle))
        # (1) the built-ins: `opa run` knows no capabilities, so they are checked before (P23)
        capabilities = resources.path("engine", "dist", "capabilities.json")
        checked = self._call("check", "--bundle", "--capabilities", str(capabilities), str(archive))
        if checked.returncode:
            raise self._refused(checked.stderr or checked.stdout, folder)
        # (2) our own socket, in a folder that nobody else can enter; this bundle and nothing else
        with log.open("wb") as stderr:
            self._server = subprocess.Popen(
                [
                    str(self._binary),
                    "run",
                    "--server",
                    f"--addr=unix://{own}",
                    "--disable-telemetry",
                    "--log-level=error",
                    "--bundle",
                    str(archive),
                ],
                env=_ENVIRONMENT,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        deadline = time.monotonic() + START_SECONDS
        while not _listens(own):  # it is there a moment before anybody listens
            if self._server.poll() is not None:
                with log.open("rb") as f:
                    raise self._refused(f.read(_COMPLAINT).decode("utf-8", "replace"), folder)
            if time.monotonic() > deadline:
                raise PolicyError(f"did not start within {START_SECONDS:g} s", where=str(self._binary))
            time.sleep(0.005)
        self._client = RestClient("http://opa", socket=own, seconds=self._seconds)
        self._client.send("GET", "/health?bundles=true")
        self._sha256 = bundle.sha256

    def _refused(self, said: str, folder: Path) -> PolicyError:
        lines = said.replace(f"{folder}/bundle.tar.gz/", "").replace(str(folder), "").strip().splitlines()
        errors = [line for line in lines if not re.fullmatch(r"\d+ errors? occurred:?.*", line)] or lines
        first = (errors or ["it gives no reason"])[0].strip()[:500]
        undefined = re.search(r"undefined function (\S+)", first)
        if undefined and undefined[1].split(".")[0] not in ("data", "input"):
            return PolicyError(
                f"{first}: unknown, or forbidden [forbidden]",
                where="policy",
                hint="a policy sees its input and its data, nothing else: take the call out",
            )
        return PolicyError(first, where="policy", hint="the policy does not hold together: correct it")


def _listens(path: Path) -> bool:
    """Whether somebody accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
