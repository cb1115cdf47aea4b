"""Compress the engine and describe it: `pack.py WASM FOLDER` writes opa-eval.wasm.xz and engine.json."""

import hashlib
import json
import lzma
import re
import sys
from pathlib import Path

ABI = 3  # of the request and the answer, see main.go; sbomgate refuses another


def main() -> None:
    """Write both files."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    module = source.read_bytes()
    go_mod = (Path(__file__).parent / "go.mod").read_text()
    described = {
        "abi": ABI,
        "opa": re.search(r"open-policy-agent/opa v(\S+)", go_mod)[1],
        "go": re.search(r"^toolchain go(\S+)", go_mod, re.MULTILINE)[1],
        "sha256": hashlib.sha256(module).hexdigest(),
        "size": len(module),
    }
    # The digest that counts is the uncompressed module's: the compressor's version may change these bytes.
    (folder / "opa-eval.wasm.xz").write_bytes(lzma.compress(module, preset=9 | lzma.PRESET_EXTREME))
    (folder / "engine.json").write_text(json.dumps(described, indent=2) + "\n")


main()
