"""Write the corpus: `python fuzz/make_corpus.py [HARNESS …]`; what was found (found-*) stays.

Seeds that hold signatures differ each time they are made, which is why they are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from fuzz.run import CORPUS, load, names


def main(chosen: list[str]) -> None:
    """Write the seeds of some harnesses, or of all."""
    for name in chosen or names():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for title, data in load(name).seeds():
            (folder / f"seed-{title}").write_bytes(data)
        print(f"{name:20} {sum(path.stat().st_size for path in folder.iterdir()):8,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
