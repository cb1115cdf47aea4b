"""Where a host lies, however it is spelt: what a registry's redirect may not lead into."""

from __future__ import annotations

import pytest

from sbomgate.addresses import is_direct, packed_once, place

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


DIRECT = {
    "this machine": ("http://localhost:4873/a", "", True),
    "this machine's address": ("http://127.0.0.2:4873/", "", True),
    "this machine, IPv6": ("http://[::1]:4873/", "", True),
    "another": ("https://registry.example/", "", False),
    "named like this machine": ("https://127.0.0.1.example/", "", False),
    "the host": ("https://Registry.corp.example/a", "other, registry.corp.example", True),
    "what is below": ("https://npm.registry.corp.example/", "corp.example", True),
    "with a dot": ("https://npm.corp.example/", ".corp.example", True),
    "with a star": ("https://npm.corp.example/", "*.Corp.example", True),
    "what only ends so": ("https://evilcorp.example/", "corp.example", False),
    "everything": ("https://a.example/", "x, *", True),
    "its port": ("https://a.example/", "a.example:443", True),
    "another port": ("https://a.example:8443/", "a.example:443", False),
    "an address": ("https://10.1.2.3/", "10.1.2.3", True),
    "a network": ("https://10.1.2.3/", "10.0.0.0/8", True),
    "another network": ("https://11.1.2.3/", "10.0.0.0/8", False),
    "a network of IPv6": ("https://[fd00::1]/", "fd00::/8", True),
    "a name in no network": ("https://a.example/", "10.0.0.0/8", False),
    "nonsense": ("https://a.example/", ",[,a.example:x,http://a.example/b,.,/", False),
}


@pytest.mark.parametrize(("url", "no_proxy", "direct"), DIRECT.values(), ids=DIRECT)
def test_what_no_proxy_is_asked_for(url: str, no_proxy: str, direct: bool) -> None:
    assert is_direct(url, no_proxy) is direct
