"""How long `sbomgate hunt` takes over 200,000 files, and whether it finds all that is planted and nothing else.

    python benchmarks/hunt.py [--files 200000] [--names 250000]

The tree is made in a temporary folder: installed packages of ten files each, with traces of one package in every kind
of place and what is nearly a trace beside them. It is searched with a short list, and with one of many names.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]

from testkit.hunting import decoys, plant  # noqa: E402

BAR_SECONDS = 30.0


def main() -> int:
    """Measure, print, and return 1 where the bar is missed or the answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--names", type=int, default=250_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planted = plant(root / "machine", "axios", "1.14.1")
        decoys(root / "machine" / "more", "axios", "1.14.1", packages=args.files // 11)
        short, long = root / "short.csv", root / "long.csv"
        short.write_text("name,version\naxios,1.14.1\n", encoding="utf-8")
        more = "".join(f"never-{number},1.0.{number % 9}\n" for number in range(args.names))
        long.write_text(f"name,version\naxios,1.14.1\n{more}", encoding="utf-8")
        good = True
        print("| list | files | seconds | bar | traces | of |\n|---|---|---|---|---|---|")
        for feed in (short, long):
            start = time.perf_counter()
            made = subprocess.run(
                [sys.executable, "-m", "sbomgate", "hunt", root / "machine", "--feed", feed, "--json"],
                capture_output=True,
                check=False,
            )
            seconds = time.perf_counter() - start
            found = json.loads(made.stdout)
            places = {str(Path(one["path"]).relative_to(root / "machine")): one["kind"] for one in found["traces"]}
            good &= places == planted and seconds <= BAR_SECONDS and made.returncode == 1
            print(
                f"| {feed.stem} | {found['files']:,} | {seconds:.1f} | {BAR_SECONDS} | {len(places)} | {len(planted)} |"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
