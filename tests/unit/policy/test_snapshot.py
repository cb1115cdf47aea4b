"""An instance that goes on from a snapshot answers as one that compiled the policy; what is damaged is made again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle
from sbomgate.policy import bundle, private, snapshot
from sbomgate.policy.engines import embedded
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.evaluation import QUERY
from testkit.engines import engine_cache

POLICY = b"package sbomgate.decision\n\nresult := {k: w | some k, v in input; w := v + data.n}\n"


def policy(text: bytes = POLICY, n: int = 1) -> PolicyBundle:
    files = {"decision.rego": text, "data.json": b'{"n":%d}' % n}
    return PolicyBundle(files=files, sha256=hashlib.sha256(text).hexdigest(), rules=())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The compiled engine in a folder of the test's own, and no snapshot."""
    folder = tmp_path / "engine"
    folder.mkdir(mode=0o700)
    for compiled in engine_cache().glob("*.cwasm"):
        (folder / compiled.name).hardlink_to(compiled)
    return folder


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was taken: as often as a policy was compiled to be kept."""
    taken: list[Path] = []
    real = EmbeddedEngine._keep

    def keep(self: EmbeddedEngine, policy: bytes, *instance: object) -> None:
        real(self, policy, *instance)  # type: ignore[arg-type]
        taken.append(self._cache_dir / self._snapshot(policy))

    monkeypatch.setattr(EmbeddedEngine, "_keep", keep)
    return taken


def ask(cache: Path, policy: PolicyBundle, policy_input: bytes = b'{"a":1}', **limits: int) -> bytes:
    with EmbeddedEngine(cache, lambda _: None, **limits) as engine:
        engine.prepare(policy, QUERY)
        return engine.evaluate(policy, policy_input, QUERY)


def test_it_answers_as_one_that_compiled(cache: Path, compiled: list[Path]) -> None:
    inputs = [b"{}", b'{"a":1,"b":-2}', ("{" + ",".join(f'"k{i}":{i}' for i in range(2000)) + "}").encode()]
    first = [ask(cache, policy(), one) for one in inputs]
    assert len(compiled) == 1
    for one, expected in zip(inputs, first, strict=True):  # and here is none, and none is kept unprepared
        with EmbeddedEngine(engine_cache(), lambda _: None) as engine:
            assert engine.evaluate(policy(), one, QUERY) == expected
    assert len(compiled) == 1
    assert not (engine_cache() / compiled[0].name).exists()


def test_the_shipped_policy(cache: Path, compiled: list[Path]) -> None:
    """What it says to an input that is none is the policy's own word as well: the findings, or the error."""

    def said() -> str:
        with pytest.raises(PolicyError) as e:
            ask(cache, bundle.shipped(), b'{"packages":[]}')
        return str(e.value)

    assert said() == said()
    assert len(compiled) == 1
    assert compiled[0].stat().st_size < 40 << 20


@pytest.mark.parametrize(
    "other", [policy(n=2), policy(POLICY.replace(b"v + data", b"v - data"))], ids=["other data", "other Rego"]
)
def test_each_policy_has_its_own(cache: Path, compiled: list[Path], other: PolicyBundle) -> None:
    assert ask(cache, policy()) == b'{"a":2}'
    assert ask(cache, other) != b'{"a":2}'
    assert ask(cache, policy()) == b'{"a":2}'
    assert len(compiled) == 2


def test_it_is_where_the_answer_comes_from(cache: Path) -> None:
    """Another policy's snapshot under this one's name: so nothing is compiled after all, or looked at once more."""
    ask(cache, policy())
    (mine,) = cache.glob("*.snapshot")
    ask(cache, policy(n=41))
    (other,) = set(cache.glob("*.snapshot")) - {mine}
    other.replace(mine)
    assert ask(cache, policy()) == b'{"a":42}'


def damages(kept: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "cut in its head", kept[:7]
    yield "cut in its description", kept[:40]
    yield "cut in the middle", kept[: len(kept) // 2]
    yield "its last byte is missing", kept[:-1]
    for at in (0, 5, 9, 30, len(kept) // 3, len(kept) - 1):
        yield f"byte {at} of it", kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :]
    yield "zeros, as after a power cut", bytes(len(kept))
    yield "a description of four gigabytes", kept[:8] + b"\xff" * 4 + kept[12:]


def test_P26_waiting_says_why_nothing_was_compiled(cache: Path) -> None:
    cache.chmod(0o777)
    with EmbeddedEngine(cache, lambda _: None) as engine:
        engine.prepare(policy(), QUERY)
        with pytest.raises(PolicyError, match="written by others"):
            engine.wait()


def test_P26_what_is_damaged_is_made_again(cache: Path, compiled: list[Path]) -> None:
    expected = ask(cache, policy())
    kept = compiled[0].read_bytes()
    for how, damaged in damages(kept):
        compiled[0].write_bytes(damaged)
        before = len(compiled)
        assert ask(cache, policy()) == expected, how
        assert len(compiled) == before + 1, how
        assert compiled[0].read_bytes() == kept, how


def writable(path: Path) -> None:
    path.chmod(0o666)


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("away")))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [writable, link, folder])
def test_P26_what_others_can_write_is_refused(cache: Path, compiled: list[Path], harm: Callable[[Path], None]) -> None:
    ask(cache, policy())
    harm(compiled[0])
    with pytest.raises(PolicyError, match="only loaded from a private place") as e:
        ask(cache, policy())
    assert str(compiled[0]) in str(e.value)


def test_a_disk_that_is_full(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private, "store", full)
    assert ask(cache, policy()) == b'{"a":2}'
    assert not list(cache.glob("*.snapshot"))


def test_P9_limits_hold_for_it_too(cache: Path) -> None:
    many = policy(b"package sbomgate.decision\n\nresult := count(numbers.range(1, input.n))\n")
    assert ask(cache, many, b'{"n":3}') == b"3"
    assert list(cache.glob("*.snapshot"))
    with pytest.raises(PolicyError, match="more than 96 MiB"):
        ask(cache, many, b'{"n":5000000}', memory_bytes=96 << 20)
    with pytest.raises(PolicyError, match=r"more than 1 MiB|does not start"):
        ask(cache, many, b'{"n":3}', memory_bytes=1 << 20)


def test_of_a_policy_that_is_asked_again(cache: Path, compiled: list[Path]) -> None:
    """Unprepared, one is kept when it comes twice in a row: most policies are asked once."""
    with EmbeddedEngine(cache, lambda _: None) as engine:
        taken = []
        for n in (1, 2, 1, 1, 1):
            assert engine.evaluate(policy(n=n), b'{"a":1}', QUERY) == b'{"a":%d}' % (1 + n)
            taken.append(len(compiled))
    assert taken == [0, 0, 0, 1, 1]


def test_those_used_last_are_kept(cache: Path, compiled: list[Path]) -> None:
    for n in range(embedded.SNAPSHOTS + 2):
        ask(cache, policy(n=n))
        ask(cache, policy(n=0))
    assert set(cache.glob("*.snapshot")) == {compiled[0], *compiled[-embedded.SNAPSHOTS + 1 :]}


def test_one_that_is_too_large_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 1 << 20)
    assert ask(cache, policy()) == b'{"a":2}'
    assert not list(cache.glob("*.snapshot"))


def test_a_policy_that_does_not_compile_is_not_kept(cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(PolicyError, match="rego_parse_error"):
            ask(cache, policy(b"package sbomgate.decision\n\nresult := {"))
    assert not list(cache.glob("*.snapshot"))
