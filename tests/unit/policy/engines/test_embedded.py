from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sbomgate import resources
from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle
from sbomgate.policy.engines import embedded
from sbomgate.policy.engines.embedded import EmbeddedEngine
from testkit.engines import REPOSITORY, engine_cache, pinned_opa

QUERY = "data.sbomgate.decision.result"


def policy(text: str, data: bytes | None = None) -> PolicyBundle:
    files = {"decision.rego": f"package sbomgate.decision\n\n{text}\n".encode()}
    if data is not None:
        files["data.json"] = data
    return PolicyBundle(files=files, sha256=hashlib.sha256(text.encode()).hexdigest(), rules=())


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    return EmbeddedEngine(engine_cache(), lambda sentence: None)


def test_says_what_it_is(engine: EmbeddedEngine) -> None:
    assert (engine.name, engine.ours, engine.version) == ("embedded", True, pinned_opa())


@pytest.mark.parametrize(
    ("text", "policy_input", "says"),
    [
        pytest.param("a := 1", b"{}", "[undefined]", id="P3 undefined path"),
        pytest.param("result := input.packages", b"{}", "[undefined]", id="P3 input {}"),
        pytest.param("result := 1", b"", None, id="no input needed"),
        pytest.param("result := input.a", b'{"a":1,"a":2}', "given twice", id="input with a key twice"),
        pytest.param("result := input.a", b'{"a":1} 2', "something follows", id="input of two documents"),
        pytest.param("result := input.a", b"\xff", "not UTF-8", id="input not UTF-8"),
        pytest.param("result := input.a", b"[" * 5000, "nested deeper", id="input nested deeply"),
        pytest.param(
            'result contains 1 if time.parse_rfc3339_ns("x") < 1', b"{}", "eval_builtin_error", id="P3 built-in"
        ),
        pytest.param("result := http.send({})", b"{}", "http.send is forbidden (network)", id="P23 network"),
        pytest.param("result := opa.runtime()", b"{}", "opa.runtime is forbidden", id="P23 environment"),
        pytest.param("result := time.now_ns()", b"{}", "time.now_ns is forbidden", id="P23 clock"),
        pytest.param('result := rand.intn("x", 2)', b"{}", "rand.intn is forbidden", id="P23 randomness"),
        pytest.param('result := nosuch("x")', b"{}", "undefined function nosuch", id="compile error"),
        pytest.param("result := {", b"{}", "rego_parse_error", id="parse error"),
        pytest.param("result := 1\n\nresult := 2", b"{}", "eval_conflict_error", id="conflict"),
        pytest.param(
            "# METADATA\n# schemas:\n#   - input: {type: object, properties: {a: {type: string}}}\nresult := input.b",
            b"{}",
            "undefined ref: input.b",
            id="schema in METADATA",
        ),
    ],
)
def test_traps(engine: EmbeddedEngine, text: str, policy_input: bytes, says: str | None) -> None:
    if says is None:
        assert engine.evaluate(policy(text), policy_input, QUERY) == b"1"
        return
    with pytest.raises(PolicyError) as e:
        engine.evaluate(policy(text), policy_input, QUERY)
    assert says in str(e.value)
    assert e.value.hint


def test_where_an_error_is(engine: EmbeddedEngine) -> None:
    with pytest.raises(PolicyError) as e:
        engine.evaluate(policy("result := 1\n\nbad := nosuch(1)"), b"{}", QUERY)
    assert (e.value.where, e.value.place) == ("decision.rego", "line 5, column 8")


@pytest.mark.parametrize("query", ["input.a", "data.sbomgate.decision.result; true", "1", "", "data["])
def test_a_query_is_a_path_into_the_data(engine: EmbeddedEngine, query: str) -> None:
    with pytest.raises(PolicyError):
        engine.evaluate(policy("result := 1"), b'{"a":1}', query)


def test_entrypoint_on_a_package_with_functions(engine: EmbeddedEngine) -> None:
    """`opa build` breaks on it; we never build, so it is as good as any."""
    bundle = PolicyBundle(
        files={
            "decision.rego": b"# METADATA\n# entrypoint: true\npackage sbomgate.decision\n\n"
            b"f(x) := x\n\nresult := f(1)\n"
        },
        sha256="",
        rules=(),
    )
    assert engine.evaluate(bundle, b"{}", QUERY) == b"1"


def test_check_with_schema_finds_a_misspelt_field(engine: EmbeddedEngine) -> None:
    text = '# METADATA\n# schemas:\n#   - input: schema["policy-input"]\nresult := input.pakages'
    schema = b'{"type":"object","properties":{"packages":{"type":"array"}}}'
    engine.check(policy(text))
    with pytest.raises(PolicyError, match=r"undefined ref: input\.pakages"):
        engine.check(policy(text), {"policy-input": schema})
    engine.check(policy(text.replace("pakages", "packages")), {"policy-input": schema})
    with pytest.raises(PolicyError, match="undefined schema"):
        engine.check(policy(text), {"another": schema})


def test_check_is_strict_where_asked(engine: EmbeddedEngine) -> None:
    unused = policy("result if { x := 1 }")
    with pytest.raises(PolicyError, match="assigned var x unused"):
        engine.check(unused)
    engine.check(unused, strict=False)
    assert engine.evaluate(unused, b"{}", QUERY) == b"true"


def test_data_is_the_bundles(engine: EmbeddedEngine) -> None:
    assert engine.evaluate(policy("result := data.a.b", b'{"a":{"b":[1,2]}}'), b"{}", QUERY) == b"[1,2]"
    with pytest.raises(PolicyError, match="conflict"):
        engine.evaluate(policy("result := 1", b'{"sbomgate":{"decision":{"result":2}}}'), b"{}", QUERY)


ENDLESS = policy(
    "result := count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000);"
    " some c in numbers.range(1, 3000); a + b == c])"
)


def test_p9_time_limit() -> None:
    engine = EmbeddedEngine(engine_cache(), lambda sentence: None, seconds=0.5)
    with pytest.raises(PolicyError, match=r"longer than 0\.5 s"):
        engine.evaluate(ENDLESS, b"{}", QUERY)
    # and the next one is not cut by what is left of that
    assert engine.evaluate(policy("result := 1"), b"{}", QUERY) == b"1"


def test_p9_the_time_limit_grows_with_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9: a large project is not a slow policy; it is a limit still, of each input its own."""
    monkeypatch.setattr(embedded, "SECONDS_PER_MB", 0.25)
    engine = EmbeddedEngine(engine_cache(), lambda sentence: None, seconds=0.25)
    with pytest.raises(PolicyError, match=r"longer than 0\.75 s"):
        engine.evaluate(ENDLESS, b'"%s"' % (b"x" * 2_000_000), QUERY)
    with pytest.raises(PolicyError, match=r"longer than 0\.25 s"):
        engine.evaluate(ENDLESS, b"{}", QUERY)


def test_p9_memory_limit() -> None:
    engine = EmbeddedEngine(engine_cache(), lambda sentence: None, memory_bytes=96 << 20)
    with pytest.raises(PolicyError, match="more than 96 MiB"):
        engine.evaluate(policy("result := count(numbers.range(1, 5000000))"), b"{}", QUERY)
    assert engine.evaluate(policy("result := 1"), b"{}", QUERY) == b"1"


def test_p23_nothing_differs_between_two_runs(engine: EmbeddedEngine) -> None:
    """The instance sees neither clock nor randomness: Go seeds its hash tables from them."""
    text = "result := {k: v | some k, v in input}"
    policy_input = ("{" + ",".join(f'"k{i}":{i}' for i in range(500)) + "}").encode()
    assert len({engine.evaluate(policy(text), policy_input, QUERY) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("ahead", "asked"),
    [
        pytest.param("result := input.a", "result := input.a", id="what was prepared"),
        pytest.param("result := 2", "result := input.a", id="something else"),
        pytest.param("result := {", "result := input.a", id="a broken one, and then another"),
    ],
)
def test_prepared(ahead: str, asked: str) -> None:
    with EmbeddedEngine(engine_cache(), lambda sentence: None, seconds=2) as engine:
        engine.prepare(policy(ahead), QUERY)
        time.sleep(2.5)  # P9: waiting for the input is nobody's evaluation
        assert engine.evaluate(policy(asked), b'{"a":1}', QUERY) == b"1"
        assert engine.evaluate(policy(asked), b'{"a":[]}', QUERY) == b"[]"


def test_prepared_and_broken() -> None:
    with EmbeddedEngine(engine_cache(), lambda sentence: None) as engine:
        engine.prepare(policy("result := {"), QUERY)
        with pytest.raises(PolicyError, match="rego_parse_error"):
            engine.evaluate(policy("result := {"), b"{}", QUERY)


@pytest.mark.parametrize("wait", [0, 0.05, 1], ids=["at once", "while it compiles", "while it waits"])
def test_prepared_for_nothing(wait: float) -> None:
    """No thread is left that Python would meet when it shuts down."""
    with EmbeddedEngine(engine_cache(), lambda sentence: None) as engine:
        engine.prepare(policy("result := 1"), QUERY)
        time.sleep(wait)
    assert not [thread for thread in threading.enumerate() if thread.name == "sbomgate-policy"]


def test_threads_take_turns(engine: EmbeddedEngine) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(engine.evaluate(policy(f"result := {n}"), b"{}", QUERY)))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [b"0", b"1", b"2", b"3"]


# ---------------------------------------------------------------------------------------------------------------------
# The cache, with a module that compiles at once: it answers 7, whatever it is asked.

SEVEN = r"""
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\0c\00\00\00")
  (data (i32.const 16) "{\"result\":7}")
  (func (export "_initialize"))
  (func (export "prepare") (result i32) (i32.const 0))
  (func (export "answer") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))))
"""


class Small(EmbeddedEngine):
    compiled = 0

    def _shipped(self) -> bytes:
        import wasmtime

        type(self).compiled += 1
        return bytes(wasmtime.wat2wasm(SEVEN))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, list[str]], bytes]:
    monkeypatch.setattr(Small, "compiled", 0)

    def ask(cache: Path, said: list[str]) -> bytes:
        return Small(cache, said.append).evaluate(policy("result := 7"), b"{}", QUERY)

    return ask


def test_first_start_says_so_and_later_ones_do_not_compile(
    tmp_path: Path, small: Callable[[Path, list[str]], bytes]
) -> None:
    said: list[str] = []
    cache = tmp_path / "cache"
    assert [small(cache, said) for _ in range(3)] == [b"7"] * 3
    assert said == ["compiling the policy engine: once, some seconds"]
    assert Small.compiled == 1
    (kept,) = cache.iterdir()
    import importlib.metadata

    assert importlib.metadata.version("wasmtime") in kept.name
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_compiled_again(tmp_path: Path, small: Callable[[Path, list[str]], bytes]) -> None:
    cache = tmp_path / "cache"
    small(cache, [])
    (kept,) = cache.iterdir()
    for damage in (b"", b"not a module", kept.read_bytes()[:100]):
        kept.write_bytes(damage)
        assert small(cache, []) == b"7"
    assert Small.compiled == 4
    assert small(cache, []) == b"7"
    assert Small.compiled == 4


def test_p26_an_open_cache_is_refused(tmp_path: Path, small: Callable[[Path, list[str]], bytes]) -> None:
    cache = tmp_path / "cache"
    small(cache, [])
    cache.chmod(0o777)
    with pytest.raises(PolicyError, match="written by others"):
        small(cache, [])


def test_without_a_cache_it_compiles_in_memory_and_says_so(
    tmp_path: Path, small: Callable[[Path, list[str]], bytes]
) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    assert small(tmp_path / "file" / "cache", said) == b"7"
    assert said[0].startswith("the compiled policy engine cannot be kept in ")
    assert said[1:] == ["compiling the policy engine: once, some seconds"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_home(tmp_path: Path, small: Callable[[Path, list[str]], bytes]) -> None:
    tmp_path.chmod(0o500)
    said: list[str] = []
    assert small(tmp_path / "cache", said) == b"7"
    assert "cannot be kept" in said[0]


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="POSIX with /proc")
def test_nothing_is_left_of_an_instance(tmp_path: Path, small: Callable[[Path, list[str]], bytes]) -> None:
    """An instance reserves gigabytes of address space: as a library, sbomgate evaluates many times in one process."""

    def reserved() -> int:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    assert small(tmp_path, []) == b"7"
    before = reserved()
    for _ in range(3):
        assert small(tmp_path, []) == b"7"
    assert reserved() - before < 2 << 30


def test_two_first_starts_at_once(tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys; from pathlib import Path; sys.path.append('tests')\n"
        "spec = importlib.util.spec_from_file_location('shared', sys.argv[2])\n"
        "t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t)\n"
        "print(t.Small(Path(sys.argv[1]), lambda s: None).evaluate(t.policy('result := 7'), b'{}', t.QUERY).decode())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", program, str(tmp_path / "cache"), __file__],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["7"] * 3
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_shipped_module_is_the_one_that_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = resources.path

    def altered(*parts: str) -> Path:
        if parts[-1] != "opa-eval.wasm.xz":
            return real(*parts)
        import lzma

        path = tmp_path / "opa-eval.wasm.xz"
        path.write_bytes(lzma.compress(b"\0asm\1\0\0\0"))
        return path

    monkeypatch.setattr(resources, "path", altered)
    with pytest.raises(PolicyError, match="not the one that was built"):
        EmbeddedEngine(tmp_path / "cache", lambda s: None).evaluate(policy("result := 1"), b"{}", QUERY)


@pytest.mark.parametrize(
    ("processor", "looks"),
    [
        pytest.param([0.0, 1.0], 1, id="it had the processor for all of its time"),
        pytest.param([0.0] * 100, embedded.STARVED, id="others had it: ten times as long by the clock, and no longer"),
        pytest.param([0.0, 0.4, 0.8, 1.2], 3, id="it had less than half of it"),
    ],
)
def test_p9_the_time_limit_is_of_the_processor(
    processor: list[float], looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner where others take the processor made exit code 2 of an evaluation that needed two seconds."""

    class Stopped:
        times = 0

        def increment_epoch(self) -> None:
            self.times += 1

    class Never(threading.Event):
        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            assert 0 < timeout <= 1
            self.waits += 1
            return False

    clock, used = itertools.count(), iter(processor)
    monkeypatch.setattr(embedded, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(embedded, "process_time", lambda: next(used))
    engine, event = Stopped(), Never()
    embedded._Limit(None, engine, 1.0)._watch(event)  # type: ignore[arg-type]
    assert engine.times == 1
    assert event.waits == looks
