"""Writers of evidence to run in processes of their own: to be limited, to be killed, to meet each other."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout
from testkit.evidence import TARBALL, record


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
