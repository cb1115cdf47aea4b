"""The embedded engine: OPA itself, compiled to WebAssembly (`engine/`), run by wasmtime in this process.

It has no network, no file, no environment, no clock and no randomness, a limit of time and one of memory. The module
is compiled to machine code once and kept in a private folder; so is what a policy compiles to (`snapshot.py`).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import lzma
import os
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from time import monotonic, process_time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sbomgate import canonical, resources
from sbomgate.errors import PolicyError
from sbomgate.model import PolicyBundle
from sbomgate.policy import private
from sbomgate.policy.bundle import data_document
from sbomgate.policy.engines import path_of

if TYPE_CHECKING:
    import wasmtime

    from sbomgate.policy.engines import EngineSettings

ABI = 3  # of engine/main.go's request and answer
SECONDS = 60.0  # of processor time, for one evaluation: 20,000 packages take some seconds, and
SECONDS_PER_MB = 3.0  # more for each whole MB of input: 100,000 packages are 36 MB, and each may have findings
STARVED = 10  # times as long by the clock: a runner where others take the processor is slow, the policy is not
MEMORY_BYTES = 2 << 30  # linear memory: 20,000 packages take half a gigabyte
ANSWER_BYTES = 64 << 20  # a finding for each of 20,000 packages is 10 MB
MODULE_BYTES = 64 << 20  # of the uncompressed module: it is 21 MB

_STACK_BYTES = 2 << 20  # the most that wasmtime takes for WebAssembly's own calls; deeper recursion ends in a trap
_THREAD_STACK_BYTES = 16 << 20
SNAPSHOTS = 4  # are kept, those that were used last: each policy, and each query of it, has its own

_U32 = 0xFFFF_FFFF
_EBADF, _EFBIG = 8, 22  # errno of wasi_snapshot_preview1
_MESSAGE = 500  # characters of an error that are shown
_REFUSED = 10  # engine/main.go: the answer lists errors
_ABANDONED = 0  # nobody reads this one's answer
_KEPT = ".snapshot"
_INSTANT = (1_000_000_000).to_bytes(8, "little")  # what the clock always says: Go does not start at zero
_SETTINGS = f"none-epoch-nounwind-stack{_STACK_BYTES}"
_HINTS = {
    "forbidden": "a policy sees its input and its data, nothing else: take the call out",
    "undefined": "no value there: a finding of your own rule that lacks a field does that (docs/write-a-rule.md)",
    "eval_builtin_error": "a built-in failed on its argument: guard it, so that the finding does not vanish",
    "input": "the input is made by sbomgate: this is a defect, or stored input was altered",
}


Exports = Mapping[str, Any]  # of an instance: the calls of engine/main.go, memory and globals


def open_engine(settings: EngineSettings) -> EmbeddedEngine:
    """Open the engine; nothing is compiled before the first use."""
    return EmbeddedEngine(settings.cache_dir, settings.notify)


class EmbeddedEngine:
    """OPA as WebAssembly. One evaluation at a time; each starts from a fresh instance."""

    name = "embedded"
    ours = True

    def __init__(
        self,
        cache_dir: Path,
        notify: Callable[[str], None],
        *,
        seconds: float = SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Read what the shipped engine is.

        Args:
            cache_dir: private folder for the compiled module, made where it is not there.
            notify: told one sentence before the module is compiled, and when it cannot be kept.
            seconds: limit of one evaluation, to which SECONDS_PER_MB are added.
            memory_bytes: limit of its memory.

        Raises:
            PolicyError: the shipped engine is not the one that this version knows how to ask.
        """
        described = json.loads(resources.path("engine", "dist", "engine.json").read_bytes())
        if described["abi"] != ABI:
            raise PolicyError(f"the shipped engine speaks version {described['abi']}, expected {ABI}")
        self.version: str = described["opa"]
        self._sha256: str = described["sha256"]
        self._cache_dir = cache_dir
        self._notify = notify
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._turn = threading.Lock()
        self._loaded: tuple[wasmtime.Engine, wasmtime.Module] | None = None
        self._ahead: tuple[bytes, _Run] | None = None
        self._asked = b""

    @property
    def kept_at(self) -> Path:
        """Where the compiled module is kept; it is not there before the first use."""
        import wasmtime

        version = _version(wasmtime.__file__)
        return self._cache_dir / f"opa-{self._sha256}-wasmtime-{version}-{_SETTINGS}.cwasm"

    def compile(self) -> None:
        """Compile the module, or load what was compiled before: what the first use would do.

        Raises:
            PolicyError: the shipped module is damaged, or the folder is not private.
        """
        with self._turn:
            self._module()

    def prepare(self, bundle: PolicyBundle, query: str) -> None:
        """Start in the background and compile the policy, so that `evaluate` of the same has only the input to do.

        What it compiles to is kept beside the compiled module, so that another process need not do it again.
        """
        policy = _policy({"op": "evaluate", "query": query}, bundle, {})
        with self._turn:
            if self._ahead is None or self._ahead[0] != policy:
                self._forget()
                self._ahead = policy, self._start(policy, keep=True)

    def wait(self) -> None:
        """Wait until what `prepare` began in the background is there. What the policy lacks, `evaluate` says.

        Raises:
            PolicyError: the shipped module is damaged, or the folder is not private.
        """
        with self._turn:
            if self._ahead is not None:
                self._ahead[1].wait()

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) and return its canonical JSON.

        Errors of built-ins are errors, whatever the policy does with them.

        Raises:
            PolicyError: compile error, forbidden built-in, undefined result, failing built-in, or over a limit.
        """
        path_of(query)
        return canonical.dumps(self._ask({"op": "evaluate", "query": query}, bundle, policy_input, {}))

    def check(self, bundle: PolicyBundle, schemas: Mapping[str, bytes] | None = None, *, strict: bool = True) -> None:
        """Compile the bundle as `opa check --strict --capabilities -s` does, and evaluate nothing.

        Args:
            bundle: what to check.
            strict: also refuse what is legal and likely wrong (an unused variable, a shadowed import); without it and
                without schemas a bundle passes exactly where `evaluate` would compile it.
            schemas: JSON Schemas by the name that METADATA gives them (`policy-input` is `schema["policy-input"]`).

        Raises:
            PolicyError: it does not compile, calls a forbidden built-in, or reads what the schema does not have.
        """
        self._ask({"op": "check", "strict": strict}, bundle, b"", schemas or {})

    def close(self) -> None:
        """Forget the compiled module, and end what was prepared for nothing."""
        with self._turn:
            self._forget()
            self._loaded = None

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _ask(
        self, header: dict[str, object], bundle: PolicyBundle, policy_input: bytes, schemas: Mapping[str, bytes]
    ) -> Any:
        code, answer = self._run(_policy(header, bundle, schemas), policy_input)
        try:
            document = canonical.loads(answer)
            if code == 0:
                return document["result"]
            errors = document["errors"]
        except (ValueError, KeyError, TypeError) as e:
            raise PolicyError(f"the embedded engine gave no readable answer: {e}", where="policy") from e
        raise _error(errors)

    def _run(self, policy: bytes, policy_input: bytes) -> tuple[int, bytes]:
        with self._turn:
            if self._ahead is None or self._ahead[0] != policy:
                self._forget()
                # Who asks of a policy again will ask a third time: `replay --all`, a library.
                self._ahead = policy, self._start(policy, keep=policy == self._asked)
            run, self._ahead, self._asked = self._ahead[1], None, policy
            return run.finish(policy_input)

    def _start(self, policy: bytes, *, keep: bool) -> _Run:
        return _Run(self._module, functools.partial(self._instance, policy, keep))

    def _forget(self) -> None:
        if self._ahead is not None:
            self._ahead[1].abandon()
            self._ahead = None

    def _module(self) -> tuple[wasmtime.Engine, wasmtime.Module]:
        self._loaded = self._loaded or self._load()
        return self._loaded

    def _instance(
        self,
        policy: bytes,
        keep: bool,
        engine: wasmtime.Engine,
        module: wasmtime.Module,
        wait: Callable[[], bytes | None],
    ) -> tuple[int, bytes]:
        import wasmtime

        stdin, answer, complaint = _Stdin(policy), _Output(ANSWER_BYTES), _Output(4096)
        store = wasmtime.Store(engine)
        store.set_wasi(_wasi())  # (1) no environment, no folder, no socket
        store.set_limits(memory_size=self._memory_bytes)  # (2) P9 memory
        limit = _Limit(store, engine, self._seconds)  # (3) P9 time
        linker = _linker(engine, stdin.read, {1: answer, 2: complaint})

        def fresh() -> Exports:
            return linker.instantiate(store, module).exports(store)

        def call(exports: Exports, name: str) -> int:
            function = exports[name]
            assert isinstance(function, wasmtime.Func)  # noqa: S101  engine/main.go
            with limit:
                return int(function(store) or 0)

        try:
            if (exports := self._restored(policy, store, fresh)) is None:
                exports = fresh()
                call(exports, "_initialize")
                if call(exports, "prepare") == 0 and keep:
                    self._keep(policy, store, exports)
            if (policy_input := wait()) is None:
                return _ABANDONED, b""
            limit.seconds += SECONDS_PER_MB * (len(policy_input) // 1_000_000)
            stdin.give(policy_input)
            code = call(exports, "answer")
        except wasmtime.ExitTrap as e:
            code = e.code
        except wasmtime.Trap as e:
            raise (self._out_of_memory(complaint) or self._trapped(e, limit.seconds)) from e
        except wasmtime.WasmtimeError as e:
            raise PolicyError(f"the embedded engine does not start: {str(e)[:500]}", where="policy") from e
        finally:
            # The host functions hold the store and the store holds them, where no collector looks: 100 MB an instance.
            linker.close()
            store.close()
        if answer.overflowed:
            raise PolicyError(f"the policy's answer is larger than {ANSWER_BYTES} bytes", where="policy")
        if code not in (0, _REFUSED):
            said = bytes(complaint.data).decode("utf-8", "replace").strip().partition("\n")[0][:_MESSAGE]
            raise self._out_of_memory(complaint) or PolicyError(
                f"the embedded engine ended with code {code}: {said}", where="policy"
            )
        return code, bytes(answer.data)

    def _out_of_memory(self, complaint: _Output) -> PolicyError | None:
        """Return the error where Go said that it got no more memory: it then ends, or runs out of stack saying so."""
        if b"out of memory" not in complaint.data and b"cannot allocate memory" not in complaint.data:
            return None
        return PolicyError(
            f"the evaluation needs more than {self._memory_bytes >> 20} MiB of memory",
            where="policy",
            hint="look for a rule that builds something large",
        )

    def _trapped(self, trap: wasmtime.Trap, seconds: float) -> PolicyError:
        import wasmtime

        match trap.trap_code:
            case wasmtime.TrapCode.INTERRUPT:
                return PolicyError(
                    f"the evaluation took longer than {seconds:g} s and was stopped",
                    where="policy",
                    hint="look for a rule that walks all packages for each package",
                )
            case wasmtime.TrapCode.STACK_OVERFLOW:
                return PolicyError("the evaluation nests too deeply", where="policy")
            case _:
                return PolicyError(f"the embedded engine trapped: {str(trap).splitlines()[-1][:300]}", where="policy")

    def _snapshot(self, policy: bytes) -> str:
        return f"policy-{hashlib.sha256(self._sha256.encode() + policy).hexdigest()}{_KEPT}"

    def _restored(self, policy: bytes, store: wasmtime.Store, fresh: Callable[[], Exports]) -> Exports | None:
        """Return a fresh instance that goes on from a snapshot of this policy; None where there is none."""
        from sbomgate.policy import snapshot

        def read(path: str) -> Exports | None:
            exports = fresh()
            return exports if snapshot.restore(path, store, exports) else None

        try:
            return private.load(self._cache_dir, self._snapshot(policy), read)
        except OSError:  # the policy is compiled again
            return None

    def _keep(self, policy: bytes, store: wasmtime.Store, exports: Exports) -> None:
        from sbomgate.policy import snapshot

        if (taken := snapshot.take(store, exports)) is None:
            return
        with contextlib.suppress(OSError):  # a folder that is read alone: the policy is compiled each time
            private.store(self._cache_dir, self._snapshot(policy), taken)
            kept = sorted(self._cache_dir.glob(f"policy-*{_KEPT}"), key=lambda path: path.stat().st_mtime_ns)
            for path in kept[:-SNAPSHOTS]:
                path.unlink()

    def _load(self) -> tuple[wasmtime.Engine, wasmtime.Module]:
        import wasmtime

        config = wasmtime.Config()
        config.epoch_interruption = True
        config.max_wasm_stack = _STACK_BYTES
        config.native_unwind_info = os.name == "nt"  # for debuggers alone; Windows always has it
        config.cranelift_opt_level = "none"  # "speed" compiles a fifth slower and evaluates no faster: Go has optimised
        engine = wasmtime.Engine(config)
        name = self.kept_at.name

        def deserialize(path: str) -> wasmtime.Module | None:
            try:
                return wasmtime.Module.deserialize_file(engine, path)
            except wasmtime.WasmtimeError:  # cut short, or of another build of wasmtime: compiled again and replaced
                return None

        keep = True
        try:
            module = private.load(self._cache_dir, name, deserialize)
        except OSError as e:
            module, keep = None, False
            self._notify(f"the compiled policy engine cannot be kept in {self._cache_dir} ({e.strerror})")
        if module is None:
            self._notify("compiling the policy engine: once, some seconds")
            module = wasmtime.Module(engine, self._shipped())
            if keep:
                try:
                    private.store(self._cache_dir, name, module.serialize())
                except OSError as e:
                    self._notify(f"the compiled policy engine cannot be kept in {self._cache_dir} ({e.strerror})")
        return engine, module

    def _shipped(self) -> bytes:
        """Return the module, which is exactly the one that engine.json names."""
        path = resources.path("engine", "dist", "opa-eval.wasm.xz")
        try:
            reader = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
            module = reader.decompress(path.read_bytes(), MODULE_BYTES)
        except (OSError, lzma.LZMAError) as e:
            raise PolicyError("the shipped engine cannot be unpacked", where=str(path), hint=_REINSTALL) from e
        if not reader.eof or hashlib.sha256(module).hexdigest() != self._sha256:
            raise PolicyError("the shipped engine is not the one that was built", where=str(path), hint=_REINSTALL)
        return module


_REINSTALL = "install sbomgate again (pip install --force-reinstall sbomgate)"


class _Run:
    """One instance at work in a thread of its own: with a known stack, and so that Ctrl-C is heard.

    It compiles the policy at once, and then waits for the input.
    """

    def __init__(
        self,
        load: Callable[[], tuple[wasmtime.Engine, wasmtime.Module]],
        work: Callable[[wasmtime.Engine, wasmtime.Module, Callable[[], bytes | None]], tuple[int, bytes]],
    ) -> None:
        self._ready = threading.Event()
        self._input: SimpleQueue[bytes | None] = SimpleQueue()
        self._engine: wasmtime.Engine | None = None
        self._outcome: tuple[int, bytes] | BaseException | None = None

        def wait() -> bytes | None:
            self._ready.set()
            return self._input.get()

        def target() -> None:
            try:
                self._engine, module = load()
                self._outcome = work(self._engine, module, wait)
            except BaseException as e:  # noqa: BLE001  raised again by `finish`, in the caller's thread
                self._outcome = e
            finally:
                self._ready.set()

        self._thread = threading.Thread(target=target, name="sbomgate-policy", daemon=True)
        before = threading.stack_size(_THREAD_STACK_BYTES)
        try:
            self._thread.start()
        finally:
            threading.stack_size(before)

    def wait(self) -> None:
        """Wait until it has compiled the policy, and raise what it ended with before."""
        self._ready.wait()
        if isinstance(self._outcome, BaseException):
            raise self._outcome

    def finish(self, policy_input: bytes) -> tuple[int, bytes]:
        """Give it the input and return the exit code and the answer."""
        try:
            self._input.put(b"%d\n" % len(policy_input) + policy_input)
            self._thread.join()
        except BaseException:
            self.abandon()
            raise
        assert self._outcome is not None  # noqa: S101  the thread ended
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def abandon(self) -> None:
        """End it; its answer is of no interest. No thread of ours is left when Python shuts down."""
        self._input.put(None)
        if self._engine is not None:
            self._engine.increment_epoch()
        self._thread.join()


class _Stdin:
    """What the module reads: the policy, and then the input."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def give(self, data: bytes) -> None:
        self._left = memoryview(data)

    def read(self, size: int) -> bytes:
        chunk, self._left = self._left[:size], self._left[size:]
        return bytes(chunk)


class _Output:
    """What the module writes, up to a limit: more is an error of its write."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.overflowed = False
        self._limit = limit

    def write(self, chunk: bytes) -> int:
        if len(self.data) + len(chunk) > self._limit:
            self.overflowed = True
            return _EFBIG
        self.data += chunk
        return 0


class _Limit:
    """The time that a call into the module may take: a tick of the engine's epoch ends it.

    It waits for nothing, so what it needs is processor time; that of the whole process is what every system tells.
    """

    def __init__(self, store: wasmtime.Store, engine: wasmtime.Engine, seconds: float) -> None:
        self.seconds = seconds
        self._store, self._engine = store, engine
        self._stopped = threading.Event()

    def __enter__(self) -> None:
        self._store.set_epoch_deadline(1)
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, args=(self._stopped,), name="sbomgate-limit", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def _watch(self, stopped: threading.Event) -> None:
        began, used, left = monotonic(), process_time(), self.seconds
        while not stopped.wait(left):
            left = self.seconds - (process_time() - used)
            if left <= 0 or monotonic() - began >= self.seconds * STARVED:
                self._engine.increment_epoch()
                return


def _wasi() -> wasmtime.WasiConfig:
    import wasmtime

    wasi = wasmtime.WasiConfig()
    wasi.argv = ["opa"]
    return wasi


def _policy(header: dict[str, object], bundle: PolicyBundle, schemas: Mapping[str, bytes]) -> bytes:
    """Return the request but for the input, as engine/main.go reads it."""
    modules = sorted((path, text) for path, text in bundle.files.items() if path.endswith(".rego"))
    data = canonical.dumps(data_document(bundle))
    told = header | {
        "modules": [{"name": path, "size": len(text)} for path, text in modules],
        "data": len(data),
        "schemas": [{"name": name, "size": len(schemas[name])} for name in sorted(schemas)],
    }
    sections = [text for _, text in modules] + [data] + [schemas[name] for name in sorted(schemas)]
    return b"".join([json.dumps(told).encode(), b"\n", *sections])


def _linker(engine: wasmtime.Engine, read: Callable[[int], bytes], outputs: Mapping[int, _Output]) -> wasmtime.Linker:
    """Return WASI with a clock that stands still and randomness that is none (P23), and our own three streams.

    wasmtime's streams call back from threads of its own, which must not happen while Python shuts down.
    """
    import wasmtime

    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()

    def memory(caller: wasmtime.Caller) -> wasmtime.Memory:
        found = caller["memory"]
        assert isinstance(found, wasmtime.Memory)  # noqa: S101  a command module of wasip1 exports it
        return found

    def store(caller: wasmtime.Caller, data: bytes, at: int) -> int:
        memory(caller).write(caller, data, at & _U32)
        return 0

    def clock_time_get(caller: wasmtime.Caller, _clock: int, _precision: int, at: int) -> int:
        return store(caller, _INSTANT, at)

    def random_get(caller: wasmtime.Caller, at: int, size: int) -> int:
        return store(caller, bytes(size & _U32), at)

    def buffers(caller: wasmtime.Caller, at: int, count: int) -> list[tuple[int, int]]:
        at, count = at & _U32, count & _U32
        return list(struct.iter_unpack("<II", memory(caller).read(caller, at, at + 8 * count)))

    def fd_read(caller: wasmtime.Caller, file: int, at: int, count: int, taken: int) -> int:
        if file != 0:
            return _EBADF
        total = 0
        for start, size in buffers(caller, at, count):
            if size:
                data = read(size)
                store(caller, data, start)
                total += len(data)
                break  # a short read is a read
        return store(caller, total.to_bytes(4, "little"), taken)

    def fd_write(caller: wasmtime.Caller, file: int, at: int, count: int, taken: int) -> int:
        if file not in outputs:
            return _EBADF
        data = b"".join(memory(caller).read(caller, start, start + size) for start, size in buffers(caller, at, count))
        return outputs[file].write(data) or store(caller, len(data).to_bytes(4, "little"), taken)

    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    for function, parameters in (
        (clock_time_get, [i32, i64, i32]),
        (random_get, [i32, i32]),
        (fd_read, [i32] * 4),
        (fd_write, [i32] * 4),
    ):
        linker.define_func(
            "wasi_snapshot_preview1",
            function.__name__,
            wasmtime.FuncType(parameters, [i32]),
            function,
            access_caller=True,
        )
    return linker


def _error(errors: list[dict[str, Any]]) -> PolicyError:
    """Return the first of OPA's errors, and how many more there are."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    place = f"line {first['row']}, column {first.get('col', 0)}" if first.get("row") else ""
    message = " ".join(str(first["message"]).split())[:_MESSAGE]
    return PolicyError(
        f"{message}{more} [{first['code']}]",
        where=first.get("file") or "policy",
        place=place,
        hint=_HINTS.get(first["code"], "the policy does not hold together: correct it, `opa check` shows the place"),
    )


def _version(module: str) -> str:
    """Return the version of the installed wasmtime, by the folder beside it: `importlib.metadata` imports for 40 ms.

    It only keeps apart what two installations compiled; wasmtime itself refuses what another version of it compiled.
    """
    for found in Path(module).parents[1].glob("wasmtime-*.dist-info"):
        return found.name.removeprefix("wasmtime-").removesuffix(".dist-info")
    return "unknown"
