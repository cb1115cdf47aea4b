"""Where tests, demo and benchmarks find the engines' real parts."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from sbomgate.policy import bundle
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.evaluation import QUERY

REPOSITORY = Path(__file__).resolve().parents[2]
COMPILED = (".cwasm", ".snapshot")
START_SECONDS = 60  # on a loaded machine; a server needs a tenth of a second


@functools.cache
def engine_cache() -> Path:
    """A private folder that outlives the run, with the engine and the shipped policy compiled: that takes seconds."""
    folder = Path(tempfile.gettempdir()) / f"sbomgate-test-engine-{os.getuid()}"
    with EmbeddedEngine(folder, lambda sentence: None) as engine:
        engine.prepare(bundle.shipped(), QUERY)
        engine.wait()
    return folder


def borrow_engine(folder: Path) -> None:
    """Link what is compiled into a cache folder of a test's own. Its files are large: replace them whole."""
    for compiled in engine_cache().iterdir():
        if compiled.suffix not in COMPILED:
            continue
        try:
            os.link(compiled, folder / compiled.name)
        except (FileExistsError, FileNotFoundError):
            continue
        except OSError:  # another file system
            shutil.copy2(compiled, folder)


def pinned_opa() -> str:
    """The version of OPA that the embedded engine is built from."""
    found = re.search(r"open-policy-agent/opa v(\S+)", (REPOSITORY / "engine" / "go.mod").read_text())
    assert found
    return found[1]


def find_opa() -> Path | None:
    """The real `opa` at the pinned version: in `.tools/bin` (tools/install_parts.sh), else on PATH."""
    found = shutil.which("opa", path=str(REPOSITORY / ".tools" / "bin")) or shutil.which("opa")
    if found is None:
        return None
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
    return Path(found) if f"Version: {pinned_opa()}\n" in said else None


class Server:
    """An OPA that somebody else runs, on a unix socket."""

    def __init__(self, opa: Path, folder: Path, *arguments: str) -> None:
        self.socket = folder / "opa.sock"
        self.url = f"unix://{self.socket}"
        self.process = subprocess.Popen(
            [opa, "run", "--server", f"--addr={self.url}", "--disable-telemetry", "--log-level=error", *arguments],
            env={},
            cwd=folder,
        )
        self.client = httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://opa")
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise AssertionError(f"OPA does not answer; exit code {self.process.returncode}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        """Whether it listens: its socket is there before it does."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.socket))
            return True
        return False

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self.process.terminate()
        self.process.wait()
