"""Addresses on the network, as far as their spelling tells, and what servers say of waiting. Pure, a leaf."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
"""This machine, as people write it: the hosts that are spoken to without TLS."""


def origin(url: str) -> tuple[str, str, int | None]:
    """Return (scheme, host, port) of a URL, the port made explicit.

    Raises:
        ValueError: the port is not a number.
    """
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or ""), parts.port or DEFAULT_PORTS.get(parts.scheme)


def show(url: str) -> str:
    """Return a URL for people: without user info, query and fragment, ASCII, cut (PROMISES P39, P40)."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        text = f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return "an address that is no URL"
    return ascii(text[:300])[1:-1]


_SERVICES = frozenset({"metadata.google.internal", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"})
"""What clouds answer their machines under, beside link-local addresses: Google, Azure, Alibaba, Amazon."""
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


def place(host: str) -> str:
    """Return where a host lies, as far as its spelling tells: `loopback`, `link-local`, `private` or "".

    `link-local` is what a cloud's own services answer under. Every spelling of an IPv4 address that a resolver takes is
    one (`127.1`, `2130706433`, `0x7f.0.0.1`), and so are IPv6 addresses that stand for one. What only looks like one
    (`1.2.3.4.5`, `999.1`) is `loopback`: nobody's host.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    try:
        address = _spelt(name) or ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return "loopback"
        return "link-local" if name in _SERVICES else ""
    real: ipaddress.IPv4Address | ipaddress.IPv6Address = address
    if isinstance(address, ipaddress.IPv6Address):
        within = address.packed[-4:]
        if address in _NAT64 or (address.packed[:12] == bytes(12) and address.packed[12:] > bytes((0, 0, 0, 1))):
            real = ipaddress.IPv4Address(within)
        else:
            real = address.ipv4_mapped or address.sixtofour or address
    if real.is_loopback or real.is_unspecified:
        return "loopback"
    if real.is_link_local or str(real) in _SERVICES:
        return "link-local"
    return "private" if real.is_private or real in _SHARED else ""


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # RFC 6598: between a provider and its customers


def _spelt(name: str) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address of one to four numbers, decimal, octal or hexadecimal, as inet_aton reads them."""
    parts = name.split(".")
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    if len(parts) > 4 or any(len(part) > 16 for part in parts):
        raise ValueError("no address")
    *first, last = (_value(part) for part in parts)
    if any(one > 255 for one in first) or last >= 256 ** (4 - len(first)):
        raise ValueError("no address")
    return ipaddress.IPv4Address(sum(one << 24 - 8 * at for at, one in enumerate(first)) + last)


def _value(part: str) -> int:
    base = 16 if part.startswith("0x") else 8 if part.startswith("0") else 10
    return int(part[2:] or "0", 16) if base == 16 else int(part, base)


def is_direct(url: str, no_proxy: str = "") -> bool:
    """Return whether no proxy is asked for a URL: this machine itself, and what NO_PROXY names.

    Args:
        url: of a request.
        no_proxy: separated by commas: `*` for everything, a host and what is below it (a dot or `*.` before it changes
            nothing), a host with its port, an address or a network (`10.0.0.0/8`). What is none of these is nothing.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for one in no_proxy.split(","):
        text = one.strip().lower()
        if text == "*":
            return True
        if _names(text, host, port) or (address is not None and _holds(text, address)):
            return True
    return False


def _names(text: str, host: str, port: int | None) -> bool:
    try:
        named = urlsplit(f"//{text}")
        name, own = (named.hostname or "").removeprefix("*").strip("."), named.port
    except ValueError:
        return False
    return bool(name) and not named.path and own in (None, port) and (host == name or host.endswith(f".{name}"))


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def packed_once(encoding: str | None) -> bool:
    """Whether a Content-Encoding header (RFC 9110, 8.4) names no more than one encoding, and that of a known kind.

    Each may make a thousand bytes of one, and a client undoes all of them before anybody can count: of two, a piece of
    64 kB becomes 64 GB.
    """
    return (encoding or "identity").strip().lower() in ("identity", "gzip", "x-gzip", "deflate")


def retry_after(value: str | None, now: datetime | None) -> float:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); 0 where it says none.

    Args:
        value: of the header, or None.
        now: what a date is compared with; None where nobody knows.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = http_date(text)
    return 0.0 if until is None or now is None else max(0.0, (until - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    """Return the time of an HTTP date (RFC 9110, 5.6.7), or None where it is none."""
    try:
        date = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, OverflowError):  # a zone of twenty digits is past what a time can be
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
