"""What a reader of the documentation has at hand: a project, keys, a trust file, registries, a build that was decided.

He stands in `shop`, a git repository with two workspaces. Beside it lie the keys and the trust file, also under the
names without `../` that hosts without a project use. npm's registry and the registry of images are on loopback; in
commands `registry.example` is the latter.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sbomgate.signing import local_key
from testkit import commandline, images, oci_simulator, registry, tarballs
from testkit.engines import borrow_engine

PEOPLE = ("ann", "bob", "policy", "recorder")  # besides release.key
ROLES = {
    "ann": '["approver", "override", "revoker"]',
    "bob": '["approver", "override"]',
    "policy": '["policy"]',
    "recorder": '["facts"]',
}
IMAGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + "44" * 32, "size": 2},
        "layers": [],
    }
).encode()

# What stands in the pages for something that is another one each time → what it is here.
STANDS_FOR = {
    r"(registry|mirror)\.example(:443)?(?=/)": "$OCI",
    r"(?<=@)sha256:…": oci_simulator.sha256(IMAGE),
    r"(?<=--change )sha256:[0-9a-f]*…": "$(change)",
    r"(?<=--finding )[0-9a-f]+…": "$(finding)",
    r"(?<=\.toml@)sha256:[0-9a-f]*…": "$(digest ../trust.toml)",
    r"evidence/([0-9a-f]{2}/[0-9a-f]+)?…/decisions/[0-9a-f]+…": "$(build)/decisions/$(decision)",
    r"evidence/([0-9a-f]{2}/[0-9a-f]+)?…": "$(build)",
    r"\b81c0…": "$(decision)",
    r"(?<= )sha512-…": "$INTEGRITY",
    r"(?<=gate) …": " --subject file:dist/app.tgz --key ../release.key --trust ../trust.toml",
    r"(?<=[\w.]) …(?= |$)": " --key ../release.key --trust ../trust.toml",
    r"(?<![\w.])/srv\b": "$ROOT/srv",
    r"(?<![\w.])/home\b": "$ROOT/" + commandline.HOME,
}

ROOT = {
    "name": "shop",
    "version": "3.2.0",
    "private": True,
    "workspaces": ["services/*"],
    "dependencies": {"axios": "^1.14.0"},
}
WORKSPACES: dict[str, dict[str, Any]] = {
    "services/api": {"name": "@acme/api", "version": "1.0.0", "dependencies": {"left-pad": "^1.3.0"}},
    "services/web": {"name": "@acme/web", "version": "1.0.0", "dependencies": {"axios": "^1.14.0"}},
}
BEFORE = {"axios": "1.14.0", "follow-redirects": "1.15.6", "left-pad": "1.3.0"}
AFTER = BEFORE | {"axios": "1.14.1", "plain-crypto-js": "4.2.1"}
PNPM = """\
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      left-pad:
        specifier: ^1.3.0
        version: 1.3.0
packages:
  left-pad@1.3.0:
    resolution: {{integrity: {integrity}}}
snapshots:
  left-pad@1.3.0: {{}}
"""

FUNCTIONS = """
newest() { ls -1td "$@" | head -n 1; }
build() { dirname "$(dirname "$(newest "${STORE:-evidence}"/??/*/decisions/*)")"; }
decision() { basename "$(newest "${STORE:-evidence}"/??/*/decisions/*)"; }
digest() { echo "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)"; }
change() { sbomgate review --trust ../trust.toml --format json | jq -r '"sha256:" + .sha256'; }
finding() { sbomgate check --trust ../trust.toml --json | jq -r '.notes[].findings[0].fingerprint' | head -n 1; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A folder of one reader's own, and what his commands run with."""

    root: Path
    npm: str
    oci: str
    programs: Path

    @property
    def cwd(self) -> Path:
        """Where the commands run."""
        return self.root / "shop"

    def environment(self) -> dict[str, str]:
        """Return the variables that they run with."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return kept | {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.root / commandline.HOME),
            "ROOT": str(self.root),
            "NPM": self.npm,
            "OCI": self.oci,
            "INTEGRITY": tarballs.integrity(tarballs.package("axios", "1.14.0")),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def copy(self, root: Path) -> Reader:
        """Return a reader who has the same, elsewhere."""
        commandline.copy(commandline.World(self.root), root)
        return Reader(root=root, npm=self.npm, oci=self.oci, programs=self.programs)


def stands_for(command: str, own: Mapping[str, str]) -> str:
    """Return a command of a page with what is other each time filled in; the page's `own` words come first."""
    for word, text in own.items():
        command = command.replace(word, text)
    for pattern, text in STANDS_FOR.items():
        command = re.sub(pattern, text.replace("\\", r"\\"), command)
    return command


def publish(npm: registry.Simulator) -> None:
    """Fill the registry: the Axios story, two hours after 1.14.1."""
    now = datetime.now(UTC)

    def one(name: str, version: str, age: timedelta, **manifest: Any) -> None:
        at = (now - age).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        npm.publish(name, version, tarballs.package(name, version, manifest=manifest), published=at, manifest=manifest)

    redirects = {"follow-redirects": "^1.15.6"}
    one("left-pad", "1.3.0", timedelta(days=900))
    one("follow-redirects", "1.15.6", timedelta(days=400))
    one("axios", "1.14.0", timedelta(days=30), dependencies=redirects)
    one("axios", "1.14.1", timedelta(hours=2), dependencies=redirects | {"plain-crypto-js": "^4.2.1"})
    one("plain-crypto-js", "4.2.1", timedelta(hours=19), scripts={"postinstall": "node setup.js"})


def new_reader(root: Path, npm: registry.Simulator, oci: oci_simulator.Simulator, programs: Path) -> Reader:
    """Make the first reader's folder; nothing is decided there yet."""
    reader = Reader(root=root, npm=npm.url, oci=oci.host, programs=programs)
    oci.manifests[oci_simulator.sha256(IMAGE)] = ("application/vnd.oci.image.manifest.v1+json", IMAGE)
    home = root / commandline.HOME
    home.mkdir(parents=True, mode=0o700)
    (home / ".npmrc").write_text("update-notifier=false\nfund=false\naudit=false\n")
    (home / ".gitconfig").write_text("[user]\nname = Ann\nemail = ann@example.test\n[commit]\ngpgsign = false\n")
    engine = home / ".cache" / "sbomgate" / "engine"
    engine.mkdir(parents=True, mode=0o700)
    engine.parent.chmod(0o700)
    borrow_engine(engine)
    _trust(root, npm.url)
    _project(reader.cwd, npm)
    _lists(root)
    (root / "srv" / "ci").mkdir(parents=True)
    return reader


def _trust(root: Path, url: str) -> None:
    text = 'schema = "sbomgate/trust/v1"\nfirst_party = ["@acme"]\n'
    (root / "malicious.csv").write_text("name,versions,osv_id,wave,sources\n")  # nobody has listed anything yet
    listed = hashlib.sha256((root / "malicious.csv").read_bytes()).hexdigest()
    text += f'\n[[malicious_lists]]\npath = "malicious.csv"\nsha256 = "{listed}"\n'
    text += f'\n[[registries]]\nurl = "{url}"\nserves_evidence = false\n\n[break_glass]\nmax_hours = 24\n'
    for name, roles in {"release": '["decision"]', **ROLES}.items():
        key = local_key.generate(root / f"{name}.key")
        (root / f"{name}.key.pub").write_text(key.public_key)
        text += f'\n[[signers]]\nname = "{name} key"\nroles = {roles}\npublic_key = """\n{key.public_key}"""\n'
    (root / "trust.toml").write_text(text)


def _project(shop: Path, npm: registry.Simulator) -> None:
    _write(shop / "package.json", ROOT)
    for folder, manifest in WORKSPACES.items():
        _write(shop / folder / "package.json", manifest)
    (shop / ".npmrc").write_text(f"registry={npm.url}\n")
    (shop / ".gitignore").write_text("node_modules\ndist\nevidence\n*.key\n*.pub\n*.toml\n*.csv\n")
    _write(shop / "package-lock.json", _lock(npm, BEFORE))
    shutil.copytree(shop, shop.parent / "shop-main")
    updated = shop.parent / "updated"
    _write(updated / "package-lock.json", _lock(npm, AFTER))
    (updated / "pnpm-lock.yaml").write_text(
        PNPM.format(integrity=tarballs.integrity(tarballs.package("left-pad", "1.3.0", manifest={})))
    )
    (shop / "dist").mkdir()
    for name in ("app", "web", "api"):
        (shop / "dist" / f"{name}.tgz").write_bytes(tarballs.package(name, "3.2.0"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(shop.parent / commandline.HOME), "GIT_CONFIG_NOSYSTEM": "1"}
    for arguments in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "The shop")):
        subprocess.run(["git", *arguments], cwd=shop, env=environment, check=True)
    for path in [
        *shop.parent.glob("*.key"),
        *shop.parent.glob("*.pub"),
        *shop.parent.glob("*.toml"),
        *shop.parent.glob("*.csv"),
    ]:
        shutil.copy2(path, shop / path.name)


def _lock(npm: registry.Simulator, held: Mapping[str, str]) -> dict[str, Any]:
    packages: dict[str, Any] = {"": {key: value for key, value in ROOT.items() if key != "private"}}
    for folder, manifest in WORKSPACES.items():
        packages[folder] = manifest
        packages[f"node_modules/{manifest['name']}"] = {"resolved": folder, "link": True}
    for name, version in held.items():
        published = npm.packuments[name]["versions"][version]
        entry = {
            "version": version,
            "resolved": f"{commandline.NPM}{name}/-/{name}-{version}.tgz",
            "integrity": published["dist"]["integrity"],
        }
        entry |= {"dependencies": published["dependencies"]} if "dependencies" in published else {}
        entry |= {"hasInstallScript": True} if "scripts" in published else {}
        packages[f"node_modules/{name}"] = {**entry, "license": "MIT"}
    return {"name": "shop", "version": "3.2.0", "lockfileVersion": 3, "requires": True, "packages": packages}


def _lists(root: Path) -> None:
    """Write what the world knew of the story some days later, as OSV and as CSV, and an image to look into."""
    record = {
        "id": "MAL-2026-2306",
        "modified": "2026-04-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "npm", "name": "plain-crypto-js"}, "versions": ["4.2.1"]}],
    }
    with zipfile.ZipFile(root / "osv-npm.zip", "w") as archive:
        archive.writestr("MAL-2026-2306.json", json.dumps(record))
    (root / "GHSA-xxxx.json").write_text(json.dumps(record | {"id": "GHSA-xxxx", "aliases": ["MAL-2026-2306"]}))
    (root / "incident.csv").write_text("name,version\nplain-crypto-js,4.2.1\n")
    images.saved(root / "shop.tar", images.docker([images.archive({"app/package.json": b'{"name": "shop"}'})]))


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
