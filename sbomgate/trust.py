"""The trust file: who and what is accepted. The only door for trust (PROMISES P21).

It comes from outside the tree under test, or with its digest (`PATH@sha256:…`): otherwise whoever may change the
project could accept himself. No environment variable and no setting of the project overrides it. Without one, `NOBODY`
holds.

Format: TOML, `schemas/trust.schema.json`; docs/trust-file.md explains every key.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from sbomgate import files, sshsig
from sbomgate.errors import EvidenceError, TrustError
from sbomgate.model import (
    AcceptedIdentity,
    ApprovedScript,
    Builder,
    Exclusion,
    ExpectedProvenance,
    OtherVerifier,
    Person,
    Rebuilder,
    Signer,
    TokenIssuer,
    Trust,
    TrustedRegistry,
)

MAX_TRUST_BYTES = 4 << 20  # about 10,000 approved scripts
MAX_PINNED_BYTES = 64 << 20  # a list of 250,000 malicious packages is some 12 MB; a trusted_root.json 7 kB
_WORLD_WRITABLE = 0o002
_UNSEEN = frozenset(  # what is not seen, of what Unicode calls printable: fillers, joiners, variation selectors
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)))
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
_ENDS = dict.fromkeys(map(ord, "\n\r\t"))

NOBODY = Trust(
    sha256=None,
    data=b"",
    signers=(),
    policy_digests=(),
    profile=None,
    parameters={},
    repository=None,
    lockfile_path=None,
    environments=(),
    max_age_hours=None,
    registries=(),
    first_party=(),
    approved_scripts=(),
    exclusions=(),
    expected_provenance=(),
    issuers=(),
    trusted_root=None,
    registry_keys=None,
)
"""What holds without a trust file: no signer is accepted and nothing is approved."""

_SPEC = re.compile(r"(?P<path>.+)@sha256:(?P<digest>[0-9a-f]{64})", re.DOTALL)


def load(spec: str, *, project_root: Path | None) -> Trust:
    """Read the trust file that `spec` names.

    Args:
        spec: `PATH`, or `PATH@sha256:DIGEST` with the digest of the file's bytes.
        project_root: the root of the repository under test; None where there is none (a deploy job).

    Files that it names are read relative to it, and only with the digest that it gives for them.

    Raises:
        TrustError: missing, loose, or wrong; inside the tree under test, or writable by everybody, without its digest.
    """
    path, digest = Path(spec), None
    if match := _SPEC.fullmatch(spec):
        path, digest = Path(match["path"]), match["digest"]
    elif "@sha256:" in spec:
        raise TrustError(
            "the digest after @sha256: is not 64 lowercase hex digits", where=spec, hint="`sha256sum` prints it"
        )
    pin = f"give it with the digest of the version that was reviewed: --trust {path}@sha256:DIGEST"
    if digest is None and project_root is not None and _passes_through(path, project_root):
        raise TrustError(
            "this trust file lies in the tree under test, where whoever changes the project could accept himself",
            where=str(path),
            hint=pin,
        )
    data = files.read(
        path,
        limit=MAX_TRUST_BYTES,
        error=TrustError,
        forbid_mode=0 if digest else _WORLD_WRITABLE,
        hint=f"chmod o-w {path.name}, or {pin}",
    )
    got = hashlib.sha256(data).hexdigest()
    if digest is not None and got != digest:
        raise TrustError(
            f"its sha256 is {got}, expected {digest}", where=str(path), hint="use the file that was reviewed"
        )

    def pinned(name: str, _sha256: str) -> bytes:
        return files.read(path.parent / name, limit=MAX_PINNED_BYTES, error=TrustError)

    return parse(data, pinned=pinned, where=str(path))


def parse(data: bytes, *, pinned: Callable[[str, str], bytes], where: str = "trust file") -> Trust:
    """Return what a trust file's bytes say.

    Args:
        data: the bytes.
        pinned: returns the bytes of a file that the trust file names, by its path there and its digest; the digest is
            checked here. Replay gives the stored ones.
        where: what to call the file in errors.

    Raises:
        TrustError: not TOML, not what the schema allows, a key that cannot be used, a digest that does not fit.
    """
    try:
        content = data.decode("utf-8")
        _visible(content, where)  # comments too: they may show a line as what it is not (https://trojansource.codes/)
        document = tomllib.loads(content)
    except UnicodeDecodeError as e:
        raise TrustError("not UTF-8", where=where) from e
    except ValueError as e:  # TOMLDecodeError, and that of an integer of thousands of digits
        raise TrustError(f"not TOML: {e}", where=where) from e
    except RecursionError as e:
        raise TrustError("not TOML: nested too deeply", where=where) from e
    document = _plain(document, (), where)
    _validate(document, content, where)

    named: dict[str, bytes] = {}

    def from_file(value: Mapping[str, str], place: str) -> bytes:
        found = pinned(value["path"], value["sha256"])
        got = hashlib.sha256(found).hexdigest()
        if got != value["sha256"]:
            raise TrustError(
                f"sha256 of {value['path']} is {got}, expected {value['sha256']}", where=where, place=f"{place}.sha256"
            )
        named[got] = found
        return found

    sigstore: dict[str, Any] = document.get("sigstore", {})
    approvals: dict[str, Any] = document.get("approvals", {})
    if "updated" in sigstore and "trusted_root" not in sigstore:
        raise TrustError(
            "the time is that of a trusted_root, and none is named",
            where=where,
            place="sigstore.updated",
            hint="`sbomgate trust update` prints the whole table",
        )

    def of_sigstore(name: str) -> bytes | None:
        return from_file(sigstore[name], f"sigstore.{name}") if name in sigstore else None

    trusted_root = of_sigstore("trusted_root")
    spelt: dict[str, str] = {}
    issuers = _token_issuers(document.get("token_issuers", ()), from_file, where)
    return Trust(
        sha256=hashlib.sha256(data).hexdigest(),
        data=data,
        signers=_signers(document["signers"], from_file, where, trusted_root, spelt),
        policy_digests=tuple(sorted(set(document.get("policy_digests", ())))),
        profile=document.get("profile"),
        parameters=document.get("parameters", {}),
        repository=document.get("repository"),
        lockfile_path=_relative(document.get("lockfile_path"), where),
        environments=tuple(document.get("environments", ())),
        max_age_hours=document.get("max_age_hours"),
        max_head_age_hours=document.get("max_head_age_hours"),
        registries=_registries(document.get("registries", ()), where),
        first_party=tuple(sorted(set(document.get("first_party", ())))),
        approved_scripts=tuple(ApprovedScript(**one) for one in document.get("approved_scripts", ())),
        exclusions=tuple(
            Exclusion(**{**one, "until": _time(one.get("until"), where, f"exclusions[{i}].until")})
            for i, one in enumerate(document.get("exclusions", ()))
        ),
        expected_provenance=tuple(
            ExpectedProvenance(**{"repository_id": None, "workflow": None, **one})
            for one in document.get("expected_provenance", ())
        ),
        issuers=tuple(sorted(set(document.get("issuers", ())))),
        trusted_root=trusted_root,
        registry_keys=of_sigstore("registry_keys"),
        signing_config=of_sigstore("signing_config"),
        builders=_builders(document.get("builders", ()), where),
        rebuilders=_rebuilders(document.get("rebuilders", ()), from_file, where),
        verifiers=_verifiers(document.get("verifiers", ()), from_file, where, trusted_root),
        resource_uri=document.get("resource_uri"),
        quorum=approvals.get("quorum", 1),
        max_waiver_days=approvals.get("max_days", 90),
        trusted_root_updated=_time(sigstore.get("updated"), where, "sigstore.updated"),
        people=_people(document.get("people", ()), issuers, where, spelt),
        token_issuers=issuers,
        break_glass_hours=document["break_glass"].get("max_hours", 24) if "break_glass" in document else None,
        pinned=named,
        malicious_lists=(
            {one["path"]: from_file(one, f"malicious_lists[{i}]") for i, one in enumerate(document["malicious_lists"])}
            if "malicious_lists" in document
            else None
        ),
    )


def new(public_key: str, *, name: str = "release key", repository: str | None = None) -> str:
    """Return the text of a first trust file that accepts one local key.

    Args:
        public_key: SubjectPublicKeyInfo in PEM.
        name: what to call its holder.
        repository: the repository that decisions must be about, or None to leave a line to fill in.

    Raises:
        TrustError: the key cannot be used, or the name or the repository is not one exact value.
    """
    for what, value in (("name", name), ("repository", repository)):
        if value is not None and (not value.isprintable() or '"' in value or "\\" in value):
            raise TrustError(f"{value!a} holds a character that has no place in it", where=what)
    if not public_key.isascii() or public_key.count("-----BEGIN PUBLIC KEY-----") != 1:
        raise TrustError("not a public key in PEM", where="the key", hint="`sbomgate key new` wrote FILE.pub")
    demand = f'repository = "{repository}"' if repository else '# repository = "https://github.com/acme/shop"'
    text = f'''\
# Who and what sbomgate accepts. Keep this file outside the repository under test, or give it with its digest
# (--trust trust.toml@sha256:…). What is not named here is not accepted.
schema = "sbomgate/trust/v1"

# What a decision must be about. `verify` refuses any other; a line that is commented out demands nothing.
{demand}
# lockfile_path = "package-lock.json"
# environments = ["production"]

# The oldest evidence that `verify` accepts, in hours, and the weakest profile: default, strict or release.
max_age_hours = 168
profile = "default"

# Accepted policy bundles. Empty accepts only the one that is shipped with sbomgate.
policy_digests = []

[[signers]]
name = "{name}"
roles = ["decision"] # add "facts" to accept recorded facts that this key signed
public_key = """
{public_key.strip()}
"""

# An install script that somebody has read (`sbomgate check --verbose` prints all of it):
# [[approved_scripts]]
# name = "esbuild"
# version = "0.25.0"
# integrity = "sha512-…"
# digest = "…"
# reason = "links the platform's binary, read by …"
'''
    parse(text.encode(), pinned=_nothing_pinned, where="the new trust file")
    return text


def _nothing_pinned(name: str, _sha256: str) -> bytes:
    raise TrustError("no file can be named here", place=name)


# --------------------------------------------------------------------------------------------------------------------
# The parts


_OF_IDENTITY = ("issuer", "identity", "repository", "repository_id", "owner_id", "triggers", "runner")


def _signers(
    found: Sequence[dict[str, Any]],
    from_file: Callable[[Mapping[str, str], str], bytes],
    where: str,
    trusted_root: bytes | None,
    spelt: dict[str, str],
    *,
    table: str = "signers",
) -> tuple[Signer, ...]:
    signers: list[Signer] = []
    for index, one in enumerate(found):
        place = f"{table}[{index}]"
        key_id = public_key = identity = None
        named = {name: one[name] for name in _OF_IDENTITY if name in one}
        if "public_key" in one:
            if named:
                raise TrustError(f"a key, and {min(named)} of an identity: one of the two", where=where, place=place)
            value, place = one["public_key"], f"{place}.public_key"
            pem = value.encode() if isinstance(value, str) else from_file(value, place)
            key_id, public_key = _public_key(pem, where, place)
        elif "issuer" in one and "identity" in one:
            identity = AcceptedIdentity(**{**named, "triggers": tuple(named.get("triggers", ()))})
            if {"approver", "override"} & {*one["roles"]} and "@" not in identity.identity.partition("://")[0]:
                # Whoever may start it would approve under its name (P30).
                raise TrustError(
                    "a workflow is no person, and only people approve", where=where, place=f"{place}.roles"
                )
        else:
            raise TrustError(
                "neither a public_key, nor an issuer and an identity: nobody is named",
                where=where,
                place=place,
                hint="docs/trust-file.md shows both",
            )
        for other in signers:
            same = (
                ("key", other.key_id is not None and other.key_id == key_id),
                ("identity", other.identity is not None and other.identity == identity),
                ("name", other.name == one["name"]),
            )
            for what, is_same in same:
                if is_same:
                    raise TrustError(
                        f"the same {what} as signer {other.name!r}: one entry each", where=where, place=place
                    )
        signers.append(
            Signer(
                name=one["name"],
                person=_person(one.get("person", one["name"]), spelt),
                roles=tuple(sorted(one["roles"])),
                public_key=public_key,
                key_id=key_id,
                environments=tuple(one.get("environments", ())),
                verifier_id=one.get("verifier"),
                identity=identity,
                trusted_root=trusted_root,
            )
        )
    return tuple(signers)


def _builders(found: Sequence[dict[str, Any]], where: str) -> tuple[Builder, ...]:
    builders: list[Builder] = []
    for index, one in enumerate(found):
        named = {name: one[name] for name in _OF_IDENTITY if name in one}
        identity = AcceptedIdentity(**{**named, "triggers": tuple(named.get("triggers", ()))})
        place = f"builders[{index}]"
        if "://" not in identity.identity:
            raise TrustError("a builder is a workflow, not a person", where=where, place=f"{place}.identity")
        if any(other.name == one["name"] for other in builders):
            raise TrustError("another builder has this name: one entry each", where=where, place=place)
        builders.append(Builder(name=one["name"], identity=identity, builder_id=one["builder_id"]))
    return tuple(builders)


def _rebuilders(
    found: Sequence[dict[str, Any]], from_file: Callable[[Mapping[str, str], str], bytes], where: str
) -> tuple[Rebuilder, ...]:
    rebuilders: list[Rebuilder] = []
    for index, one in enumerate(found):
        place = f"rebuilders[{index}]"
        if any(other.name == one["name"] for other in rebuilders):
            raise TrustError("another rebuilder has this name: one entry each", where=where, place=place)
        value = one["public_key"]
        pem = value.encode() if isinstance(value, str) else from_file(value, f"{place}.public_key")
        rebuilders.append(
            Rebuilder(
                name=one["name"],
                builder_id=one["builder_id"],
                public_key=_public_key(pem, where, f"{place}.public_key")[1],
                attestations=tuple(
                    from_file(file, f"{place}.attestations[{i}]") for i, file in enumerate(one["attestations"])
                ),
            )
        )
    return tuple(rebuilders)


def _verifiers(
    found: Sequence[dict[str, Any]],
    from_file: Callable[[Mapping[str, str], str], bytes],
    where: str,
    trusted_root: bytes | None,
) -> tuple[OtherVerifier, ...]:
    named = [{**one, "roles": ["verifier"], "verifier": one["id"]} for one in found]
    signers = _signers(named, from_file, where, trusted_root, {}, table="verifiers")
    verifiers: list[OtherVerifier] = []
    for index, (one, signer) in enumerate(zip(found, signers, strict=True)):
        if not one.get("policy_digests") and not one.get("policy_uris"):
            raise TrustError(
                "no policy of it is accepted: what it verified would not be said",
                where=where,
                place=f"verifiers[{index}]",
                hint="name its policy_digests, or its policy_uris",
            )
        verifiers.append(
            OtherVerifier(
                signer=signer,
                levels=tuple(sorted(one["levels"])),
                policy_digests=tuple(sorted(set(one.get("policy_digests", ())))),
                policy_uris=tuple(sorted(set(one.get("policy_uris", ())))),
                resource_uris=tuple(sorted(set(one.get("resource_uris", ())))),
            )
        )
    return tuple(verifiers)


def _person(name: str, spelt: dict[str, str]) -> str:
    """Return the one text for a person, however it is written (W05).

    Unicode NFKC, case folded, blanks as one; of an address the dots before the @, and at its end, do not count.
    Of several spellings the first is the text: `spelt` holds it.
    """
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    local, at, host = text.partition("@")
    same = local.replace(".", "") + at + host.rstrip(".") if at else text
    return spelt.setdefault(same, text)


def _public_key(pem: bytes, where: str, place: str) -> tuple[str, str]:
    """Return the key id and the PEM in its canonical form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if b"PRIVATE KEY" in pem:
        raise TrustError(
            "this is a private key", where=where, place=place, hint="make a new key: this one is no secret any more"
        )
    if pem.count(b"-----BEGIN ") != 1:
        raise TrustError("not exactly one public key in PEM", where=where, place=place)
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise TrustError("not a public key in PEM that can be read", where=where, place=place) from e
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()) | ed25519.Ed25519PublicKey():
            pass
        case _:
            raise TrustError("neither an ECDSA P-256 nor an Ed25519 key", where=where, place=place)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_bytes(serialization.Encoding.DER, info)
    return hashlib.sha256(der).hexdigest(), key.public_bytes(serialization.Encoding.PEM, info).decode()


def _registries(found: Sequence[dict[str, Any]], where: str) -> tuple[TrustedRegistry, ...]:
    registries: list[TrustedRegistry] = []
    for index, one in enumerate(found):
        scheme, _, rest = one["url"].partition("://")
        host, _, path = rest.partition("/")
        url = f"{scheme}://{host.lower()}/{path}"
        registry = TrustedRegistry(
            url=url if url.endswith("/") else f"{url}/",
            scope=one.get("scope"),
            serves_evidence=one.get("serves_evidence", True),
        )
        if any(r.url == registry.url and r.scope == registry.scope for r in registries):
            raise TrustError(
                "this registry is there twice for the same scope", where=where, place=f"registries[{index}]"
            )
        registries.append(registry)
    return tuple(registries)


def _people(
    found: Sequence[dict[str, Any]], issuers: Sequence[TokenIssuer], where: str, spelt: dict[str, str]
) -> tuple[Person, ...]:
    people: list[Person] = []
    owners: dict[tuple[str, object], str] = {}
    for index, one in enumerate(found):
        place = f"people[{index}]"
        keys: list[tuple[str, bytes]] = []
        for number, text in enumerate(one.get("ssh_keys", ())):
            try:
                keys.append(sshsig.public_key(text))
            except EvidenceError as e:
                raise TrustError(e.message, where=where, place=f"{place}.ssh_keys[{number}]") from e
        accounts = [(issuer, id_) for issuer, ids in sorted(one.get("accounts", {}).items()) for id_ in ids]
        for issuer, _ in accounts:
            if issuer not in {known.name for known in issuers}:
                raise TrustError(
                    f"no token_issuers entry has the name {issuer!r}", where=where, place=f"{place}.accounts"
                )
        person = Person(
            name=_person(one["name"], spelt),
            addresses=tuple(sorted({address.casefold() for address in one.get("addresses", ())})),
            ssh_keys=tuple(keys),
            accounts=tuple(accounts),
        )
        # What tells a person apart is one person's.
        owned = [("name", person.name), *(("address", one) for one in person.addresses)]
        for what in (*owned, *(("key", key) for key in person.ssh_keys), *(("account", a) for a in person.accounts)):
            if what in owners:
                raise TrustError(f"the same {what[0]} as {owners[what]!r}", where=where, place=place)
            owners[what] = person.name
        people.append(person)
    return tuple(people)


def _token_issuers(
    found: Sequence[dict[str, Any]], from_file: Callable[[Mapping[str, str], str], bytes], where: str
) -> tuple[TokenIssuer, ...]:
    from sbomgate import id_token

    issuers: list[TokenIssuer] = []
    for index, one in enumerate(found):
        place = f"token_issuers[{index}]"
        if any(one["name"] == other.name or one["issuer"] == other.issuer for other in issuers):
            raise TrustError("the same name or issuer as another one", where=where, place=place)
        keys = from_file(one["keys"], f"{place}.keys")
        try:
            id_token.check_keys(keys)
        except TrustError as e:
            raise TrustError(e.message, where=where, place=f"{place}.keys") from e
        issuers.append(TokenIssuer(**{"audience": "sbomgate", **one, "keys": keys}))
    return tuple(issuers)


def _relative(path: str | None, where: str) -> str | None:
    if path is not None and any(part in ("", ".", "..") for part in path.split("/")):
        raise TrustError("not a plain path relative to the repository's root", where=where, place="lockfile_path")
    return path


def _time(value: str | None, where: str, place: str) -> datetime | None:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError as e:
        raise TrustError(f"no such time: {e}", where=where, place=place) from e


# --------------------------------------------------------------------------------------------------------------------
# Validation


def _validate(document: dict[str, Any], content: str, where: str) -> None:
    from sbomgate import resources, schema_errors

    error = schema_errors.best(document, resources.path("schemas", "trust.schema.json").read_bytes())
    if error is None:
        return
    path = list(error.absolute_path)
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if line := schema_errors.line(content, path):
        place = f"{place} (line {line})" if place else f"line {line}"
    raise TrustError(_sentence(error), where=where, place=place, hint="docs/trust-file.md explains every key")


def _sentence(error: Any) -> str:
    """One sentence of what was got and what was expected."""
    value = error.instance
    shown = repr(value) if len(repr(value)) <= 120 else f"{repr(value)[:117]}…"
    match error.validator:
        case "pattern" | "maxLength" | "minLength":
            return f"got {shown}, expected {error.schema.get('$comment', 'another form')}"
        case "additionalProperties":
            unknown = sorted(set(value) - set(error.schema.get("properties", ())))
            return f"unknown key {', '.join(map(repr, unknown))}"
        case "minItems":
            return "empty: nobody would be accepted" if list(error.absolute_path) == ["signers"] else "empty"
        case "anyOf":
            return f"got {shown}, expected {error.schema.get('description', 'another form')}"
        case _:
            return str(error.message)


def _plain(value: Any, path: tuple[str, ...], where: str) -> Any:
    """Return TOML's values as JSON has them: times as text in UTC; what JSON cannot say is refused."""
    match value:
        case dict():
            for key in value:
                _visible(key, where, ".".join(path))
            return {key: _plain(one, (*path, key), where) for key, one in value.items()}
        case list():
            return [_plain(one, (*path, str(i)), where) for i, one in enumerate(value)]
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case datetime() | date() | time():
            raise TrustError(
                f"{value.isoformat()} has no time zone",
                where=where,
                place=".".join(path),
                hint="write 2026-12-01T00:00:00Z",
            )
        case float() if not math.isfinite(value):
            # NaN compares false with every limit: an age limit of NaN would be none.
            raise TrustError(f"{value} is not a number that limits anything", where=where, place=".".join(path))
        case str():
            _visible(value, where, ".".join(path))
            return value
        case _:
            return value


def _visible(text: str, where: str, place: str = "") -> None:
    """Refuse what nobody sees who reviews the file: `ann` with a blank of no width is another person (W05)."""
    if text.isascii() and text.translate(_ENDS).isprintable():  # nearly every text
        return
    for at, character in enumerate(text):
        seen = character.isprintable() or character in "\n\r\t" or unicodedata.category(character) == "Zs"
        if character in _UNSEEN or not seen:
            raise TrustError(
                f"holds U+{ord(character):04X}, a character that cannot be seen",
                where=where,
                place=place or f"line {text.count(chr(10), 0, at) + 1}",
                hint="write the line again by hand",
            )


def _passes_through(path: Path, root: Path) -> bool:
    """Whether reading `path` depends on anything below `root`: its own place, or a link on the way."""
    tree = Path(os.path.realpath(root))
    return any(tree in hop.parents for hop in _hops(path))


def _hops(path: Path) -> Iterator[Path]:
    """Yield every absolute path that resolving `path` goes through, links included, `..` applied as the system does."""
    current = Path(os.path.realpath("."))
    rest = list(path.parts)
    links = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            current = current.parent
        elif Path(part).is_absolute():
            current = Path(part)
        else:
            current = current / part
        yield current
        try:
            target = current.readlink()
        except OSError:
            continue  # not a link, or not there: reading it will say so
        links += 1
        if links > 64:
            raise TrustError("too many links", where=str(path))
        rest[:0] = target.parts
        current = current.parent
