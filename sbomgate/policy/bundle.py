"""The policy bundle: Rego and data from a folder or an archive, its digest, and the archive that OPA itself reads.

A folder or archive with a `decision.rego` is a whole policy, used instead of the shipped one; without, it is an
organisation's own rules, which are added to the shipped ones and replace none of them.

A bundle holds `decision.rego`, one file for each rule in `rules/`, whatever else is Rego, and data. Data follows OPA's
own rule for bundles, so that `opa eval -b` on the same files sees the same: only `data.json` is data, at the path of
its folder (`known/data.json` is `data.known`), kept in canonical JSON so that its numbers have one spelling in every
engine. Left out are `*_test.rego`, names that begin with a dot, and whatever
else lies in the folder `data/`: texts and lists that sbomgate reads and Rego does not.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sbomgate import canonical, resources
from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle

MAX_FILES = 1_000  # a rule is one file; nobody reviews more
MAX_FILE_BYTES = 4 << 20  # of text that people write
MAX_BUNDLE_BYTES = 16 << 20  # OPA parses all of it at every start
MAX_PATH = 100  # bytes: the name field of a tar header

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)
_RULE = re.compile(r"rules/([a-z][a-z0-9_]*)\.rego", re.ASCII)
_PACKAGE = re.compile(
    r"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*[ \t]*package[ \t]+([A-Za-z0-9_.]+)[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)", re.ASCII
)
_REFUSED = (".json", ".yaml", ".yml", ".wasm")  # `opa eval -d` reads them, `opa eval -b` does not
_HINT = "a policy is a folder or .tar.gz with decision.rego, rules/*.rego, and data only in files named data.json"


def load(path: Path | None) -> PolicyBundle:
    """Read a bundle from a folder or a `.tar.gz`; None means the policies that travel with this version.

    What has no `decision.rego` is merged with those; a file that would replace one of them is refused.

    Raises:
        PolicyError: empty, no decision.rego, no rule, unreadable, not UTF-8, a link that leaves the folder, a name that
            OPA would read differently, or over MAX_FILES, MAX_FILE_BYTES, MAX_BUNDLE_BYTES.
    """
    where = path or resources.path("policies")
    if any(part.startswith(("oci:", "http:", "https:")) for part in where.parts) and not where.exists():
        raise PolicyError(
            "a policy is read from a folder or a file",
            where=str(where),
            hint="download it first and give the file; its digest goes into the trust file",
        )
    try:
        if where.is_dir():
            return _merged(_from_folder(where), str(where))
        if not where.name.endswith((".tar.gz", ".tgz")):
            raise PolicyError("neither a folder nor a .tar.gz", where=str(where), hint=_HINT)
        with where.open("rb") as f:
            data = f.read(MAX_BUNDLE_BYTES + 1)
    except OSError as e:
        raise PolicyError(f"cannot be read: {e.strerror}", where=str(where), hint=_HINT) from e
    return _merged(_from_archive(_gunzip(data, str(where)), str(where)), str(where))


@functools.cache
def shipped() -> PolicyBundle:
    """Return the policies that travel with this version, read once."""
    return load(None)


def _merged(files: Mapping[str, bytes], where: str) -> PolicyBundle:
    if not files or "decision.rego" in files:
        return _bundle(files, where)
    if not any(_RULE.fullmatch(path) for path in files):
        raise PolicyError("holds neither decision.rego nor a rule in rules/", where=where, hint=_HINT)
    held = shipped().files
    for path in sorted(files.keys() & held.keys()):
        raise PolicyError(
            "would replace a file of the shipped policy",
            where=where,
            place=path,
            hint="give it another name; a whole policy of your own has a decision.rego, and is used instead",
        )
    # A package is open to every file that names it: what is added may not add to what is shipped. From a package around
    # it a rule reaches in by its own name (`package sbomgate`, `lib.finding.spared(…) := true`).
    taken = {_package(path, content, where): path for path, content in held.items() if path.endswith(".rego")}
    for path, content in sorted(files.items()):
        if not path.endswith(".rego"):
            continue
        mine = _package(path, content, where)
        for package, other in taken.items():
            if f"{package}.".startswith(f"{mine}.") or f"{mine}.".startswith(f"{package}."):
                raise PolicyError(
                    f"its package {mine} is, holds or lies in {package} of the shipped {other}",
                    where=where,
                    place=path,
                    hint="rename it",
                )
    return _bundle({**held, **files}, where)


def _package(path: str, content: bytes, where: str) -> str:
    found = _PACKAGE.match(content.decode())
    if found is None:
        raise PolicyError("does not begin with a plain `package a.b`", where=where, place=path)
    return found[1]


def to_tar(bundle: PolicyBundle) -> bytes:
    """Return the bundle as a `.tar.gz` that `opa eval -b` reads: the same bytes for the same files, everywhere.

    It is stored, not compressed, because what a compressor writes depends on its version.
    """
    return _gzip(_tar(bundle.files))


def from_tar(data: bytes) -> PolicyBundle:
    """Read what `to_tar` wrote.

    Raises:
        PolicyError: any byte is not as `to_tar` writes it.
    """
    where = "policy bundle"
    tar = _gunzip(data, where)
    bundle = _bundle(_from_archive(tar, where), where)
    if to_tar(bundle) != data:
        raise PolicyError(
            "is not in its canonical form", where=where, hint="it was altered, or written by another tool"
        )
    return bundle


def data_document(bundle: PolicyBundle) -> dict[str, Any]:
    """Return what Rego sees as `data` before any rule: the bundle's `data.json` files, each at its folder's path.

    Raises:
        PolicyError: not JSON, not an object, or two files that say different things of one path.
    """
    document: dict[str, Any] = {}
    for path, content in sorted(bundle.files.items()):
        if path.rpartition("/")[2] != "data.json":
            continue
        value = _object(path, content)
        for part in reversed(path.split("/")[:-1]):
            value = {part: value}
        _merge(document, value, path)
    return document


def _object(path: str, content: bytes) -> dict[str, Any]:
    try:
        value = canonical.loads(content)
    except ValueError as e:
        raise PolicyError(f"is not JSON: {e}", where=path) from e
    if not isinstance(value, dict):
        raise PolicyError("holds no JSON object", where=path)
    return value


def _merge(into: dict[str, Any], value: Mapping[str, Any], path: str) -> None:
    for name, item in value.items():
        if name not in into:
            into[name] = item
        elif isinstance(item, dict) and isinstance(into[name], dict):
            _merge(into[name], item, path)
        else:
            raise PolicyError(f"{name!r} is also said by another data.json", where=path)


def _bundle(files: Mapping[str, bytes], where: str) -> PolicyBundle:
    if not files:
        raise PolicyError("holds no policy", where=where, hint=_HINT)
    if "decision.rego" not in files:
        raise PolicyError("decision.rego is missing", where=where, hint=_HINT)
    rules = tuple(sorted(found[1] for path in files if (found := _RULE.fullmatch(path))))
    if not rules:
        raise PolicyError("rules/ holds no rule", where=where, hint=_HINT)
    ordered = {
        path: content if path.endswith(".rego") else canonical.dumps(_object(path, content))
        for path, content in sorted(files.items())
    }
    bundle = PolicyBundle(files=ordered, sha256=hashlib.sha256(_tar(ordered)).hexdigest(), rules=rules)
    data_document(bundle)
    return bundle


def _from_folder(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    inside = root.resolve()
    size = 0

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise PolicyError("is a link to a folder", where=str(Path(folder) / name), hint="copy it")
        for name in sorted(names):
            file = Path(folder) / name
            path = file.relative_to(root).as_posix()
            if not _wanted(path, str(root)):
                continue
            # (1) what is read lies in the folder: a link may not leave it
            if not file.resolve().is_relative_to(inside):
                raise PolicyError("is a link that leaves the folder", where=str(file), hint="copy the file")
            if not file.is_file():
                raise PolicyError("is not a regular file", where=str(file))
            with file.open("rb") as f:
                content = f.read(MAX_FILE_BYTES + 1)
            size += len(content)
            _accept(files, path, content, size, str(root))
    return files


def _from_archive(tar: bytes, where: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for member in archive:
                path = member.name.removeprefix("./").removeprefix("/")
                if member.isdir() or not _wanted(path, where):
                    continue
                if not member.isreg():
                    raise PolicyError("is a link or a device", where=where, place=path)
                reader = archive.extractfile(member)
                content = reader.read(MAX_FILE_BYTES + 1) if reader else b""
                if len(content) != min(member.size, MAX_FILE_BYTES + 1):
                    raise PolicyError("is cut short", where=where, place=path)
                size += len(content)
                _accept(files, path, content, size, where)
    except (tarfile.TarError, EOFError, OverflowError) as e:
        raise PolicyError(f"is no tar archive: {e}", where=where, hint=_HINT) from e
    return files


def _wanted(path: str, where: str) -> bool:
    """Whether a file belongs to the bundle. Data that OPA would not see as a bundle's is refused, not skipped."""
    if any(part.startswith(".") and part != ".." for part in path.split("/")):
        return False
    name = path.rpartition("/")[2]
    if name.endswith(".rego"):
        return not name.endswith("_test.rego")
    if name != "data.json" and name.endswith(_REFUSED) and not path.startswith("data/"):
        raise PolicyError("is neither Rego nor data.json", where=where, place=path, hint=_HINT)
    return name == "data.json"


def _accept(files: dict[str, bytes], path: str, content: bytes, size: int, where: str) -> None:
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise PolicyError(
            f"is a name over {MAX_PATH} characters, or with others than letters, digits, `_`, `-`, `.`",
            where=where,
            place=ascii(path[: 2 * MAX_PATH]),
        )
    if path in files:
        raise PolicyError("is there twice", where=where, place=path)
    if len(content) > MAX_FILE_BYTES:
        raise PolicyError(f"is larger than {MAX_FILE_BYTES} bytes", where=where, place=path)
    if size > MAX_BUNDLE_BYTES or len(files) >= MAX_FILES:
        raise PolicyError(f"more than {MAX_FILES} files or {MAX_BUNDLE_BYTES} bytes", where=where)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as e:
        raise PolicyError("is not UTF-8", where=where, place=f"{path}, byte {e.start}") from e
    files[path] = content


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)  # mtime, uid and gid 0, no names, mode 0644
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _gzip(data: bytes) -> bytes:
    """Wrap `data` as gzip (RFC 1952) in stored blocks (RFC 1951, 3.2.4)."""

    def blocks() -> Iterable[bytes]:
        yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
        for start in range(0, len(data), 0xFFFF):
            block = data[start : start + 0xFFFF]
            yield struct.pack("<BHH", start + 0xFFFF >= len(data), len(block), len(block) ^ 0xFFFF) + block
        yield struct.pack("<II", zlib.crc32(data), len(data))

    return b"".join(blocks())


def _gunzip(data: bytes, where: str) -> bytes:
    limit = MAX_BUNDLE_BYTES + MAX_FILES * 2 * tarfile.BLOCKSIZE + tarfile.RECORDSIZE
    reader = zlib.decompressobj(wbits=31)
    try:
        out = reader.decompress(data, limit + 1)
    except zlib.error as e:
        raise PolicyError("is no gzip file", where=where, hint=_HINT) from e
    if len(out) > limit or len(data) > limit:
        raise PolicyError(f"is larger than {MAX_BUNDLE_BYTES} bytes", where=where)
    if not reader.eof or reader.unused_data:
        raise PolicyError("is cut short, or something follows it", where=where)
    return out
