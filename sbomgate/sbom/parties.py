"""People and organisations: who made an SBOM, who made a package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sbomgate.errors import UsageError

MAX_NAME = 1024
"""Characters of a person's or an organisation's name with its address."""

# `NAME <EMAIL>`, `NAME <URL>`, `NAME <EMAIL> (URL)` as in package.json. Compiled at their first use.
_WRITTEN = r"\s*([^<>()]*?)\s*(?:<([^<>()\s]*)>)?\s*(?:\(([^()<>\s]*)\))?\s*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = rf"(?=.{{3,254}}$)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+"
_URL = r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A person or an organisation: a name, and an e-mail address or a URL (http or https) where one is known."""

    name: str
    email: str | None = None
    url: str | None = None

    def contact(self) -> dict[str, Any]:
        """Return CycloneDX's organizationalContact: it has no place for a URL."""
        return {"name": self.name, "email": self.email} if self.email else {"name": self.name}

    def entity(self) -> dict[str, Any]:
        """Return CycloneDX's organizationalEntity."""
        entity: dict[str, Any] = {"name": self.name}
        if self.url:
            entity["url"] = [self.url]
        if self.email:
            entity["contact"] = [{"email": self.email}]
        return entity

    @classmethod
    def of(cls, written: Mapping[str, Any] | None) -> Party | None:
        """Return what `contact` or `entity` wrote."""
        if written is None:
            return None
        contacts, urls = written.get("contact"), written.get("url")
        email = contacts[0]["email"] if contacts else written.get("email")
        return cls(name=written["name"], email=email, url=urls[0] if urls else None)

    @classmethod
    def parse(cls, text: str, *, where: str) -> Party:
        """Read `NAME`, `NAME <EMAIL>` or `NAME <URL>`.

        Raises:
            UsageError: no name, or an address that is neither.
        """
        found = _parse(text)
        if found is None:
            raise UsageError(
                f"got {text[:80]!a}, expected NAME <EMAIL> or NAME <URL>",
                where=where,
                hint="for example `Acme Ltd <sbom@acme.example>`",
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who stands behind an SBOM, by the user's own word.

    Attributes:
        author: the person or team that made the SBOM.
        manufacturer: the organisation that made the SBOM.
        supplier: the organisation that makes and supplies the project that it describes.
    """

    author: Party | None = None
    manufacturer: Party | None = None
    supplier: Party | None = None

    def metadata(self) -> dict[str, Any]:
        """Return what stands of them in CycloneDX's metadata."""
        found: dict[str, Any] = {}
        if self.author is not None:
            found["authors"] = [self.author.contact()]
        if self.manufacturer is not None:
            found["manufacturer"] = self.manufacturer.entity()
        if self.supplier is not None:
            found["supplier"] = self.supplier.entity()
        return found


NOBODY = Parties()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands in an SBOM and comes neither from the lockfile nor from facts."""

    timestamp: datetime | None
    parties: Parties


def of_package(text: str) -> Party | None:
    """Return the author of a package as package.json has it (`NAME <EMAIL> (URL)`); None where that is no name.

    An address that is no address stays away: the name is still somebody's.
    """
    if len(text) > MAX_NAME:
        return None
    found = re.fullmatch(_WRITTEN, text)
    if found is None:
        return Party(name=text.strip()) if text.strip() else None
    name, email, url = found.groups()
    if not name:
        return None
    return Party(
        name=name,
        email=email if email and re.fullmatch(_EMAIL, email) else None,
        url=url if url and re.fullmatch(_URL, url) else None,
    )


def _parse(text: str) -> Party | None:
    found = re.fullmatch(_WRITTEN, text) if len(text) <= MAX_NAME and text.isprintable() else None
    if found is None or not found.group(1) or found.group(3) is not None:
        return None
    name, address, _ = found.groups()
    if address is None:
        return Party(name=name)
    if re.fullmatch(_EMAIL, address):
        return Party(name=name, email=address)
    return Party(name=name, url=address) if re.fullmatch(_URL, address) else None
