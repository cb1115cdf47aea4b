"""250,000 malicious names against 2,000 packages: `python benchmarks/lists.py`. Processor time; the bar is 30 ms."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sbomgate.policy import lists  # noqa: E402
from testkit import inputs  # noqa: E402

NAMES, PACKAGES, HITS, BAR = 250_000, 2_000, 10, 0.030


def main() -> int:
    """Measure, print, and return 1 where the bar is missed."""
    lines = [f"evil-{i * 7919 % NAMES:06d}-{i},1.0.{i % 9}|>=1.2.0<1.3.0,MAL-2026-{i},," for i in range(NAMES)]
    plain = "\n".join((lists.HEADER, *lines)).encode()
    sealed = lists.seal(lines)
    # Their names lie among those of the list, as those of a real project do.
    packages = [inputs.package(f"evil-{i * 125:06d}-x", "1.2.3") for i in range(PACKAGES - HITS)]
    packages += [inputs.package(line.partition(",")[0], "1.2.3") for line in lines[:HITS]]
    gc.disable()
    print("| list | read | join | both |\n|---|---|---|---|")
    for name, data in (("sealed, as `feed import` writes it", sealed), ("not sealed: every line is checked", plain)):
        loads, joins = [], []
        for _ in range(9):
            begin = time.process_time()
            loaded = lists.load(data, name="bench", where="bench")
            middle = time.process_time()
            hits = lists.join(packages, [loaded])
            joins.append(time.process_time() - middle)
            loads.append(middle - begin)
            assert len(hits) == HITS
        load, join = statistics.median(loads), statistics.median(joins)
        figures = " | ".join(f"{seconds * 1000:.1f} ms" for seconds in (load, join, load + join))
        print(f"| {name}, {len(data) / 1e6:.1f} MB | {figures} |")
        if data is sealed:
            over = load + join > BAR
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
