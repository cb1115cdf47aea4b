"""What is asked of the engine that is ready is answered as by the engine itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle
from sbomgate.policy import bundle
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.evaluation import QUERY
from testkit import forks
from testkit.engines import engine_cache

pytestmark = pytest.mark.real_engine
CUT = b'{"packages":'


@pytest.fixture
def engine() -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine(engine_cache(), lambda _: None) as engine:
        engine.compile()
        yield engine


def said(engine: EmbeddedEngine, policy_input: bytes, query: str = QUERY) -> str:
    """What is refused is answered as well: nothing but a whole input has a result."""
    engine.prepare(bundle.shipped(), query)
    with pytest.raises(PolicyError) as e:
        engine.evaluate(bundle.shipped(), policy_input, query)
    return str(e.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_it_answers_as_the_engine_does(engine: EmbeddedEngine, forked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [said(engine, policy_input) for policy_input in (b"{}", CUT)]
    asked = []
    real = forks._Fork.finish

    def finish(self: forks._Fork, policy_input: bytes) -> tuple[int, bytes]:
        asked.append(policy_input)
        return real(self, policy_input)

    monkeypatch.setattr(forks._Fork, "finish", finish)
    undo = forks.install(forked)
    try:
        # no evaluation leaves anything to the next one
        assert [said(engine, one) for one in (b"{}", CUT, b"{}", CUT)] == expected * 2
        assert len(asked) == 4
        # another question, or another policy, is for the engine itself
        assert "undefined" in said(engine, b"{}", "data.sbomgate.decision.nothing")
        other = PolicyBundle(files={"decision.rego": b"package a\n\nb := 1\n"}, sha256="ab" * 32, rules=())
        assert engine.evaluate(other, b"{}", "data.a.b") == b"1"
        with forks.real():
            assert said(engine, CUT) == expected[1]
        assert len(asked) == 4
    finally:
        undo()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="POSIX")
def test_where_nobody_answers_the_engine_does(engine: EmbeddedEngine) -> None:
    with forks.running() as path:
        pass
    undo = forks.install(path)
    try:
        assert "cut short" in said(engine, CUT)
    finally:
        undo()
