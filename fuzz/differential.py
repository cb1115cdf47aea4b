"""What package managers and sbomgate make of the same changed project: `python fuzz/differential.py [PROJECT …]`.

    --runs N       changed projects a project (default 40); --seed, --first: another row, or from another place in it
    --out FILE     one JSON line a sample
    --make         let the pinned managers write tests/fixtures/plain anew

Each sample changes the lockfile, or package.json, by its structure or by its text; the same ones for the same seed. The
manager installs frozen and without scripts from a registry on this machine, `sbomgate check` decides. Shown is what
wants a person's eye:

    ALLOWED   the manager refuses it, or installs other packages than our graph says, and we allow it
    OTHER     it installs other packages, and we deny
    DENIED    the manager installs exactly what we say, and a reader of ours found something, or refuses (--denied)

Exit code: 1 where there is an ALLOWED that `HARMLESS` does not explain. The managers are those of tools/managers
(`sh tools/install_parts.sh .tools/bin`).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "tests"), str(HERE.parent)]

from testkit import differential  # noqa: E402
from testkit.differential import LOCKFILES, Files, manager_of, reason  # noqa: E402

SEED = 20261121

VERSIONS = (
    "1.0.0",
    "1.1.0",
    "2.0.0",
    "9.9.9",
    "^1.0.0",
    "*",
    "latest",
    "v1.0.0",
    "1.0.0+x",
    "1.0.0-rc.1",
    "1",
    "",
    "x",
)
NAMES = ("leaf", "inner", "for-all", "@fx/scoped", "ghost", "met", "overridden", "__proto__", "LEAF", "..", "a/b")
SPECIFIERS = (
    "npm:inner@1.0.0",
    "npm:leaf@2.0.0",
    "file:packages/met",
    "link:packages/met",
    "workspace:*",
    "github:a/b",
)
ADDED: tuple[tuple[str, Any], ...] = (
    ("link", True), ("dev", True), ("optional", True), ("peer", True), ("devOptional", True), ("extraneous", True),
    ("inBundle", True), ("bundled", True), ("hasShrinkwrap", True), ("hasInstallScript", True), ("os", ["aix"]),
    ("cpu", ["!x64"]), ("engines", {"node": ">=99"}), ("name", "inner"), ("version", "2.0.0"), ("from", "inner@1.0.0"),
    ("resolved", "packages/met"), ("requires", {"inner": "1.0.0"}), ("dependencies", {"inner": "1.0.0"}),
    ("optionalDependencies", {"inner": "1.0.0"}), ("peerDependencies", {"inner": "1.0.0"}),
    ("devDependencies", {"inner": "1.0.0"}), ("bundleDependencies", ["leaf"]), ("bundleDependencies", True),
    ("dependencies", {"leaf": "2.0.0"}), ("overrides", {"leaf": "2.0.0"}), ("resolutions", {"leaf": "2.0.0"}),
    ("workspaces", []), ("lockfileVersion", 3), ("packages", {}), ("packageManager", "npm@1.0.0"),
    ("pnpm", {"overrides": {"leaf": "2.0.0"}}), ("acceptDependencies", {"leaf": "*"}), ("extra", 1),
    ("peerDependenciesMeta", {"leaf": {"optional": True}}), ("catalog", {"leaf": "2.0.0"}),
    ("patchedDependencies", {"leaf@1.0.0": "x.patch"}), ("trustedDependencies", ["leaf"]),
    ("dependenciesMeta", {"leaf": {"injected": True}}), ("installConfig", {"hoistingLimits": "workspaces"}),
)  # fmt: skip
LINES = (
    "    optional: true", "    dev: true", "  dependencies:", '    inner: "1.0.0"', "    inner: 1.0.0",
    '  version "2.0.0"', '  name "inner"', '  uid "2.0.0"', "  linkType: soft", "  languageName: unknown",
    "  conditions: os=aix",
    "    os: [aix]", "    requiresBuild: true", "    hasBin: true", "    bundledDependencies: [leaf]", "overrides:",
    "  leaf: 2.0.0", "---", "...", "# a comment", '  registry "x"', '    leaf "2.0.0"', "  autoInstallPeers: false",
    "    peerDependencies:", "      inner: 1.0.0", "  bin:", "    leaf: ./x.js",
    "    transitivePeerDependencies: [inner]",
    "packageExtensionsChecksum: sha256-x", "pnpmfileChecksum: sha256-x", "  injectWorkspacePackages: true",
    "ignoredOptionalDependencies: [platforms]", "  dependenciesMeta:", "    deprecated: no",
    "    engines: {node: '>=99'}",
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, True, False, 0, 1, 1.5, "", "x", [], {}, [[]], {"x": "1.0.0"}, 2**53, "../..", "/etc")

Change = tuple[str, bytes]
"""What was done, and the file as it is then."""

# --------------------------------------------------------------------------------------------------------------------
# Changes of the text


def _text(data: bytes, chance: random.Random) -> Change:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(12):
        case 0:
            return "truncated", data[: chance.randrange(len(data))]
        case 1:
            block = b"\n".join(lines[at : at + 2])
            new = [*lines[:at], b"<<<<<<< ours", block, b"=======", block, b">>>>>>> theirs", *lines[at + 2 :]]
            return "conflict", b"\n".join(new)
        case 2:
            return "mark", b"\xef\xbb\xbf" + data
        case 3:
            return "crlf", data.replace(b"\n", b"\r\n")
        case 4:
            comment = chance.choice((b"// x", b"/* x */", b"# x", b"  # x"))
            return f"comment {comment.decode()}", b"\n".join([*lines[:at], comment, *lines[at:]])
        case 5:
            return f"line {at} left out", b"\n".join([*lines[:at], *lines[at + 1 :]])
        case 6:
            return f"line {at} doubled", b"\n".join([*lines[:at], lines[at], *lines[at:]])
        case 7:
            to = chance.randrange(len(lines))
            rest = [*lines[:at], *lines[at + 1 :]]
            return f"line {at} moved to {to}", b"\n".join([*rest[:to], lines[at], *rest[to:]])
        case 8:
            return f"line {at} unquoted", b"\n".join([*lines[:at], lines[at].replace(b'"', b""), *lines[at + 1 :]])
        case 9:
            return f"line {at} indented", b"\n".join([*lines[:at], b"  " + lines[at], *lines[at + 1 :]])
        case 10:
            return f"line {at} with blanks", b"\n".join([*lines[:at], lines[at] + b"   ", *lines[at + 1 :]])
        case _:
            strange = chance.choice(
                (
                    "\t",
                    "\u00a0",
                    "\u2028",
                    "\0",
                    "\x0c",
                    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
                )
            )
            return f"line {at} with {strange!a}", b"\n".join(
                [*lines[:at], lines[at] + strange.encode(), *lines[at + 1 :]]
            )


# --------------------------------------------------------------------------------------------------------------------
# Changes of JSON


def _places(value: Any) -> list[tuple[Any, Any]]:
    found, todo = [], [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict | list):
            for key in list(one) if isinstance(one, dict) else range(len(one)):
                found.append((one, key))
                todo.append(one[key])
    return found


def _like(old: str, others: Sequence[str], chance: random.Random) -> str:
    """Return another text of the same kind: a version for a version, somebody else's hash for a hash."""
    same = [one for one in others if one != old and one.partition("-")[0] == old.partition("-")[0] and "-" in old]
    if old.startswith(("http", "sha")) and chance.random() < 0.4:
        at = chance.randrange(len(old))
        return old[:at] + chance.choice("AbZ09/.") + old[at + 1 :]
    if same and chance.random() < 0.6:
        return chance.choice(same)
    return chance.choice((*VERSIONS, *SPECIFIERS, *NAMES, *others[:200]))


def _json(data: bytes, chance: random.Random) -> Change:
    document = json.loads(re.sub(rb",(?=\s*[}\]])", b"", data))
    places = _places(document)
    texts = sorted({holder[key] for holder, key in places if isinstance(holder[key], str)})
    holder, key = chance.choice(places)
    old = holder[key]
    what = f"{key!a}"
    match chance.randrange(9):
        case 0:
            del holder[key]
            what = f"{what} left out"
        case 1 if isinstance(old, str):
            holder[key] = _like(old, texts, chance)
            what = f"{what}: {old!a:.60} → {holder[key]!a:.60}"
        case 2 if isinstance(holder, dict):
            other = chance.choice([k for k in holder if k != key] or [key])
            holder[key], holder[other] = holder[other], old
            what = f"{what} and {other!a} exchanged"
        case 3 if isinstance(holder, dict):
            new = (
                key.replace("leaf", "inner")
                if "leaf" in key
                else chance.choice((key + "x", *NAMES, "node_modules/inner"))
            )
            replaced = {new if k == key else k: v for k, v in holder.items()}
            holder.clear()
            holder.update(replaced)
            what = f"{what} renamed {new!a}"
        case 4 | 5:
            objects = [h for h, k in places if isinstance(h, dict)]
            holder = chance.choice(objects)
            name, value = chance.choice(ADDED)
            had = name in holder
            holder[name] = (
                {**holder[name], **value}
                if had and isinstance(value, dict) and isinstance(holder[name], dict)
                else value
            )
            what = f"{name} = {value!a} in {next(iter(holder.values()), '')!a:.50}"
        case 6:
            holder[key] = chance.choice(VALUES)
            what = f"{what} = {holder[key]!a}"
        case 7:  # a whole entry under another key
            entries = [(h, k) for h, k in places if isinstance(h, dict) and isinstance(h[k], dict | list)]
            first, one = chance.choice(entries)
            second, two = chance.choice(entries)
            first[one] = json.loads(json.dumps(second[two]))
            what = f"{one!a} = what {two!a} is"
        case _:  # duplicate key
            text = json.dumps(document, indent=2)
            lines = [n for n, line in enumerate(text.split("\n")) if re.match(r' +"[^"]+": ("|\d|true)', line)]
            split = text.split("\n")
            at = chance.choice(lines)
            again = re.sub(r'"[^"]*"(,?)$', r'"2.0.0"\1', split[at])
            split.insert(at, again if again.endswith(",") else again + ",")
            return f"duplicate {split[at].strip()[:60]}", "\n".join(split).encode()
    return what, json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


# --------------------------------------------------------------------------------------------------------------------
# Changes of what is nested by indentation (pnpm, yarn)


def _block(lines: list[str], at: int) -> int:
    """Return where the block that begins in a line ends."""
    depth = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines) and lines[end].strip() and len(lines[end]) - len(lines[end].lstrip()) > depth:
        end += 1
    return end


def _nested(data: bytes, chance: random.Random) -> Change:
    lines = data.decode().split("\n")
    full = [n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    at = chance.choice(full)
    end = _block(lines, at)
    shown = lines[at].strip()[:50]
    match chance.randrange(8):
        case 0:
            del lines[at:end]
            what = f"{shown} left out"
        case 1:
            same = [
                n for n in full if n != at and lines[n].split(" ")[0:3] != [] and _depth(lines[n]) == _depth(lines[at])
            ]
            other = chance.choice(same or [at])
            lines[at], lines[other] = lines[other], lines[at]
            what = f"{shown} and {lines[at].strip()[:40]} exchanged"
        case 2:  # the value of a like field elsewhere
            head = re.match(r'\s*[\w"@/.-]+:?', lines[at])
            same = [n for n in full if head and n != at and lines[n].startswith(head[0]) and lines[n] != lines[at]]
            lines[at] = lines[chance.choice(same)] if same else re.sub(r"\d+\.\d+\.\d+", "2.0.0", lines[at])
            what = f"{shown} → {lines[at].strip()[:60]}"
        case 3:
            version = chance.choice(VERSIONS)
            lines[at] = re.sub(r"\d+\.\d+\.\d+", version, lines[at], count=chance.choice((0, 1)))
            what = f"{shown} → {lines[at].strip()[:60]}"
        case 4:
            name = chance.choice(NAMES)
            lines[at] = re.sub(r"leaf|inner|for-all|@fx/scoped|overridden", name, lines[at], count=1)
            what = f"{shown} → {lines[at].strip()[:60]}"
        case 5:
            line = chance.choice(LINES)
            lines.insert(at + 1, line)
            what = f"{line.strip()} below {shown}"
        case 6:  # a digit or letter of a hash, an address or a number
            spots = [m.start() for m in re.finditer(r"[0-9a-zA-Z]", lines[at])]
            spot = chance.choice(spots) if spots else 0
            lines[at] = lines[at][:spot] + chance.choice("0159afZ") + lines[at][spot + 1 :]
            what = f"{shown} → {lines[at].strip()[:90]}"
        case _:
            copy = [line.replace("leaf", "inner") for line in lines[at:end]]
            lines[end:end] = copy
            what = f"{shown} again, for inner"
    return what, "\n".join(lines).encode()


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def change(name: str, files: Files, chance: random.Random) -> tuple[str, Files]:
    """Return what was changed, and the project as it is then."""
    lockfile = LOCKFILES[manager_of(name)]
    file = lockfile
    if chance.random() < 0.25:
        file = chance.choice(("package.json", "package.json", "packages/met/package.json"))
    is_json = file.endswith((".json", "bun.lock"))
    how: Callable[[bytes, random.Random], Change] = _json if is_json else _nested
    if chance.random() < 0.15:
        how = _text
    what, data = how(files[file], chance)
    return f"{file}: {what}", {**files, file: data}


# --------------------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="*", choices=[*differential.NAMES, []])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--denied", action="store_true")
    parser.add_argument("--make", action="store_true")
    args = parser.parse_args()
    unexplained = 0
    with tempfile.TemporaryDirectory() as scratch, differential.bench(Path(scratch)) as bench:
        if args.make:
            for name in differential.NAMES:
                if name.startswith("plain/"):
                    bench.make(name, differential.FIXTURES / name)
            return 0
        for name in args.project or differential.NAMES:
            files = bench.original(name)
            plain = bench.try_out(name, files)
            counts: Counter[str] = Counter()
            for number in range(args.first, args.first + args.runs):
                chance = random.Random(f"{args.seed} {name} {number}")
                what, changed = change(name, files, chance)
                if changed == files:
                    counts["unchanged"] += 1
                    continue
                one = bench.try_out(name, changed, hasty=True)
                fresh = sorted(one.codes - plain.codes)
                kind = ""
                if one.is_wrong:
                    why = reason(name, one, plain.codes)
                    kind = "harmless" if why else "ALLOWED"
                    unexplained += not why
                elif one.accepted and one.differences != plain.differences and one.code != 2:
                    kind = "OTHER"
                elif one.accepted and (fresh or one.code == 2):
                    kind = "DENIED"
                counts[kind or ("both accept" if one.accepted else "both refuse")] += 1
                if args.out is not None:
                    line = {
                        "project": name, "number": number, "what": what, "kind": kind, "accepted": one.accepted,
                        "code": one.code, "fresh": fresh, "denies": one.denies, "warns": one.warns, "error": one.error,
                        "differences": one.differences, "said": one.said,
                    }  # fmt: skip
                    with args.out.open("a") as out:
                        out.write(json.dumps(line) + "\n")
                if kind in ("ALLOWED", "OTHER") or (args.denied and kind == "DENIED"):
                    told = one.differences[:3] if one.accepted else re.sub(r"\s+", " ", one.said)[:300]
                    print(f"{kind} {name} {number} {what}\n    new: {fresh} {one.error[:200]}\n    {told}", flush=True)
            print(f"{name:24} {', '.join(f'{n} {k}' for k, n in sorted(counts.items()))}", flush=True)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
