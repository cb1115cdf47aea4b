"""A real shell for the documentation's commands, in which `sbomgate` costs milliseconds.

`sbomgate` is a small program on PATH that hands its arguments, folder, environment and open files to a server; that
forks for each command and runs `sbomgate.cli.main` in the child, with everything imported already.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sbomgate

CLIENT = """\
#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    files = array.array("i", [0, 1, 2])
    server.sendmsg([len(asked).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    server.sendall(asked)
    said = server.recv(1)
    sys.exit(said[0] if said else 70)
"""

SERVER = """\
import gc, importlib, json, os, pkgutil, signal, socket, sys, traceback
import sbomgate, sbomgate.cli
for module in pkgutil.walk_packages(sbomgate.__path__, "sbomgate."):
    if not module.name.startswith(("sbomgate.wire", "sbomgate.inventory.engines.spark", "sbomgate.__main__")):
        importlib.import_module(module.name)
import httpx, jsonschema, jsonschema_rs, wasmtime, yaml
gc.freeze()
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(16)
print("ready", flush=True)
while True:
    asking, _ = server.accept()
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    if os.fork():
        asking.close()
        continue
    code = 70
    try:
        server.close()
        size, files, _, _ = socket.recv_fds(asking, 8, 3)
        wanted, data = int.from_bytes(size, "big"), b""
        while len(data) < wanted:
            data += asking.recv(wanted - len(data))
        arguments, folder, environment = json.loads(data)
        for number, file in enumerate(files):
            os.dup2(file, number)
        for file in files:
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        code = sbomgate.cli.main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            asking.sendall(bytes([code]))
        finally:
            os._exit(code)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one command gave."""

    code: int
    out: str
    err: str


@contextlib.contextmanager
def sbomgate_on_path(folder: Path) -> Iterator[Path]:
    """Start the server, and yield the folder that holds `sbomgate`."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    address = str(folder / "socket")
    client = programs / "sbomgate"
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    client.chmod(stat.S_IRWXU)
    path = str(Path(sbomgate.__file__).resolve().parents[1])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", SERVER, address]
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n", "the server that runs sbomgate did not start"
            yield programs
        finally:
            server.kill()


def run(commands: Sequence[str], *, cwd: Path, env: Mapping[str, str], scratch: Path, before: str = "") -> list[Done]:
    """Run commands in one bash, one after the other, each with its own output; `before` defines functions.

    A command that a failed shell did not come to is absent from the result.
    """
    scratch.mkdir()
    parts = [before]
    for number, command in enumerate(commands):
        place = scratch / str(number)
        parts.append(f'{{\n{command}\n}} </dev/null >"{place}.out" 2>"{place}.err"; echo $? >"{place}.code"')
    script = scratch / "script"
    script.write_text("\n".join(parts) + "\n")
    with (scratch / "bash.err").open("wb") as errors:
        subprocess.run(["bash", script], cwd=cwd, env=dict(env), stderr=errors, check=False, timeout=900)
    found = []
    for number in range(len(commands)):
        place = scratch / str(number)
        if not place.with_suffix(".code").is_file():
            break
        texts = [place.with_suffix(end).read_bytes().decode(errors="replace") for end in (".out", ".err")]
        found.append(Done(code=int(place.with_suffix(".code").read_text()), out=texts[0], err=texts[1]))
    return found
