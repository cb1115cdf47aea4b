"""Addresses on the network, as far as their spelling tells, and what servers say of waiting. Pure, a leaf."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}


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


def place(host: str) -> str:
    """Return `loopback`, `link-local` (a cloud's own services) or "" for a host, as far as its spelling tells."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return ""
    real = (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
    if real.is_loopback or real.is_unspecified:
        return "loopback"
    return "link-local" if real.is_link_local else ""


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
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
