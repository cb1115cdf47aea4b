"""What a command takes from its surroundings: clock, home, cache, environment variables. Nothing else reads them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import httpx


def discreet(text: str) -> str:
    """Return a message as it may be shown: inert (P39), and without the path of the home folder (P40)."""
    from sbomgate.report.escape import plain

    home = (os.environ.get("HOME") or os.environ.get("USERPROFILE") or "").rstrip("/\\")
    return plain(text.replace(home + os.sep, "~" + os.sep) if home else text)


def say(message: str) -> None:
    """Write one line to stderr: what happens, never the result. That nobody reads it changes nothing."""
    with contextlib.suppress(OSError):
        print(discreet(message), file=sys.stderr, flush=True)


class Network(TypedDict):
    """How others are reached: what every `open_client` takes."""

    ca_file: str | None
    proxy: str | None
    no_proxy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of one command.

    Attributes:
        now: the time of evaluation, UTC, whole seconds: read once, so that everything in one run agrees.
        variables: the process environment. No variable overrides what the trust file says (PROMISES P21).
        working_directory: where relative paths start.
        tell: is told what happens, one sentence each, never the result; writes to stderr unless a program listens.
        open_client: opens the HTTP client that registries are asked with; None for the usual one.
    """

    now: datetime
    variables: Mapping[str, str]
    working_directory: Path
    tell: Callable[[str], None] = say
    open_client: Callable[[], httpx.AsyncClient] | None = None

    @classmethod
    def of_process(cls) -> Environment:
        """Read the process's surroundings."""
        return cls(
            now=datetime.now(UTC).replace(microsecond=0),
            variables=dict(os.environ),
            working_directory=Path.cwd(),
        )

    @property
    def home(self) -> Path:
        """The home folder; where there is none, a folder of this user's own among the temporary ones.

        Raises:
            UsageError: somebody else made that one: anybody can, and it would hold settings, tokens and caches.
        """
        home = self.variables.get("HOME") or self.variables.get("USERPROFILE")
        if home:
            return Path(home)
        import getpass
        import tempfile

        made = Path(tempfile.gettempdir()) / f"sbomgate-{getpass.getuser()}"
        if os.name == "posix":
            import stat

            with contextlib.suppress(OSError):  # what could not be made fails where something is written into it
                made.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                found = made.lstat()
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                    raise UsageError(
                        "there is no HOME, and this folder in its place belongs to somebody else, or others may write "
                        "to it",
                        where=str(made),
                        hint="set HOME to a folder of your own",
                    )
        return made

    @property
    def cache(self) -> Path:
        """sbomgate's own cache folder (XDG Base Directory)."""
        base = self.variables.get("XDG_CACHE_HOME")
        return (Path(base) if base else self.home / ".cache") / "sbomgate"

    @property
    def npm_cache(self) -> Path:
        """npm's cache folder: `npm_config_cache`, else `~/.npm`."""
        base = self.variables.get("npm_config_cache") or self.variables.get("NPM_CONFIG_CACHE")
        return Path(base) if base else self.home / ".npm"

    @property
    def yarn_cache(self) -> Path:
        """yarn classic's cache folder: `YARN_CACHE_FOLDER`, else where yarn has it on this system (not for root)."""
        base = self.variables.get("YARN_CACHE_FOLDER")
        if base:
            return Path(base)
        local, cache = self.variables.get("LOCALAPPDATA"), self.variables.get("XDG_CACHE_HOME")
        if sys.platform == "win32" and local:
            return Path(local) / "Yarn" / "Cache"
        if sys.platform == "darwin" and not cache:
            return self.home / "Library" / "Caches" / "Yarn"
        return (Path(cache) if cache else self.home / ".cache") / "yarn"

    @property
    def yarn_zips(self) -> tuple[Path, ...]:
        """Where yarn 2 and later keep their archives for all projects (Linux: with and without XDG)."""
        data = self.variables.get("XDG_DATA_HOME")
        shared = [Path(data) / "yarn"] if data else []
        return tuple(base / "berry" / "cache" for base in (*shared, self.home / ".yarn"))

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust beside the system's: NODE_EXTRA_CA_CERTS, as npm's users set it; or None."""
        path = self.variables.get("NODE_EXTRA_CA_CERTS")
        return Path(path) if path else None

    @property
    def network(self) -> Network:
        """How registries, services and servers are reached: one answer for all of them.

        Certificates; the HTTP proxy (HTTPS_PROXY or https_proxy); who is asked without it (NO_PROXY or no_proxy).
        """
        return {
            "ca_file": None if self.ca_file is None else str(self.ca_file),
            "proxy": self.variables.get("HTTPS_PROXY") or self.variables.get("https_proxy") or None,
            "no_proxy": self.variables.get("NO_PROXY") or self.variables.get("no_proxy") or "",
        }

    @property
    def source_date(self) -> datetime | None:
        """SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), or None where it is not set.

        Raises:
            UsageError: it is not a number of seconds.
        """
        text = self.variables.get("SOURCE_DATE_EPOCH")
        if text is None:
            return None
        try:
            if not (
                text.isascii() and text.isdecimal()
            ):  # int() takes signs, blanks, `_` and other scripts' digits too
                raise ValueError("not decimal digits")
            return datetime.fromtimestamp(int(text), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise UsageError(
                f"got {text[:40]!a}, expected seconds since 1970 as a decimal number",
                where="SOURCE_DATE_EPOCH",
                hint="unset it, or set it to `git log -1 --format=%ct`",
            ) from error


def emit(data: bytes, output: str | None, env: Environment) -> None:
    """Write a result to `output`, or to stdout where it is None or `-`. A file is written whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    if output in (None, "-"):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    # The file that a link leads to is replaced, not the link; what is no file (/dev/null, a pipe) is written into.
    path = env.working_directory / output
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            write_atomically(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            where=output,
            hint="give a file in a folder that exists and that this user can write to, with room on its disk",
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a temporary file beside the target, fsync, rename."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
