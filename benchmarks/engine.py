"""One engine, in a process of its own: `engine.py CACHE [INPUT [OPA]]` prints seconds, as JSON.

The embedded engine, or with OPA that binary as a server:

    start      from nothing to the first answer, of a policy of one line
    whole      an evaluation of the shipped policy over INPUT, compiling the policy included
    evaluate   the same with the policy compiled before, as `check` has it: it compiles while the facts are collected
    cpu        processor time of that: all threads of this process, and the server's
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
from sbomgate.policy.engines.opa import OpaEngine

ROUNDS = 7
LARGE, FEW = 5_000_000, 2  # bytes of input, rounds
QUIET = 0.25  # seconds in which nothing is computed any more: the policy is compiled
LINE = PolicyBundle(files={"decision.rego": b"package sbomgate.decision\n\nresult := 1\n"}, sha256="0", rules=())


def settle() -> None:
    """Wait until this process has nothing to do."""
    spent = -1.0
    while time.process_time() - spent > QUIET / 20:
        spent = time.process_time()
        time.sleep(QUIET)


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

        whole, prepared = [evaluate()], []
        for _ in range(FEW if len(policy_input) > LARGE else ROUNDS):
            if opa is None:
                whole.append(evaluate())
                engine.prepare(shipped, evaluation.QUERY)
                settle()
            prepared.append(evaluate())
    told = {
        "start": start,
        "whole": statistics.median(wall for wall, _ in whole),
        "evaluate": statistics.median(wall for wall, _ in prepared),
        "cpu": statistics.mean(cpu for _, cpu in prepared),
    }
    print(json.dumps(told))


main()
