"""Where a host lies, however it is spelt: what a registry's redirect may not lead into."""

from __future__ import annotations

import pytest

from sbomgate.addresses import packed_once, place

PLACES = {
    "loopback": (
        "localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001",
        "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "1.2.3.4.5", "999.1", "08.1", "4294967296", "1" * 5000, "x.1", "0x",
    ),
    "link-local": (
        "169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376", "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "metadata.google.internal",
        "METADATA.google.internal.", "168.63.129.16", "100.100.100.200",
    ),
    "private": (
        "10.0.0.5", "10.5", "172.16.0.1", "192.168.1.1", "0xc0a80101", "100.64.0.1", "fd12::1", "::ffff:10.0.0.5",
    ),
    "": (
        "registry.npmjs.org", "8.8.8.8", "134744072", "2606:4700::1", "localhost.example", "127.0.0.1.example",
        "10.example",
        "notlocalhost", "", "0x.example", "xn--1-a", "a" * 5000,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("host", "where"), [(host, where) for where, hosts in PLACES.items() for host in hosts])
def test_place(host: str, where: str) -> None:
    """Every spelling that a resolver takes for the address is the address."""
    assert place(host) == where


@pytest.mark.parametrize(
    ("encoding", "once"),
    [
        (None, True), ("", True), ("gzip", True), (" GZIP ", True), ("deflate", True), ("identity", True),
        ("gzip, gzip", False), ("gzip,", False), ("br", False), ("identity, gzip", False), ("zstd", False),
    ],
)  # fmt: skip
def test_packed_once(encoding: str | None, once: bool) -> None:
    """P9: what could become a thousand times a thousand times as much is not undone."""
    assert packed_once(encoding) is once
