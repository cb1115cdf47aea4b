"""Writers of evidence to run in processes of their own: to be limited, to be killed, to meet each other."""

from __future__ import annotations

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


def killed(store: Path, one: Record, step: str, number: int, when: str) -> None:
    """Write a decision with its head, and be killed before or after the n-th time that a step of it is taken."""
    real, taken = getattr(log, step), 0

    def stopped(*arguments: Any, **settings: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken != number:
            return real(*arguments, **settings)
        if when == "after":
            real(*arguments, **settings)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    setattr(log, step, stopped)
    log.add(store, one, notary())
