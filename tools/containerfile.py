"""Runs the steps of the Containerfile, as they stand there, in a Debian root of their own: no container engine needed.

python tools/containerfile.py build ROOT --stage opa=FOLDER [--base DIR]    as root; ROOT is made by mmdebstrap
python tools/containerfile.py run ROOT [--bind FROM:TO] -- ARGUMENTS        its entry point, its user, no network

What is tested is the file itself: every instruction is done or is an error. A stage that is given by --stage is not
run, and its files are taken from FOLDER (`COPY --from`). Mounts last as long as a step: in a namespace of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = re.compile(r"(?:docker\.io/library/)?debian:(?P<suite>[a-z]+)(?:-slim)?(?:@sha256:[0-9a-f]{64})?")
STATE = "image.json"  # beside the root: what an image's configuration would hold
# What a build takes of the machine's surroundings, as an engine would: how the network is reached.
PASSED = (
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_FIND_LINKS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
)
RETRIES = '--aptopt=Acquire::Retries "5"'
CERTIFICATES = "/run/build-certificates.pem"  # where nothing that is installed writes


@dataclass
class Image:
    """What the instructions make beside files."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        """Return where a path of the image lies on this machine."""
        return self.root / str(Path("/", self.workdir, path)).lstrip("/")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction and what follows it, continued lines joined, comments left out."""
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if pending.strip():
            name, _, rest = pending.strip().partition(" ")
            yield name.upper(), rest.strip()
        pending = ""
    if pending.strip():
        raise ValueError(f"an instruction that does not end: {pending!r}")


def stages(text: str) -> tuple[dict[str, str], list[tuple[str, str, list[tuple[str, str]]]]]:
    """Return the arguments before the first stage, and each stage: its name, its base, its instructions."""
    arguments: dict[str, str] = {}
    found: list[tuple[str, str, list[tuple[str, str]]]] = []
    for name, rest in instructions(text):
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            value = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], base.strip())
            found.append((alias.strip(), value, []))
        elif name == "ARG" and not found:
            key, _, value = rest.partition("=")
            arguments[key] = value
        else:
            found[-1][2].append((name, rest))
    return arguments, found


def build(containerfile: Path, root: Path, given: dict[str, Path], *, base: Path | None = None) -> Image:
    """Run the last stage; every stage before it must be given."""
    _, all_ = stages(containerfile.read_text(encoding="utf-8"))
    for alias, _, _ in all_[:-1]:
        if alias not in given:
            raise ValueError(f"the stage {alias!r} is not run here: give its files by --stage {alias}=FOLDER")
    _, image_name, steps = all_[-1]
    match = SUITE.fullmatch(image_name)
    if match is None:
        raise ValueError(f"{image_name}: expected a Debian image")
    if base is not None:
        subprocess.run(["cp", "-a", base, root], check=True)
    else:
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", RETRIES, match["suite"], root], check=True)
    image = Image(root=root)
    for name, rest in steps:
        print(f"{name} {rest[:100]}", flush=True)
        _step(image, name, rest, given)
    (root.parent / f"{root.name}.{STATE}").write_text(
        json.dumps({key: value for key, value in vars(image).items() if key != "root"})
    )
    return image


def _step(image: Image, name: str, rest: str, given: dict[str, Path]) -> None:
    match name:
        case "RUN":
            caches = []
            while flag := re.match(r"--mount=type=cache,target=(\S+)\s+", rest):
                caches.append(flag[1])
                rest = rest[flag.end() :]
            _run(image, ["/bin/sh", "-c", rest], caches=caches)
        case "COPY":
            _copy(image, shlex.split(rest), given)
        case "ENV":
            for pair in shlex.split(rest):
                key, equals, value = pair.partition("=")
                if not equals:
                    raise ValueError(f"ENV {rest}: expected KEY=VALUE")
                image.env[key] = value
        case "WORKDIR":
            image.workdir = str(Path("/", image.workdir, rest))
            image.inside("").mkdir(parents=True, exist_ok=True)
        case "USER":
            image.user = rest
        case "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        case "CMD":
            image.command = json.loads(rest)
        case _:
            raise ValueError(f"{name}: this instruction is not known here")


def _copy(image: Image, words: list[str], given: dict[str, Path]) -> None:
    source = ROOT
    if words[0].startswith("--from="):
        source = given[words[0].removeprefix("--from=")]
        words = words[1:]
    if any(word.startswith("--") for word in words):
        raise ValueError(f"COPY {words}: this flag is not known here")
    *names, target = words
    into = image.inside(target)
    for name in names:
        at = source / name.lstrip("/")
        if at.is_dir():  # a folder's content is copied, as an engine does
            shutil.copytree(at, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to = into / at.name if target.endswith("/") or len(names) > 1 else into
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(at, to)


# Mounts in a namespace of this step's own, then the step in the root. $1 is the root, $2 what is bound, one a line.
_IN_ROOT = """
set -eu
root=$1 binds=$2 user=$3 group=$4 workdir=$5
shift 5
mount --types proc proc "$root/proc"
mount --bind /dev "$root/dev"
printf '%s\\n' "$binds" | while IFS=: read -r from to; do
    [ -n "$from" ] || continue
    if [ -d "$from" ]; then
        mkdir -p "$root$to"
    else
        mkdir -p "$(dirname "$root$to")"
        [ -e "$root$to" ] || : > "$root$to"
    fi
    mount --bind "$from" "$root$to"
done
exec chroot --userspec="$user:$group" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"
"""


def _run(
    image: Image,
    command: Sequence[str],
    *,
    caches: Sequence[str] = (),
    binds: Sequence[str] = (),
    network: bool = True,
    check: bool = True,
) -> int:
    """Run a command in the image, as its user; how the network is reached is lent by the machine."""
    lent = list(binds)
    if network:
        lent += [f"{path}:{path}" for path in ("/etc/resolv.conf", "/etc/pip.conf") if Path(path).is_file()]
        lent += [f"{path}:{path}" for path in ("/opt/wheels",) if Path(path).is_dir()]
        if certificates := os.environ.get("PIP_CERT"):
            lent.append(f"{certificates}:{CERTIFICATES}")
        lent += [f"{Path.home()}/.cache/pip:{target}" for target in caches if (Path.home() / ".cache/pip").is_dir()]
    user, _, group = image.user.partition(":")
    namespaces = ["--mount", "--pid", "--fork", "--kill-child"] + ([] if network else ["--net"])
    outside = {name: os.environ[name] for name in PASSED if network and name in os.environ}
    env = (
        {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | image.env | outside
    )
    if network and "PIP_CERT" in outside:
        env["PIP_CERT"] = CERTIFICATES
    env["DEBIAN_FRONTEND"] = "noninteractive"
    if user != "0":
        env["HOME"] = "/"
    arguments = [
        "sh",
        "-c",
        _IN_ROOT,
        "sh",
        str(image.root),
        "\n".join(lent),
        user,
        group or user,
        image.workdir,
        *command,
    ]
    ran = subprocess.run(["unshare", *namespaces, *arguments], env=env, check=False)
    if check and ran.returncode:
        raise SystemExit(f"the step ended with {ran.returncode}: {' '.join(command)[:200]}")
    return ran.returncode


def load(root: Path) -> Image:
    """Return the image that `build` made."""
    return Image(root=root, **json.loads((root.parent / f"{root.name}.{STATE}").read_bytes()))


def main() -> int:
    """Build, or run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("build")
    making.add_argument("root", type=Path)
    making.add_argument("--stage", action="append", default=[], metavar="NAME=FOLDER")
    making.add_argument("--base", type=Path, help="a Debian root that is copied in mmdebstrap's place")
    running = actions.add_parser("run")
    running.add_argument("root", type=Path)
    running.add_argument("--bind", action="append", default=[], metavar="FROM:TO")
    own, rest = sys.argv[1:], []
    if "--" in own:
        own, rest = own[: own.index("--")], own[own.index("--") + 1 :]
    args = parser.parse_args(own)
    if args.action == "build":
        given = {name: Path(folder) for name, _, folder in (text.partition("=") for text in args.stage)}
        build(ROOT / "Containerfile", args.root.resolve(), given, base=args.base)
        return 0
    image = load(args.root.resolve())
    return _run(image, [*image.entrypoint, *(rest or image.command)], binds=args.bind, network=False, check=False)


if __name__ == "__main__":
    sys.exit(main())
