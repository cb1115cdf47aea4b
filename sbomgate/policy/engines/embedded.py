"""The embedded engine: OPA itself, compiled to WebAssembly (`engine/`), run by wasmtime in this process.

It has no network, no file, no environment, no clock and no randomness, a limit of time and one of memory. The module
is compiled to machine code once and kept in a private folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import lzma
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
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

ABI = 1  # of engine/main.go's request and answer
SECONDS = 60.0  # for one evaluation: 20,000 packages take some seconds
MEMORY_BYTES = 2 << 30  # linear memory: 20,000 packages take half a gigabyte
ANSWER_BYTES = 64 << 20  # a finding for each of 20,000 packages is 10 MB
MODULE_BYTES = 64 << 20  # of the uncompressed module: it is 32 MB

_STACK_BYTES = 2 << 20  # the most that wasmtime takes for WebAssembly's own calls; deeper recursion ends in a trap
_THREAD_STACK_BYTES = 16 << 20
_MESSAGE = 500  # characters of an error that are shown
_REFUSED = 10  # engine/main.go: the answer lists errors
_INSTANT = (1_000_000_000).to_bytes(8, "little")  # what the clock always says: Go does not start at zero
_SETTINGS = f"none-epoch-stack{_STACK_BYTES}"
_HINTS = {
    "forbidden": "a policy sees its input and its data, nothing else: take the call out",
    "undefined": "the policy gives no value there: is the query right, and the input whole?",
    "eval_builtin_error": "a built-in failed on its argument: guard it, so that the finding does not vanish",
    "input": "the input is made by sbomgate: this is a defect, or stored input was altered",
}


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
            seconds: limit of one evaluation.
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
        self._compiled: tuple[wasmtime.Engine, wasmtime.Module] | None = None

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
        """Forget the compiled module."""
        self._compiled = None

    def __enter__(self) -> Self:
        """Return the engine."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _ask(
        self, header: dict[str, object], bundle: PolicyBundle, policy_input: bytes, schemas: Mapping[str, bytes]
    ) -> Any:
        modules = sorted((path, text) for path, text in bundle.files.items() if path.endswith(".rego"))
        data = canonical.dumps(data_document(bundle))
        header |= {
            "modules": [{"name": path, "size": len(text)} for path, text in modules],
            "data": len(data),
            "input": len(policy_input),
            "schemas": [{"name": name, "size": len(schemas[name])} for name in sorted(schemas)],
        }
        sections = [text for _, text in modules] + [data, policy_input] + [schemas[name] for name in sorted(schemas)]
        code, answer = self._run(b"".join([json.dumps(header).encode(), b"\n", *sections]))
        try:
            document = canonical.loads(answer)
            if code == 0:
                return document["result"]
            errors = document["errors"]
        except (ValueError, KeyError, TypeError) as e:
            raise PolicyError(f"the embedded engine gave no readable answer: {e}", where="policy") from e
        raise _error(errors)

    def _run(self, request: bytes) -> tuple[int, bytes]:
        """Run the module in a thread of its own: with a known stack, and so that Ctrl-C is heard."""
        with self._turn:
            engine, module = self._compiled = self._compiled or self._load()
            outcome: list[tuple[int, bytes] | BaseException] = []

            def work() -> None:
                try:
                    outcome.append(self._instance(engine, module, request))
                except BaseException as e:  # noqa: BLE001  raised again below, in the caller's thread
                    outcome.append(e)

            before = threading.stack_size(_THREAD_STACK_BYTES)
            try:
                worker = threading.Thread(target=work, name="sbomgate-policy", daemon=True)
                worker.start()
            finally:
                threading.stack_size(before)
            try:
                worker.join()
            except BaseException:
                engine.increment_epoch()
                raise
        result = outcome[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def _instance(self, engine: wasmtime.Engine, module: wasmtime.Module, request: bytes) -> tuple[int, bytes]:
        import wasmtime

        answer, complaint = _Output(ANSWER_BYTES), _Output(4096)
        with tempfile.TemporaryDirectory(prefix="sbomgate-") as folder:
            stdin = Path(folder) / "request"
            stdin.write_bytes(request)
            wasi = wasmtime.WasiConfig()  # (1) no environment, no folder, no socket
            wasi.argv = ["opa"]
            wasi.stdin_file = str(stdin)
            wasi.stdout_custom = answer.write
            wasi.stderr_custom = complaint.write
            store = wasmtime.Store(engine)
            store.set_wasi(wasi)
            store.set_limits(memory_size=self._memory_bytes)  # (2) P9 memory
            store.set_epoch_deadline(1)  # (3) P9 time: one tick, given by the timer
            linker = _linker(engine)
            timer = threading.Timer(self._seconds, engine.increment_epoch)
            timer.daemon = True
            timer.start()
            try:
                exports = linker.instantiate(store, module).exports(store)
                start = exports["_start"]
                assert isinstance(start, wasmtime.Func)  # noqa: S101  a command module of wasip1 has it
                start(store)
                code = 0
            except wasmtime.ExitTrap as e:
                code = e.code
            except wasmtime.Trap as e:
                raise (self._out_of_memory(complaint) or self._trapped(e)) from e
            except wasmtime.WasmtimeError as e:
                raise PolicyError(f"the embedded engine does not start: {str(e)[:500]}", where="policy") from e
            finally:
                timer.cancel()
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

    def _trapped(self, trap: wasmtime.Trap) -> PolicyError:
        import wasmtime

        match trap.trap_code:
            case wasmtime.TrapCode.INTERRUPT:
                return PolicyError(
                    f"the evaluation took longer than {self._seconds:g} s and was stopped",
                    where="policy",
                    hint="look for a rule that walks all packages for each package",
                )
            case wasmtime.TrapCode.STACK_OVERFLOW:
                return PolicyError("the evaluation nests too deeply", where="policy")
            case _:
                return PolicyError(f"the embedded engine trapped: {str(trap).splitlines()[-1][:300]}", where="policy")

    def _load(self) -> tuple[wasmtime.Engine, wasmtime.Module]:
        from importlib.metadata import version

        import wasmtime

        config = wasmtime.Config()
        config.epoch_interruption = True
        config.max_wasm_stack = _STACK_BYTES
        config.cranelift_opt_level = "none"  # "speed" compiles a fifth slower and evaluates no faster: Go has optimised
        engine = wasmtime.Engine(config)
        name = f"opa-{self._sha256}-wasmtime-{version('wasmtime')}-{_SETTINGS}.cwasm"

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


class _Output:
    """What the module writes, up to a limit: more is an error of its write."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.overflowed = False
        self._limit = limit

    def write(self, chunk: bytes) -> int:
        if len(self.data) + len(chunk) > self._limit:
            self.overflowed = True
            return -errno.EFBIG
        self.data += chunk
        return len(chunk)


def _linker(engine: wasmtime.Engine) -> wasmtime.Linker:
    """Return WASI with a clock that stands still and randomness that is none (P23)."""
    import wasmtime

    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()

    def write(caller: wasmtime.Caller, data: bytes, at: int) -> int:
        memory = caller["memory"]
        assert isinstance(memory, wasmtime.Memory)  # noqa: S101  a command module of wasip1 exports it
        memory.write(caller, data, at & 0xFFFF_FFFF)
        return 0

    def clock_time_get(caller: wasmtime.Caller, _clock: int, _precision: int, at: int) -> int:
        return write(caller, _INSTANT, at)

    def random_get(caller: wasmtime.Caller, at: int, size: int) -> int:
        return write(caller, bytes(size & 0xFFFF_FFFF), at)

    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    wasi = "wasi_snapshot_preview1"
    clock, random = wasmtime.FuncType([i32, i64, i32], [i32]), wasmtime.FuncType([i32, i32], [i32])
    linker.define_func(wasi, "clock_time_get", clock, clock_time_get, access_caller=True)
    linker.define_func(wasi, "random_get", random, random_get, access_caller=True)
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
