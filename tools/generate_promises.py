"""Write docs/promises.md: what sbomgate promises, and the tests that prove each line; --check only compares.

The promises are told here; which tests prove them is read from the tests: a test function names a promise in its own
name (`test_P6_…`), its docstring, its parameters or its comments (`P6`); so does a table of named cases. `ROWS` has the
rows of the case list. A promise without a test, a name of no promise, a row without a folder: each is an error.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "promises.md"
HEAD = """\
# What sbomgate promises

<!-- made by tools/generate_promises.py -->

Each line is kept by tests that name it, and by [cases](cases.md), here with the number of their folders. What is not
promised stands in the [security model](security-model.md).
"""
PROMISES = {
    "Fails closed": {
        1: "An error that nobody caught, a time-out, empty input or a file without one single meaning ends with exit "
        "code 2, and no PASSED evidence is written.",
        2: "0 is allowed, 1 is denied, 2 is no decision, usage errors and crashes included. What can be read but "
        "contradicts itself is a finding, so 1.",
        3: "A policy that says nothing, says no boolean, ran no rule or lost one while loading decides nothing; "
        "nor does "
        "a project that declares dependencies and locks none.",
        4: "What is decided on is every entry of the lockfile, once, whatever its kind.",
        5: "Entries that contradict each other, an address of another package, and hashes that are missing, broken, "
        "doubled or weak are findings.",
        6: "An attestation that could not be fetched is never taken for one that does not exist.",
        7: "A bundle, predicate or log entry of an unknown version is `cannot-verify`: neither good nor bad.",
        8: "No flag turns a check off. `observe` denies nothing, and `verify` never accepts its evidence.",
        9: "Every read has a limit: bytes, nesting, entries, members, time, memory.",
    },
    "Decides on what is really there": {
        10: "A file is read once: its digest and its meaning come from the same bytes.",
        11: "Provenance counts for this package with these bytes only, and its certificate names the repository "
        "that its "
        "predicate names.",
        12: "A decision is about one digest, repository, commit, lockfile path and environment; another one is "
        "refused.",
        13: "What ties the artefact to the lockfile is said: `installed`, `contained`, `provenance` or `asserted`; "
        "`release` denies the last.",
        14: "Facts from a file or a cache that are neither verified from bytes nor signed by an accepted identity are "
        "unknown.",
        15: "Valid provenance switches off no other rule.",
        16: "`verify` starts from bytes and trusts no stored result.",
    },
    "Fresh, and not replayed": {
        17: "The time of signing is a log's or a timestamp authority's, else it is labelled as the signer's "
        "word, which "
        "`release` denies. More than five minutes ahead is refused.",
        18: "Whoever verifies sets the age that he accepts; no value means for ever.",
        19: "The newest decision wins; FAILED and revocations beat an older PASSED; a signed head shows what was "
        "withheld.",
        20: "Evidence for one policy or environment does not do for another.",
    },
    "What is trusted": {
        21: "Trust stands in one file from outside the tree under test, or pinned by digest. Nothing else "
        "overrides it, "
        "and by default nobody is accepted.",
        22: "A decision names everything that it rests on by digest; `replay` says which of them is another one.",
        23: "The verdict, waivers included, is Rego's, from the stored input: `opa eval` gives the same. Rules see no "
        "network, file, clock, environment or chance.",
        24: "An OPA that others run is recorded as such; `release` decides again with ours, and a difference is exit "
        "code 2.",
        25: "The trust root is pinned by digest. A key's expiry is judged at the time of the signature.",
        26: "Compiled engines come from a private folder. Cached facts are checked again on use, and `gate` asks the "
        "registry again.",
        27: "The job that signs runs no code of a dependency; the CI templates are tested for it.",
    },
    "Waivers, approvals, overrides": {
        28: "They are signed, for one rule, version, bytes and project, and they end. What is forged or known to be "
        "malicious nobody waives.",
        29: "A waiver that has ended is as if it were not there, and evidence that rests on it ends with it.",
        30: "Nobody approves his own change; an author who is not known counts as everybody.",
        31: "A waiver that is unused, stale or there twice is reported.",
        32: "Break-glass is two persons, at most 24 hours, always told, never PASSED, and only where the trust "
        "file has "
        "it.",
    },
    "Outages": {
        33: "With the registry down only bytes that were verified before count, with their oldest date.",
        34: "With the signing service down the verdict is kept as pending, exit code 2; `--resume` signs it.",
        35: "A package that cannot be fetched stops no other; all failures are told together.",
    },
    "Evidence and output": {
        36: "Stored evidence is never altered; what is removed, altered, reordered or cut is found.",
        37: "What was pushed is read back as the registry serves it.",
        38: "The same inputs give the same bytes.",
        39: "Names and addresses cannot inject into any output.",
        40: "No secret, home folder or credential is printed; tokens go to no other host.",
        41: "Several writers, or one that is killed, lose nothing that was reported as stored.",
    },
}
ROWS = {
    1: ("L03", "L05", "L07", "L08"),
    2: ("L18", "S08"),
    3: ("W12",),
    4: ("L11", "L28", "L30"),
    5: ("A06", "A09", "A10", "A12", "A21", "A22", "A23", "A25"),
    7: ("V20",),
    11: ("V09", "V14", "V16"),
    14: ("V08", "T18"),
    15: ("V23", "I13"),
    25: ("V26",),
    28: ("W02", "W07", "W11"),
    29: ("W01",),
    30: ("W05", "W06"),
    31: ("W09",),
}
"""Promise → rows of the case list, each with its folders in tests/cases, that the whole gate is tried on for it."""
_NAMED = re.compile(r"\bP(\d{1,2})\b|\btest_[Pp](\d{1,2})_")


def proofs() -> dict[int, dict[str, list[str]]]:
    """Return promise → file of tests → names of the tests that name it."""
    found: dict[int, dict[str, list[str]]] = {number: {} for part in PROMISES.values() for number in part}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text()
        lines = source.splitlines()
        for node in ast.parse(source).body:
            match node:
                case ast.FunctionDef(name=name) if name.startswith("test_"):
                    pass
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    pass  # a table of named cases
                case _:
                    continue
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            text = "\n".join(lines[first - 1 : node.end_lineno])
            for number in sorted({int(a or b) for a, b in _NAMED.findall(text)}):
                if number not in found:
                    raise SystemExit(f"{path.relative_to(ROOT)}: {name} names P{number}, which is no promise")
                found[number].setdefault(str(path.relative_to(ROOT)), []).append(name)
    empty = [f"P{number}" for number, tests in found.items() if not tests]
    if empty:
        raise SystemExit(f"no test names {', '.join(empty)}")
    return found


def _cases(row: str) -> str:
    """Return a row of the case list with the number of its folders; there must be one."""
    folders = [path for path in (ROOT / "tests" / "cases").iterdir() if path.name.partition("-")[0] == row]
    if not folders:
        raise SystemExit(f"tests/cases has no folder of {row}")
    return f"{row} ({len(folders)})"


def page() -> bytes:
    """Return the page's bytes."""
    found = proofs()
    parts = [HEAD]
    for title, promises in PROMISES.items():
        parts.append(f"\n## {title}\n")
        for number, text in promises.items():
            parts.append(f"\n### P{number}\n\n{text}\n\n")
            if rows := ROWS.get(number):
                parts.append(f"- [cases](cases.md): {', '.join(_cases(row) for row in rows)}\n")
            for path, names in found[number].items():
                parts.append(f"- `{path}`: {', '.join(f'`{name}`' for name in sorted(set(names)))}\n")
    return "".join(parts).encode()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_bytes() != page():
            sys.exit(f"docs/{TARGET.name} is not what the tests say: run tools/generate_promises.py")
    else:
        TARGET.write_bytes(page())
