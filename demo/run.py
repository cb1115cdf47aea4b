"""`make demo`: three releases of one shop meet the gate; then the evidence is verified, replayed and tampered with.

Everything runs through the command line, as a pipeline would run it: offline, without Go, Node or a server. What it
makes lies in demo/out.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]  # tests/testkit: the small test sigstore
OUT = HERE / "out"
SBOMGATE = Path(sysconfig.get_path("scripts")) / ("sbomgate.exe" if os.name == "nt" else "sbomgate")
REPOSITORY = "https://github.com/example/shop"
STORIES = (
    ("an ordinary day", "ordinary", "allowed", "3.2.0"),
    ("March 2026: axios 1.14.1, hours old, brings plain-crypto-js", "axios_day_zero", "denied", "3.2.1"),
    ("May 2026: valid provenance, hours old, with a new dependency", "attested_and_young", "denied", "3.2.2"),
)
EXIT = {"allowed": 0, "denied": 1}


def main() -> int:
    """Run it; 0 when everything came out as it must."""
    started = time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    trust = prepare()
    said = []
    for number, (title, story, expected, version) in enumerate(STORIES, start=1):
        heading(f"Story {number}: {title}")
        said.append(gate(story, version, trust, expected))
    heading("At deploy time: verify, then replay")
    artefact = OUT / "ordinary" / "shop-3.2.0.tgz"
    run("verify", f"file:{artefact}", "--trust", str(trust), "--environment", "production", *STORE)
    for refused in ("axios_day_zero", "attested_and_young"):
        denied = next((OUT / refused).glob("shop-*.tgz"))
        run("verify", f"file:{denied}", "--trust", str(trust), "--environment", "production", *STORE, expect=1)
    for build in sorted(path.parent for path in (OUT / "evidence").glob("*/*/index.json")):
        run("replay", str(build.relative_to(OUT)))
    heading("One altered byte")
    one_byte(trust, artefact)
    where(started)
    print("\n" + ", ".join([*said, "verified"]))
    return 0


STORE = ("--store", "evidence")


def prepare() -> Path:
    """Make the keys, the trust file and the facts of the three stories."""
    import stories
    from sbomgate import facts
    from sbomgate.signing import local_key
    from testkit.sigstore import TestSigstore

    now = datetime.now(UTC).replace(microsecond=0)
    run("key", "new", "--out", "release.key", quiet=True)
    recorder = local_key.generate(OUT / "recorder.key")
    sigstore = TestSigstore(now)
    private = {"trusted_root": sigstore.trusted_root_json(), "registry_keys": sigstore.registry_keys_json()}
    for name, data in private.items():
        (OUT / f"{name}.json").write_bytes(data)
    run("trust", "new", "--key", "release.key.pub", "--out", "trust.toml", "--repository", REPOSITORY, quiet=True)
    trust = OUT / "trust.toml"
    text = trust.read_text().replace('# environments = ["production"]', 'environments = ["production"]')
    # Day zero: nobody has listed anything yet.
    (OUT / "malicious.csv").write_text("name,versions,osv_id,wave,sources\n")
    listed = hashlib.sha256((OUT / "malicious.csv").read_bytes()).hexdigest()
    text += f'\n[[malicious_lists]]\npath = "malicious.csv"\nsha256 = "{listed}"\n'
    text += f'\n[[signers]]\nname = "facts recorder"\nroles = ["facts"]\npublic_key = """\n{recorder.public_key}"""\n'
    text += f"\n[sigstore]\nupdated = {now:%Y-%m-%dT%H:%M:%SZ}\n"
    for name, data in private.items():
        text += f'\n[sigstore.{name}]\npath = "{name}.json"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    trust.write_text(text)
    for _, story, _, version in STORIES:
        made = getattr(stories, story)(now, sigstore)
        folder = OUT / story
        folder.mkdir()
        (folder / "package.json").write_bytes(made.package_json)
        (folder / "package-lock.json").write_bytes(made.lockfile)
        (folder / f"shop-{version}.tgz").write_bytes(release(version))
        (folder / "facts.sigstore.json").write_bytes(recorder.sign(facts.write_statement(made.facts)))
        git(folder, "init", "--quiet")
        git(folder, "add", "package.json", "package-lock.json")
        git(folder, "commit", "--quiet", "--message", story)
    return trust


def git(folder: Path, *arguments: str) -> str:
    """Run git in a story's folder: each project is a repository of its own, the trust file lies outside."""
    identity = ("-c", "user.name=demo", "-c", "user.email=demo@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def release(version: str) -> bytes:
    """Return the artefact that ships: what it is made of is the lockfile's business."""
    from testkit import tarballs

    return tarballs.package("shop", version)


def gate(story: str, version: str, trust: Path, expected: str) -> str:
    """Gate one story and say what came out."""
    commit = git(OUT / story, "rev-parse", "HEAD")
    run(
        "gate",
        story,
        *("--subject", f"file:{story}/shop-{version}.tgz"),
        *("--key", "release.key", "--trust", str(trust), *STORE),
        *("--facts", f"{story}/facts.sigstore.json", "--offline"),
        *("--repository", REPOSITORY, "--commit", commit, "--environment", "production"),
        expect=EXIT[expected],
    )
    return expected


def one_byte(trust: Path, artefact: Path) -> None:
    """Copy the evidence, flip one byte of it, and show that it is refused."""
    copy = OUT / "altered"
    shutil.copytree(OUT / "evidence", copy)
    victim = next(
        path for path in sorted(copy.glob("*/*/decisions/*/sbom.cdx.json")) if b'"1.14.0"' in path.read_bytes()
    )
    data = bytearray(victim.read_bytes())
    data[data.index(b'"1.14.0"') + 6] = ord("1")  # axios 1.14.0 becomes 1.14.1
    for path in copy.rglob("*"):
        if path.is_file() and path.read_bytes() == victim.read_bytes() and path != victim:
            path.unlink()
            path.write_bytes(bytes(data))
    victim.unlink()
    victim.write_bytes(bytes(data))
    print(f"in {victim.relative_to(OUT)}: axios 1.14.0 → 1.14.1")
    run(
        "verify",
        f"file:{artefact}",
        "--trust",
        str(trust),
        "--environment",
        "production",
        "--store",
        "altered",
        expect=2,
    )


def run(*arguments: str, expect: int = 0, quiet: bool = False) -> None:
    """Run one command of sbomgate in demo/out, show it, and insist on its exit code."""
    if not quiet:
        shown = " ".join(a.replace(f"{OUT}{os.sep}", "") for a in arguments)
        print(f"$ sbomgate {shown}", flush=True)
    done = subprocess.run([SBOMGATE, *arguments], cwd=OUT, check=False, stdout=subprocess.DEVNULL if quiet else None)
    if not quiet:
        print(f"→ exit code {done.returncode}\n", flush=True)
    if done.returncode != expect:
        sys.exit(f"the demo failed: exit code {done.returncode}, expected {expect}: sbomgate {' '.join(arguments)}")


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n── {text} {'─' * max(4, 96 - len(text))}\n", flush=True)


def where(started: float) -> None:
    """Say where everything lies."""
    heading("Where everything lies")
    count = len(json.loads((OUT / "ordinary" / "package-lock.json").read_text())["packages"]) - 1
    print(f"  demo/out/ordinary …       the three projects ({count} packages), artefacts and recorded facts")
    print(
        "  demo/out/trust.toml       who and what is accepted: the release key, the recorder, the demo's own sigstore"
    )
    print("  demo/out/evidence/…       one OCI layout per build; decisions/*/ holds its files by name")
    print("  docs/evidence.md          what each file is, and how to verify it without sbomgate")
    print(f"  {time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
