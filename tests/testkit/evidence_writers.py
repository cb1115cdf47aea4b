"""Writers of evidence to run in processes of their own: to be limited, to be killed, to meet each other."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout, log
from sbomgate.evidence.log import Notary
from sbomgate.evidence.record import Record
from testkit.evidence import NOW, TARBALL, key, record, signer


def many(store: Path, writer: int, count: int) -> None:
    """Write so many decisions on one build."""
    for number in range(count):
        layout.write(store, record(age=timedelta(minutes=writer * 100 + number)))


def without_end(store: Path, offset: int, report: Connection) -> None:
    """Say "ready", then write decisions on one build and report each that was stored, until killed."""
    report.send("ready")
    for number in range(10_000):
        one = record(age=timedelta(seconds=offset + number))
        layout.write(store, one)
        report.send(one.id)


def with_small_files(store: Path, size: int, report: Connection) -> None:
    """Write where the kernel refuses every file of more than `size` bytes; report the error, or nothing."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    _report(store, report)


def as_ordinary_user(store: Path, report: Connection) -> None:
    """Read, then write, by a user who is not root; report what was found and the error, or nothing."""
    if os.geteuid() == 0:
        os.setuid(65534)
    report.send(str(len(layout.find(store, TARBALL))))
    _report(store, report)


def _report(store: Path, report: Connection) -> None:
    try:
        layout.write(store, record(age=timedelta(seconds=1)))
    except EvidenceError as e:
        report.send(str(e))
    else:
        report.send("")


def notary() -> Notary:
    """Return who signs heads: the first key."""
    return Notary(signer=key(), signers=(signer(key()),), now=NOW)


def covered(store: Path, writer: int, count: int) -> None:
    """Write so many decisions on a build of this writer's own, each with its head."""
    about = replace(TARBALL, digest={"sha256": f"{writer:064x}"})
    for number in range(count):
        log.add(store, record(subject=about, age=timedelta(minutes=number)), notary())


CALLS = ("write", "fsync", "link", "mkdir", "replace", "unlink")
"""What writing consists of, as far as the system sees it."""
STRIDE = 5  # of the calls before the first name: they leave temporary names, one as the other


def killed_everywhere(store: Path, work: Path, one: Record, report: Connection) -> None:
    """Copy a store, add a decision to the copy, and be killed before the n-th system call of it: for many n.

    Reports (call, path of the copy) of each, and last "" and the copy in which the decision was stored. Each is done in
    a child of this process, which has no thread: killed there, it is killed as by the system.
    """
    import shutil

    number, named = 1, False
    while True:
        at = work / str(number)
        shutil.copytree(store, at)
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            _killed(at, one, number, send)
        os.close(send)
        with os.fdopen(receive, "rb") as file:
            call = file.read().decode()
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) != 0:
                raise AssertionError(f"ended with {status}")
            report.send(("", at))
            return
        report.send((call, at))
        named = named or call == "replace"
        number += 1 if named else STRIDE


def _killed(store: Path, one: Record, number: int, told: int) -> None:
    numbers = itertools.count(1)  # several threads call fsync: each takes a number of its own

    def stopping(name: str) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any, **settings: Any) -> Any:
            if next(numbers) == number:
                write(told, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **settings)

        return call

    write = os.write
    for name in CALLS:
        setattr(os, name, stopping(name))
    code = 1
    try:
        log.add(store, one, notary())
        code = 0
    finally:
        os._exit(code)
