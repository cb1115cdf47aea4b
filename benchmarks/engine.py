"""One engine, in a process of its own: `engine.py CACHE [INPUT [OPA]]` prints seconds, as JSON.

The embedded engine, or with OPA that binary as a server:

    start      from nothing to the first answer, of a policy of one line
    evaluate   the shipped policy over INPUT, the policy being there already, as in `check`: it comes while facts do
    cpu        processor time of that: all threads of this process, and the server's
    restored   the embedded engine: the same, and before it what the policy compiled to is read, where it was kept
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

from sbomgate.model import PolicyBundle
from sbomgate.policy import bundle as bundles
from sbomgate.policy import evaluation
from sbomgate.policy.engines import EngineSettings, open_engine
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.engines.opa import OpaEngine

ROUNDS = 7
LARGE, FEW = 5_000_000, 2  # bytes of input, rounds
LINE = PolicyBundle(files={"decision.rego": b"package sbomgate.decision\n\nresult := 1\n"}, sha256="0", rules=())


def processor(server: int | None) -> float:
    """Return seconds of processor time so far, of this process and the server."""
    own = time.process_time()
    if server is None or not Path(f"/proc/{server}/stat").exists():
        return own
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    shipped = bundles.load(None)
    policy_input = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else None
    opa = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    settings = EngineSettings(cache_dir=Path(sys.argv[1]), notify=lambda _: None, opa=opa)
    begun = time.perf_counter()
    with open_engine("opa" if opa else "embedded", settings) as engine:
        engine.evaluate(LINE, b"{}", evaluation.QUERY)
        start = time.perf_counter() - begun
        if policy_input is None:
            print(json.dumps({"start": start}))
            return

        def evaluate() -> tuple[float, float]:
            server = engine._server.pid if isinstance(engine, OpaEngine) and engine._server else None
            begun, spent = time.perf_counter(), processor(server)
            engine.evaluate(shipped, policy_input, evaluation.QUERY)
            return time.perf_counter() - begun, processor(server) - spent

        evaluate()  # a server, and an empty folder, compile the policy now
        restored, prepared = [], []
        for _ in range(FEW if len(policy_input) > LARGE else ROUNDS):
            if isinstance(engine, EmbeddedEngine):
                engine.prepare(shipped, evaluation.QUERY)  # keeps what it compiles to, where nothing is kept yet
                engine.wait()
                prepared.append(evaluate())
                restored.append(evaluate())
            else:
                prepared.append(evaluate())
    told = {
        "start": start,
        "evaluate": statistics.median(wall for wall, _ in prepared),
        "cpu": statistics.mean(cpu for _, cpu in prepared),
    }
    if restored:
        told["restored"] = statistics.median(wall for wall, _ in restored)
    print(json.dumps(told))


main()
