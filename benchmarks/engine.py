"""One engine, in a process of its own: `engine.py CACHE [INPUT [OPA]]` prints seconds of wall clock, as JSON.

The embedded engine, or with OPA that binary as a server:

    start      from nothing to the first answer, of a policy of one line
    whole      an evaluation of the shipped policy over INPUT, compiling the policy included
    evaluate   the same with the policy compiled before, as `check` has it: it compiles while the facts are collected
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from sbomgate.model import PolicyBundle
from sbomgate.policy import bundle as bundles
from sbomgate.policy import evaluation
from sbomgate.policy.engines import EngineSettings, open_engine

ROUNDS = 5
AHEAD = 1.5  # seconds: more than compiling the policy takes
LINE = PolicyBundle(files={"decision.rego": b"package sbomgate.decision\n\nresult := 1\n"}, sha256="0", rules=())


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

        def evaluate() -> float:
            begun = time.perf_counter()
            engine.evaluate(shipped, policy_input, evaluation.QUERY)
            return time.perf_counter() - begun

        whole, prepared = [evaluate()], []
        for _ in range(ROUNDS):
            if opa is None:
                whole.append(evaluate())
                engine.prepare(shipped, evaluation.QUERY)
                time.sleep(AHEAD)
            prepared.append(evaluate())
    print(json.dumps({"start": start, "whole": statistics.median(whole), "evaluate": statistics.median(prepared)}))


main()
