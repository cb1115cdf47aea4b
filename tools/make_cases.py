"""Make the projects of tests/cases from what their case.toml tells, and docs/cases.md from all of them.

    python tools/make_cases.py [NAME …]      write the projects (all, or those named) and the table
    python tools/make_cases.py --check       write nothing; exit 1 where something is not what it would write
    python tools/make_cases.py --bases       first let npm write the lockfiles of the bases (needs the registry)

A case starts from its base's files. Its `edit` list is done in this order, where an attacker would do it:

    {install = "NAME@VERSION"}      npm's own entry of a release; `at` = where (node_modules/NAME), `with` = further
                                    fields, `without` = fields that are left out
    {depend = "NAME@RANGE"}         package.json and the lockfile's root block ask for it; `section`; `only` = one of
                                    `package.json`, `lock`
    {set = [PATH…], to = VALUE}     a value of a JSON file: `file` (package-lock.json)
    {remove = [PATH…]}              takes it away
    {write = PATH, text = TEXT}     a file
    {delete = PATH}                 takes it away; {move = PATH, to = PATH}, {copy = PATH, to = PATH}
    {replace = TEXT, by = TEXT}     in a file's text, after all others
    {encode = CODEC}                a file in another encoding; `bom` puts a byte order mark before it
    {symlink = PATH, to = PATH}     a link
    {generate = WHAT, count = N}    only when the case runs: too large to be checked in

A case with `format` starts from its base's files with the lockfile told in that format; `file` in its edits then names
what is edited.

`{integrity NAME@VERSION}` and `{resolved NAME@VERSION}` in a text stand for those of a release.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from testkit import cases, locks  # noqa: E402

TABLE = ROOT / "docs" / "cases.md"
LOCK = "package-lock.json"
SECTIONS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
# What npm is asked for one after the other: a version is locked first, its range loosened after that.
NPM = ("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
NPM_SETTINGS = ("--omit-lockfile-registry-resolved=false", "--registry=https://registry.npmjs.org/")
PINNED = {"axios": {"axios": "1.14.0", "axios-legacy": "npm:axios@0.30.3"}}
FLAGS = {"small-v1": ["--lockfile-version=1"], "small-v2": ["--lockfile-version=2"]}

Files = dict[str, bytes | Path]  # a Path is what a symbolic link leads to


def project(case: cases.Case) -> Files:
    """Return the files of a case's project: path → bytes, or where a link leads."""
    if not case.base:
        return _on_disk(case)
    files = project(cases.find(case.base))
    if case.format:
        _retell(files, case.format)
    known = cases.releases(case)
    parsed: dict[str, Any] = {}

    def parse(name: str) -> Any:
        if name not in parsed:
            data = files[name]
            assert isinstance(data, bytes), name
            parsed[name] = json.loads(data)
        return parsed[name]

    late = []
    for told in case.edit:
        edit = _filled(told, known)
        match edit:
            case {"install": key}:
                _install(parse(edit.get("file", LOCK)), known[key], edit)
            case {"depend": spec}:
                _depend(parse, spec, edit)
            case {"set": [*path, last], "to": value}:
                _at(parse(edit.get("file", LOCK)), path)[last] = value
            case {"remove": [*path, last]}:
                del _at(parse(edit.get("file", LOCK)), path)[last]
            case {"generate": _}:
                pass
            case _:
                late.append(edit)
    for name, value in parsed.items():
        if name.endswith(LOCK) or name.endswith("npm-shrinkwrap.json"):
            _sort(value)
        files[name] = _dump(value)
    for edit in late:
        _late(files, edit)
    return files


def _on_disk(case: cases.Case) -> Files:
    return {
        path.relative_to(case.folder).as_posix(): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in case.files()
    }


def _retell(files: Files, format: str) -> None:
    """Put the lockfile of another package manager in place of npm's; the packages and edges are the same."""
    data = files.pop(LOCK)
    assert isinstance(data, bytes)
    own = {
        name.removesuffix("/package.json"): json.loads(text)
        for name, text in files.items()
        if name.endswith("/package.json") and isinstance(text, bytes)
    }
    files[locks.FORMATS[format]] = locks.convert(json.loads(data), format, own)
    if format == "pnpm" and (spaces := json.loads(files["package.json"]).get("workspaces")):  # type: ignore[arg-type]
        files["pnpm-workspace.yaml"] = "".join(["packages:\n", *(f"  - {one}\n" for one in spaces)]).encode()


def _filled(value: Any, known: Mapping[str, cases.Release]) -> Any:
    match value:
        case str():
            return cases.fill(value, known)
        case list():
            return [_filled(one, known) for one in value]
        case dict():
            return {_filled(key, known): _filled(one, known) for key, one in value.items()}
        case _:
            return value


def _install(lock: dict[str, Any], release: cases.Release, edit: Mapping[str, Any]) -> None:
    at = edit.get("at", f"node_modules/{release.name}")
    entry = copy.deepcopy(release.lock_entry)
    if at.rpartition("node_modules/")[2] != release.name:
        entry = {"name": release.name, **entry}
    entry |= edit.get("with", {})
    for name in edit.get("without", ()):
        entry.pop(name, None)
    lock["packages"][at] = entry


def _depend(parse: Any, spec: str, edit: Mapping[str, Any]) -> None:
    name, _, range_ = (
        spec.partition("@") if spec[0] != "@" else ("@" + spec[1:].partition("@")[0], "", spec[1:].partition("@")[2])
    )
    wanted = edit.get("section", "dependencies")
    only = edit.get("only")
    holders = []
    if only != "lock":
        holders.append(parse(edit.get("file", "package.json")))
    if only != "package.json":
        holders.append(parse(LOCK)["packages"][edit.get("of", "")])
    for holder in holders:
        for section in SECTIONS:
            if holder.get(section, {}).pop(name, None) is not None and not holder[section]:
                del holder[section]
        holder[wanted] = dict(sorted({**holder.get(wanted, {}), name: range_}.items()))


def _at(value: Any, path: list[Any]) -> Any:
    for key in path:
        value = value.setdefault(key, {}) if isinstance(value, dict) else value[key]
    return value


def _sort(lock: dict[str, Any]) -> None:
    packages = lock.get("packages")
    if isinstance(packages, dict):
        lock["packages"] = {key: packages[key] for key in sorted(packages)}


def _dump(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _late(files: Files, edit: Mapping[str, Any]) -> None:
    name = edit.get("file", LOCK)
    match edit:
        case {"write": path, "text": text}:
            files[path] = text.encode()
        case {"delete": path}:
            del files[path]
        case {"move": path, "to": to}:
            files[to] = files.pop(path)
        case {"copy": path, "to": to}:
            files[to] = files[path]
        case {"symlink": path, "to": to}:
            files[path] = Path(to)
        case {"replace": old, "by": new}:
            data = files[name]
            assert isinstance(data, bytes)
            assert data.count(old.encode()) >= 1, f"{name} does not hold {old!r}"
            files[name] = data.replace(old.encode(), new.encode(), 1)
        case {"encode": codec}:
            data = files[name]
            assert isinstance(data, bytes)
            files[name] = b"\xef\xbb\xbf" + data if codec == "bom" else data.decode().encode(codec)
        case _:
            raise ValueError(f"nobody knows the edit {dict(edit)}")


def write(case: cases.Case, files: Files) -> None:
    """Put a case's files where they belong; what is there and not among them goes."""
    for path in case.files():
        path.unlink()
    for name, data in files.items():
        path = case.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Path):
            path.symlink_to(data)
        else:
            path.write_bytes(data)
    for path in sorted(case.folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def same(case: cases.Case, files: Files) -> bool:
    """Whether a case's folder holds exactly these files."""
    return _on_disk(case) == files


def make_bases() -> None:
    """Let npm write the lockfile of every base."""
    for folder in sorted(cases.BASES.iterdir()):
        if not (folder / "package.json").is_file() or cases.load(folder).base:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch)
            told = json.loads((folder / "package.json").read_bytes())
            pinned = {**told, "dependencies": {**told["dependencies"], **PINNED.get(folder.name, {})}}
            for manifest in (pinned, told):
                (work / "package.json").write_bytes(_dump(manifest))
                subprocess.run(
                    [*NPM, *NPM_SETTINGS, *FLAGS.get(folder.name, ())], cwd=work, check=True, stdout=subprocess.DEVNULL
                )
            shutil.copyfile(work / LOCK, folder / LOCK)


# --------------------------------------------------------------------------------------------------------------------
# The table


def table() -> str:
    """Return docs/cases.md."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("rows", cases.CASES / "rows.py")
    assert spec is not None
    assert spec.loader is not None
    rows = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rows)
    lines = [
        "# Cases",
        "",
        "<!-- made by tools/make_cases.py -->",
        "",
        "What the gate says of each way in which a build can be attacked, misread or wrongly refused. Each row is a",
        "folder of tests/cases with a project, run through the command line: `default` and `strict` against an",
        "approved build, `first run` is `default` without one. The list of malicious packages is empty unless the case",
        "says otherwise. What `default` denies every stricter profile denies, and `observe` records: it allows what",
        "can be decided. Neither is run again for every case; – is not run.",
        "",
        "| case | what | observe | first run | default | strict | release | denied by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in sorted(cases.all_cases(), key=lambda one: (one.id, one.name)):
        default = case.expect["default"]
        implied = default if default.verdict != "allowed" else None
        of_itself = {"observe": _observed(default), "strict": implied, "release": implied}
        order = ("observe", *(profile for profile in cases.PROFILES if profile != "observe"))
        cells = [_cell(case.expect.get(profile, of_itself.get(profile))) for profile in order]
        strongest = [case.expect[p] for p in cases.PROFILES if p in case.expect and case.expect[p].denies]
        by = ", ".join(sorted({d for one in strongest for d in one.denies}))
        lines.append(f"| {case.name} | {case.title.replace('|', '&#124;')} | {' | '.join(cells)} | {by} |")
    lines += _by_format(rows)
    lines += ["", "## Told by tests of their own", "", "| row | where |", "|---|---|"]
    lines += [f"| {row} | {where} |" for row, where in sorted(rows.ELSEWHERE.items())]
    return "\n".join(lines) + "\n"


def reason(rows: Any, row: str, format: str) -> str | None:
    """Return why a row has no folder in a format, None where nobody says."""
    return next((why for formats, why in rows.NOWHERE.get(row, {}).items() if format in formats), None)


def _by_format(rows: Any) -> list[str]:
    """Return the table of the rows about lockfiles: how many folders there are in each format, or why there is none."""
    counts: dict[tuple[str, str], int] = {}
    for case in cases.all_cases():
        key = case.id, case.format or "npm"
        counts[key] = counts.get(key, 0) + 1
    lines = [
        "",
        "## In which lockfile format",
        "",
        "Cases of each row that is about lockfiles, or why there can be none.",
    ]
    lines += ["", f"| row | {' | '.join(rows.FORMATS.values())} | none, because |", "|---" * 7 + "|"]
    for row in rows.ROWS:
        if row[0] not in "ALSC":
            continue
        cells = [str(counts.get((row, format), "–")) for format in rows.FORMATS]
        if row[0] == "A" and not any((row, format) in counts for format in list(rows.FORMATS)[1:]):
            continue
        why = "; ".join(f"{', '.join(rows.FORMATS[f] for f in fs)}: {w}" for fs, w in rows.NOWHERE.get(row, {}).items())
        lines.append(f"| {row} | {' | '.join(cells)} | {why} |")
    return lines


def _observed(default: cases.Expected) -> cases.Expected:
    """Return what `observe` says where `default` says that: decision.rego lets nothing deny in it."""
    return default if default.verdict == "error" else cases.Expected(verdict="allowed")


def _cell(expected: cases.Expected | None) -> str:
    if expected is None:
        return "–"
    word = "no decision" if expected.verdict == "error" else expected.verdict
    return f"{word} (not yet)" if expected.wrong else word


def main() -> int:
    """Write, or compare."""
    arguments = sys.argv[1:]
    check = "--check" in arguments
    names = {one for one in arguments if not one.startswith("--")}
    if "--bases" in arguments:
        make_bases()
    wrong = []
    folders = [*sorted(cases.BASES.iterdir()), *(case.folder for case in cases.all_cases())]
    for folder in folders:
        case = cases.load(folder)
        if not case.base or (names and case.name not in names):
            continue
        files = project(case)
        if same(case, files):
            continue
        wrong.append(case.name)
        if not check:
            write(case, files)
    text = table()
    if not TABLE.is_file() or TABLE.read_text("utf-8") != text:
        wrong.append("docs/cases.md")
        if not check:
            TABLE.write_text(text, "utf-8")
    print("\n".join(wrong) or "all as told", file=sys.stderr if check and wrong else sys.stdout)
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
