"""The trust file is the only door for trust (P21): outside the tree or pinned, exact, and every key known."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sbomgate import trust
from sbomgate.errors import TrustError
from sbomgate.model import AcceptedIdentity, Trust
from testkit import tokens
from testkit.evidence import key

PEM = key().public_key.strip()
INTEGRITY = f"sha512-{'A' * 86}=="
SIGNER = f'''
[[signers]]
name = "release key"
roles = ["decision"]
public_key = """
{PEM}
"""
'''
MINIMAL = f'schema = "sbomgate/trust/v1"\n{SIGNER}'
P384 = (
    ec.derive_private_key(3, ec.SECP384R1())
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)

FULL = f'''
schema = "sbomgate/trust/v1"
repository = "https://github.com/acme/shop"
lockfile_path = "apps/shop/package-lock.json"
environments = ["production", "staging"]
resource_uri = "https://releases.example/shop.tgz"
max_age_hours = 24.5
profile = "strict"
policy_digests = ["{"ab" * 32}"]
first_party = ["@acme", "acme-internal"]
issuers = ["https://token.actions.githubusercontent.com"]

[parameters.release_age]
days = 7

[[signers]]
name = "release key"
roles = ["facts", "decision"]
environments = ["production"]
verifier = "https://acme.example/sbomgate"
public_key = {{ path = "release.pub", sha256 = "{hashlib.sha256(PEM.encode()).hexdigest()}" }}

[[registries]]
url = "https://npm.ACME.example/repo"
scope = "@acme"
serves_evidence = false

[[registries]]
url = "https://registry.npmjs.org/"

[[approved_scripts]]
name = "esbuild"
version = "0.25.0"
integrity = "{INTEGRITY}"
digest = "{"cd" * 32}"
reason = "links a binary"

[[exclusions]]
rule = "release_age"
name = "@acme/ui"
version = "1.0.0-rc.1"
integrity = "{INTEGRITY}"
reason = "ours"
until = 2026-12-01T01:00:00+01:00

[[expected_provenance]]
package = "@acme/*"
repository = "https://github.com/acme/ui"
repository_id = "12345"
workflow = ".github/workflows/publish.yml"

[sigstore]
trusted_root = {{ path = "root.json", sha256 = "{hashlib.sha256(b"root").hexdigest()}" }}
registry_keys = {{ path = "keys.json", sha256 = "{hashlib.sha256(b"keys").hexdigest()}" }}
'''
PINNED = {"release.pub": PEM.encode(), "root.json": b"root", "keys.json": b"keys"}


def parse(text: str, files: dict[str, bytes] | None = None) -> Trust:
    return trust.parse(text.encode(), pinned=lambda name, _: (files or PINNED)[name], where="trust.toml")


def test_every_key_is_read() -> None:
    found = parse(FULL)
    assert found.sha256 == hashlib.sha256(FULL.encode()).hexdigest()
    assert found.data == FULL.encode()
    (one,) = found.signers
    assert (one.name, one.roles, one.environments) == ("release key", ("decision", "facts"), ("production",))
    assert (one.key_id, one.verifier_id) == (key().key_id, "https://acme.example/sbomgate")
    assert found.policy_digests == ("ab" * 32,)
    assert (found.profile, found.max_age_hours) == ("strict", 24.5)
    assert found.parameters == {"release_age": {"days": 7}}
    assert found.repository == "https://github.com/acme/shop"
    assert found.lockfile_path == "apps/shop/package-lock.json"
    assert found.environments == ("production", "staging")
    assert found.resource_uri == "https://releases.example/shop.tgz"
    assert [(r.url, r.scope, r.serves_evidence) for r in found.registries] == [
        ("https://npm.acme.example/repo/", "@acme", False),
        ("https://registry.npmjs.org/", None, True),
    ]
    assert found.first_party == ("@acme", "acme-internal")
    assert found.approved_scripts[0].digest == "cd" * 32
    assert found.exclusions[0].until == datetime(2026, 12, 1, tzinfo=UTC)
    assert found.expected_provenance[0].repository_id == "12345"
    assert found.issuers == ("https://token.actions.githubusercontent.com",)
    assert (found.trusted_root, found.registry_keys) == (b"root", b"keys")
    assert dict(found.pinned) == {hashlib.sha256(data).hexdigest(): data for data in PINNED.values()}


IDENTITY = """
[[signers]]
name = "release workflow"
roles = ["decision"]
issuer = "https://token.actions.githubusercontent.com"
identity = "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*"
"""
KEYLESS = f'schema = "sbomgate/trust/v1"\n{IDENTITY}'
OF_GITHUB = """
repository = "https://github.com/acme/shop"
repository_id = "1001"
owner_id = "2002"
triggers = ["push", "release"]
runner = "github-hosted"
"""


def test_a_signer_by_identity_is_read() -> None:
    (one,) = parse(KEYLESS + OF_GITHUB).signers
    assert (one.public_key, one.key_id, one.trusted_root) == (None, None, None)
    assert one.identity == AcceptedIdentity(
        issuer="https://token.actions.githubusercontent.com",
        identity="https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*",
        repository="https://github.com/acme/shop",
        repository_id="1001",
        owner_id="2002",
        triggers=("push", "release"),
        runner="github-hosted",
    )


def test_a_private_sigstore_is_every_signers_and_names_its_services() -> None:
    pin = hashlib.sha256(b"root").hexdigest()
    sigstore = f'''
[sigstore]
trusted_root = {{ path = "root.json", sha256 = "{pin}" }}
signing_config = {{ path = "root.json", sha256 = "{pin}" }}
'''
    found = parse(KEYLESS + SIGNER + sigstore)
    assert [s.trusted_root for s in found.signers] == [b"root", b"root"]
    assert (found.trusted_root, found.signing_config) == (b"root", b"root")
    assert parse(KEYLESS).signing_config is None


@pytest.mark.parametrize(
    "identity",
    [
        "https://github.com/a/b/.github/workflows/c.yml@refs/heads/main",
        "https://github.com/a/b/.github/workflows/c.yml@refs/heads/release/*",
        "https://github.com/a/b/.github/workflows/c.yml@refs/tags/*",
        "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main",
        "https://buildkite.com/acme/shop",
        "release+gate@acme.example",
        "gate@project.iam.gserviceaccount.com",
    ],
)
def test_exact_identities_and_refs_by_prefix_are_taken(identity: str) -> None:
    (one,) = parse(re.sub('identity = ".*"', f'identity = "{identity}"', KEYLESS)).signers
    assert one.identity is not None
    assert one.identity.identity == identity


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "*",
        ".*",
        "https://github.com/acme/*",
        "https://github.com/acme/shop/.github/workflows/*@refs/heads/main",
        "https://github.com/a/b/.github/workflows/c.yml@refs/heads/*",
        "https://github.com/a/b/.github/workflows/c.yml@refs/*",
        "https://github.com/a/b/.github/workflows/c.yml@*",
        "https://github.com/a/b/.github/workflows/c.yml@refs/tags/v*.0",
        "https://github.com/a/b/.github/workflows/c.yml@refs/tags/**",
        "^https://github.com/acme/shop$",
        "https://github.com/acme/(shop|web)",
        "*@acme.example",
        "two words",
        "https://github.com/\u0430cme/shop/.github/workflows/c.yml@refs/heads/main",  # Cyrillic
    ],
)
def test_P21_a_loose_identity_is_refused(identity: str) -> None:
    with pytest.raises(TrustError, match="one exact identity") as e:
        parse(re.sub('identity = ".*"', f"identity = '{identity}'", KEYLESS))
    assert e.value.place.startswith("signers[0].identity")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(KEYLESS.replace("issuer =", "# issuer ="), "nobody is named", id="no issuer"),
        pytest.param(KEYLESS.replace("identity =", "# identity ="), "nobody is named", id="no identity"),
        pytest.param(KEYLESS + f'public_key = """{PEM}"""', "one of the two", id="a key too"),
        pytest.param(MINIMAL + 'triggers = ["push"]', "one of the two", id="a key with a trigger"),
        pytest.param(KEYLESS + IDENTITY.replace("release w", "other w"), "same identity", id="the same twice"),
        pytest.param(
            KEYLESS.replace('"decision"', '"decision", "approver"'), "no person", id="P30 a workflow that approves"
        ),
        pytest.param(KEYLESS + 'repository_id = "x"', "numeric", id="an id that is no number"),
        pytest.param(KEYLESS.replace("https://token", "http://token"), "https", id="issuer without TLS"),
    ],
)
def test_P21_a_signer_is_one_key_or_one_identity(text: str, says: str) -> None:
    with pytest.raises(TrustError, match=says):
        parse(text)


BUILDER = """
[[builders]]
name = "release build"
issuer = "https://token.actions.githubusercontent.com"
identity = "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*"
builder_id = "https://github.com/actions/runner/github-hosted"
triggers = ["push"]
"""
VERIFIER = f'''
[[verifiers]]
name = "their verifier"
id = "https://verifier.example/v1"
levels = ["SLSA_BUILD_LEVEL_3"]
policy_digests = ["{"ab" * 32}"]
environments = ["production"]
public_key = """
{PEM}
"""
'''


def test_P13_builders_and_verifiers_are_read() -> None:
    found = parse(MINIMAL + BUILDER + VERIFIER)
    (builder,), (verifier,) = found.builders, found.verifiers
    assert (builder.name, builder.identity.triggers) == ("release build", ("push",))
    assert builder.identity.identity.endswith("@refs/tags/v*")
    assert (verifier.signer.verifier_id, verifier.signer.roles) == ("https://verifier.example/v1", ("verifier",))
    assert (verifier.signer.environments, verifier.policy_digests) == (("production",), ("ab" * 32,))
    assert not parse(MINIMAL).builders
    assert not parse(MINIMAL).verifiers


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(BUILDER.replace("release.yml@refs/tags/v*", "*"), "builders[0].identity", id="any workflow"),
        pytest.param(BUILDER.replace("https://github.com/acme/shop/.github", ".*"), "builders[0].identity", id="loose"),
        pytest.param(
            BUILDER.replace(
                "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*", "ann@acme.example"
            ),
            "builders[0].identity",
            id="a person",
        ),
        pytest.param(BUILDER.replace("builder_id", "# builder_id"), "builders[0]", id="no builder.id"),
        pytest.param(BUILDER.replace("github-hosted", "*"), "builders[0].builder_id", id="any builder.id"),
        pytest.param(BUILDER.replace("issuer", "# issuer"), "builders[0]", id="no issuer"),
        pytest.param(BUILDER + BUILDER, "builders[1]", id="one name twice"),
        pytest.param(VERIFIER.replace("id =", "# id ="), "verifiers[0]", id="no verifier.id"),
        pytest.param(VERIFIER.replace("policy_digests", "# policy_digests"), "verifiers[0]", id="no policy"),
        pytest.param(VERIFIER.replace('["SLSA_BUILD_LEVEL_3"]', "[]"), "verifiers[0].levels", id="no level"),
        pytest.param(VERIFIER.replace("SLSA_BUILD_LEVEL_3", "*"), "verifiers[0].levels", id="any level"),
        pytest.param(VERIFIER.replace("public_key", "# public_key = 1\nx"), "verifiers[0]", id="an unknown key"),
        pytest.param(VERIFIER + VERIFIER, "verifiers[1].public_key", id="one verifier twice"),
        pytest.param(VERIFIER.replace(PEM, P384), "verifiers[0].public_key", id="P-384"),
    ],
)
def test_P21_builders_and_verifiers_are_named_exactly(text: str, place: str) -> None:
    with pytest.raises(TrustError) as e:
        parse(MINIMAL + text)
    assert e.value.place.partition(" (line")[0].startswith(place)


def test_rebuilders_are_read_with_their_pinned_attestations(tree: Path) -> None:
    """CASES V33: key, builder and file, each exactly."""
    data = b"{}\n"
    (tree.parent / "again.jsonl").write_bytes(data)
    table = (
        f'[[rebuilders]]\nname = "again"\nbuilder_id = "https://again.example/host"\npublic_key = """\n{PEM}\n"""\n'
        f'attestations = [{{path = "again.jsonl", sha256 = "{hashlib.sha256(data).hexdigest()}"}}]\n'
    )
    path = tree.parent / "rebuilders.toml"
    path.write_text(MINIMAL + table)
    found = trust.load(str(path), project_root=tree)
    (one,) = found.rebuilders
    assert (one.name, one.builder_id, one.attestations) == ("again", "https://again.example/host", (data,))
    assert one.public_key.split() == PEM.split()
    assert data in found.pinned.values()
    for text, place in (
        (MINIMAL + table + table, r"rebuilders\[1\]"),
        (MINIMAL + table.replace("BEGIN PUBLIC", "BEGIN X"), r"rebuilders\[0\].public_key"),
        (MINIMAL + table.replace("attestations", "# attestations"), r"rebuilders\[0\]"),
        (MINIMAL + table.replace("https://again.example/host", "*"), r"rebuilders\[0\].builder_id"),
    ):
        path.write_text(text)
        with pytest.raises(TrustError, match=place):
            trust.load(str(path), project_root=tree)
    path.write_text(MINIMAL + table)
    (tree.parent / "again.jsonl").write_bytes(b"{ }\n")
    with pytest.raises(TrustError, match="expected"):
        trust.load(str(path), project_root=tree)


def test_what_is_not_named_is_not_accepted() -> None:
    found = parse(MINIMAL)
    assert found.policy_digests == ()
    assert found.max_age_hours is None
    assert found.approved_scripts == ()
    assert trust.NOBODY.signers == ()
    assert trust.NOBODY.sha256 is None


def test_a_new_trust_file_is_one_that_can_be_read() -> None:
    text = trust.new(key().public_key, name="release key", repository="https://github.com/acme/shop")
    found = parse(text)
    assert [s.key_id for s in found.signers] == [key().key_id]
    assert found.repository == "https://github.com/acme/shop"
    assert parse(trust.new(key().public_key)).repository is None


@pytest.mark.parametrize(
    ("public_key", "name", "repository"),
    [
        ("-", "release key", None),
        (PEM, '"\nroles = ["facts"]', None),
        (PEM, ".*", None),
        (PEM, "a", "*"),
        ('"""\n[[signers]]\n', "a", None),
    ],
)
def test_a_new_trust_file_takes_no_injection(public_key: str, name: str, repository: str | None) -> None:
    with pytest.raises(TrustError):
        trust.new(public_key, name=name, repository=repository)


@pytest.mark.parametrize(
    ("public_key", "name", "repository", "where"),
    [
        pytest.param(PEM, 'a"', None, "name", id="a quote"),
        pytest.param(PEM, "a\\b", None, "name", id="a backslash"),
        pytest.param(PEM, "a\nb", None, "name", id="a line end"),
        pytest.param(PEM, "a", 'https://a.example/"', "repository", id="a quote in the repository"),
        pytest.param(f"{PEM}\n{PEM}", "a", None, "the key", id="two keys"),
        pytest.param("", "a", None, "the key", id="no key"),
        pytest.param(f"{PEM}\nä", "a", None, "the key", id="a key with more than ASCII"),
    ],
)
def test_a_new_trust_file_says_what_cannot_be_in_it(
    public_key: str, name: str, repository: str | None, where: str
) -> None:
    with pytest.raises(TrustError) as e:
        trust.new(public_key, name=name, repository=repository)
    assert e.value.where == where


def test_P21_several_who_are_not_the_same() -> None:
    """Two keys, two identities, one registry for two scopes, two registries for one scope."""
    other = SIGNER.replace(PEM, key(2).public_key.strip()).replace("release key", "other key")
    person = IDENTITY.replace(
        "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*", "ann@acme.example"
    ).replace('name = "', 'name = "person ')
    assert len(parse(MINIMAL + other + IDENTITY + person).signers) == 4
    registry = '[[registries]]\nurl = "https://{}.example/"\nscope = "@{}"\n'
    two = registry.format("a", "x") + registry.format("a", "y") + registry.format("b", "x")
    assert [(r.url[8], r.scope) for r in parse(MINIMAL + two).registries] == [("a", "@x"), ("a", "@y"), ("b", "@x")]


def test_P30_a_person_approves_and_a_workflow_does_not() -> None:
    roles = re.compile("roles = .*")
    person = IDENTITY.replace(
        "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*", "ann@acme.example"
    )
    for role in ("approver", "override"):
        (ann,) = parse(roles.sub(f'roles = ["{role}"]', f'schema = "sbomgate/trust/v1"\n{person}')).signers
        assert ann.roles == (role,)
        with pytest.raises(TrustError, match="a workflow is no person"):
            parse(roles.sub(f'roles = ["{role}"]', KEYLESS))


def test_a_verifier_is_accepted_by_the_address_of_its_policy() -> None:
    (found,) = parse(
        MINIMAL + re.sub("policy_digests = .*", 'policy_uris = ["https://p.example/1"]', VERIFIER)
    ).verifiers
    assert (found.policy_digests, found.policy_uris) == ((), ("https://p.example/1",))


def test_the_time_of_a_trust_root_is_read() -> None:
    pin = hashlib.sha256(b"root").hexdigest()
    root = f'trusted_root = {{ path = "root.json", sha256 = "{pin}" }}\n'
    table = "[sigstore]\nupdated = 2026-11-01T00:00:00Z\n"
    assert parse(f"{MINIMAL}\n{table}{root}").trusted_root_updated == datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(TrustError, match="none is named"):
        parse(f"{MINIMAL}\n{table}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(MINIMAL.replace("name =", "nme ="), "unknown key 'nme'", id="an unknown key"),
        pytest.param('schema = "sbomgate/trust/v1"\nsigners = []', "nobody would be accepted", id="no signers"),
        pytest.param(
            MINIMAL.replace(PEM, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"),
            "this is a private key",
            id="a private key",
        ),
    ],
)
def test_an_error_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(TrustError, match=says):
        parse(text)


@pytest.mark.parametrize("character", ["\u200b", "\u00ad", "\u202e", "\u2028", "\u3164", "\ufe0f", "\u034f", "\u0085"])
@pytest.mark.parametrize("escaped", [False, True], ids=["written", "escaped"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(MINIMAL.replace('"release key"', '"release{} key"'), id="a name"),
        pytest.param(MINIMAL.replace("roles =", 'person = "ann{}@acme.example"\nroles ='), id="a person"),
        pytest.param('repository = "https://github.com/acme/sh{}op"\n' + MINIMAL, id="a repository"),
        pytest.param('[[registries]]\nurl = "https://registry.npmjs.org{}/"\n' + MINIMAL, id="a registry"),
    ],
)
def test_P21_what_nobody_sees_is_refused(text: str, character: str, escaped: bool) -> None:
    """P21, W05: whoever reviews the file would take two persons, or two registries, for one."""
    with pytest.raises(TrustError, match=rf"U\+{ord(character):04X}, a character that cannot be seen"):
        parse(text.replace("{}", f"\\u{ord(character):04x}" if escaped else character))


def test_P21_a_comment_hides_no_line() -> None:
    """https://trojansource.codes/: a line that counts is shown as a part of the comment before it."""
    with pytest.raises(TrustError, match=r"line 2: holds U\+202E"):
        parse('# reviewed\n# \u202e "yek esaeler" = eman\n' + MINIMAL)


@pytest.mark.parametrize(
    "url", ["https://registry.npmjs.\u043erg/", "https://registry.npmjs.org./", "https://:443/", "https://[::1"]
)
def test_P21_a_host_is_one_that_dns_knows(url: str) -> None:
    """P21: a letter of another script looks the same, and is another host."""
    with pytest.raises(TrustError, match="one https URL in ASCII"):
        parse(f'{MINIMAL}\n[[registries]]\nurl = "{url}"\n')


LOOSE = ["", " ", "*", ".*", "^.*$", ".+", "**", "@*", "?", "(a|b)", "[a-z]+", "a*", "https://*", "a\\nb", " a", "a "]


@pytest.mark.parametrize("value", LOOSE)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param('repository = "{}"', id="repository"),
        pytest.param('environments = ["{}"]', id="environments"),
        pytest.param('issuers = ["{}"]', id="issuers"),
        pytest.param('policy_digests = ["{}"]', id="policy"),
        pytest.param('first_party = ["{}"]', id="first-party"),
        pytest.param('resource_uri = "{}"', id="resource"),
        pytest.param('[[registries]]\nurl = "{}"', id="registry"),
        pytest.param('[[registries]]\nurl = "https://a.example"\nscope = "{}"', id="scope"),
        pytest.param('[[expected_provenance]]\npackage = "{}"\nrepository = "https://a.example/b"', id="package"),
        pytest.param('[[expected_provenance]]\npackage = "a"\nrepository = "{}"', id="provenance repository"),
    ],
)
def test_P21_a_loose_value_is_refused(line: str, value: str) -> None:
    escaped = value.replace("\\", "\\\\")
    text = f'schema = "sbomgate/trust/v1"\n{line.format(escaped)}\n'
    with pytest.raises(TrustError):
        parse(text + SIGNER)


@pytest.mark.parametrize("value", LOOSE)
def test_P21_a_loose_signer_is_refused(value: str) -> None:
    escaped = value.replace("\\", "\\\\")
    for text in (
        MINIMAL.replace('"release key"', f'"{escaped}"'),
        MINIMAL.replace('roles = ["decision"]', f'roles = ["{escaped}"]'),
        MINIMAL.replace("roles =", f'environments = ["{escaped}"]\nroles ='),
        MINIMAL.replace("roles =", f'verifier = "{escaped}"\nroles ='),
        MINIMAL.replace(PEM, escaped),
    ):
        with pytest.raises(TrustError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("schema = ", "", id="not TOML"),
        pytest.param('schema = "a"\nschema = "b"', "", id="duplicate key"),
        pytest.param("x = " + "[" * 5000, "", id="deep"),
        pytest.param("x = " + "9" * 5000, "", id="an integer of thousands of digits"),
        pytest.param("a = 1\n\ufeff", "", id="strange character"),
        pytest.param(MINIMAL.replace("trust/v1", "trust/v2"), "schema", id="another version"),
        pytest.param(MINIMAL.replace("schema", "schemas"), "", id="no version"),
        pytest.param('schema = "sbomgate/trust/v1"', "", id="no signer"),
        pytest.param('schema = "sbomgate/trust/v1"\nsigners = []', "signers", id="empty signers"),
        pytest.param(MINIMAL.replace('["decision"]', "[]"), "signers[0].roles", id="no role"),
        pytest.param(MINIMAL.replace("name =", "nme ="), "signers[0]", id="unknown key"),
        pytest.param("anyone = true\n" + MINIMAL, "", id="unknown key at the top"),
        pytest.param(MINIMAL + SIGNER, "signers[1].public_key", id="the same signer twice"),
        pytest.param(
            MINIMAL + SIGNER.replace('"release key"', '"other"').replace('"decision"', '"facts"'),
            "signers[1].public_key",
            id="one key under two names",
        ),
        pytest.param(MINIMAL.replace(PEM, PEM[:60]), "signers[0].public_key", id="truncated key"),
        pytest.param(MINIMAL.replace(PEM, PEM + "\n" + PEM), "signers[0].public_key", id="two keys"),
        pytest.param(MINIMAL.replace(PEM, P384), "signers[0].public_key", id="P-384"),
        pytest.param(
            MINIMAL.replace(PEM, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"),
            "signers[0].public_key",
            id="private key",
        ),
        pytest.param("max_age_hours = 0\n" + MINIMAL, "max_age_hours", id="P18 zero is not never"),
        pytest.param("max_age_hours = -1\n" + MINIMAL, "max_age_hours", id="P18 negative"),
        pytest.param("max_age_hours = nan\n" + MINIMAL, "max_age_hours", id="P18 not a number"),
        pytest.param("max_age_hours = inf\n" + MINIMAL, "max_age_hours", id="P18 infinite"),
        pytest.param("max_age_hours = true\n" + MINIMAL, "max_age_hours", id="P18 a boolean"),
        pytest.param("max_age_hours = 1e9\n" + MINIMAL, "max_age_hours", id="P18 a century"),
        pytest.param('profile = "observe"\n' + MINIMAL, "profile", id="P8 observe accepted"),
        pytest.param('lockfile_path = "/package-lock.json"\n' + MINIMAL, "lockfile_path", id="absolute path"),
        pytest.param('lockfile_path = "../package-lock.json"\n' + MINIMAL, "lockfile_path", id="path out of the tree"),
        pytest.param('environments = "production"\n' + MINIMAL, "environments", id="text for a list"),
        pytest.param(FULL.replace("2026-12-01T01:00:00+01:00", "2026-12-01"), "exclusions.0.until", id="a day"),
        pytest.param(
            FULL.replace("2026-12-01T01:00:00+01:00", "2026-12-01T01:00:00"), "exclusions.0.until", id="no zone"
        ),
        pytest.param(
            FULL.replace("2026-12-01T01:00:00+01:00", '"2026-13-01T00:00:00Z"'), "exclusions[0].until", id="month 13"
        ),
        pytest.param(FULL.replace("2026-12-01T01:00:00+01:00", '"never"'), "exclusions[0].until", id="never"),
        pytest.param(FULL.replace('"cd', '"CD'), "approved_scripts[0].digest", id="uppercase digest"),
        pytest.param(FULL.replace('"0.25.0"', '"^0.25.0"'), "approved_scripts[0].version", id="range"),
        pytest.param(FULL.replace("days = 7", "days = inf"), "parameters.release_age.days", id="infinite parameter"),
        pytest.param(
            FULL.replace("https://registry.npmjs.org/", "http://registry.npmjs.org/"), "registries[1].url", id="http"
        ),
        pytest.param(
            FULL.replace("https://registry.npmjs.org/", "https://u:p@registry.npmjs.org/"),
            "registries[1].url",
            id="user",
        ),
        pytest.param(
            FULL.replace('scope = "@acme"\n', "").replace(
                "https://npm.ACME.example/repo", "https://Registry.npmjs.org"
            ),
            "registries[1]",
            id="registry twice",
        ),
        pytest.param(
            FULL.replace("release.pub", "root.json"), "signers[0].public_key.sha256", id="digest does not fit"
        ),
        pytest.param(
            FULL.replace(f', sha256 = "{hashlib.sha256(b"root").hexdigest()}"', ""),
            "sigstore.trusted_root",
            id="P25 trust root without digest",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(TrustError) as e:
        parse(text)
    assert e.value.where == "trust.toml"
    assert e.value.place.partition(" (line")[0].startswith(place)


def test_the_line_is_shown() -> None:
    text = MINIMAL + SIGNER.replace(PEM, key(2).public_key).replace('name = "release key"', 'name = ".*"')
    with pytest.raises(TrustError) as e:
        parse(text)
    line = text.splitlines().index('name = ".*"') + 1
    assert e.value.place == f"signers[1].name (line {line})"


@pytest.mark.parametrize(
    ("text", "wrong", "place"),
    [
        pytest.param(f"{MINIMAL}\n[break_glass]\nmax_hours = 99\n", "max_hours", "break_glass.max_hours", id="table"),
        pytest.param(f"profile = 'x'\n{MINIMAL}", "profile = 'x'", "profile", id="the first line"),
        pytest.param(f"{MINIMAL}\n[approvals]\nquorum = 0\n", "quorum = 0", "approvals.quorum", id="another table"),
        pytest.param(
            f"{MINIMAL}\n{BUILDER}".replace('builder_id = "', 'builder_id = " '),
            "builder_id",
            "builders[0].builder_id",
            id="the same number in another table",
        ),
    ],
)
def test_the_line_is_that_of_the_key(text: str, wrong: str, place: str) -> None:
    with pytest.raises(TrustError) as e:
        parse(text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if one.startswith(wrong))
    assert e.value.place == f"{place} (line {line})"


def test_not_utf8_is_refused() -> None:
    with pytest.raises(TrustError, match="UTF-8"):
        trust.parse(b"\xff\xfea", pinned=lambda *_: b"")


# --------------------------------------------------------------------------------------------------------------------
# Where it lies


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def pinned(path: Path) -> str:
    return f"{path}@sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def put(path: Path, text: str = MINIMAL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def test_P21_outside_the_tree_it_is_accepted(tree: Path) -> None:
    assert trust.load(str(put(tree.parent / "trust.toml")), project_root=tree).signers
    assert trust.load(str(tree.parent / "trust.toml"), project_root=None).signers


def test_P21_inside_the_tree_it_needs_its_digest(tree: Path) -> None:
    path = put(tree / "ci" / "trust.toml")
    with pytest.raises(TrustError) as e:
        trust.load(str(path), project_root=tree)
    assert "@sha256:" in e.value.hint
    assert trust.load(pinned(path), project_root=tree).signers


def test_P21_no_way_through_the_tree_avoids_that(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = put(tree.parent / "outside" / "trust.toml")
    inside = put(tree / "trust.toml")
    (tree / "to-outside.toml").symlink_to(outside)
    (tree.parent / "to-inside.toml").symlink_to(inside)
    (tree / "folder").symlink_to(outside.parent)
    (tree.parent / "via-tree.toml").symlink_to(tree / "to-outside.toml")
    (tree.parent / "tree-alias").symlink_to(tree)
    (tree.parent / "relative.toml").symlink_to(Path(tree.name) / "trust.toml")
    monkeypatch.chdir(tree)
    for spec in (
        "trust.toml",
        "./trust.toml",
        f"{tree}/../{tree.name}/trust.toml",
        str(tree / "to-outside.toml"),
        str(tree / "folder" / "trust.toml"),
        str(tree.parent / "to-inside.toml"),
        str(tree.parent / "via-tree.toml"),
        str(tree.parent / "tree-alias" / "trust.toml"),
        str(tree.parent / "relative.toml"),
    ):
        with pytest.raises(TrustError, match="tree under test"):
            trust.load(spec, project_root=tree)
    assert trust.load(str(outside), project_root=tree.parent / "tree-alias").signers
    # A folder whose name sorts before `..` is none of the tree's either, and leads nowhere but down.
    odd = put(tree.parent / "-odd" / "trust.toml")
    assert trust.load(str(odd), project_root=tree).signers
    with pytest.raises(TrustError):
        trust.load(str(put(tree / "-odd" / "trust.toml")), project_root=tree)
    for spec in ("../outside/trust.toml", f"{tree}/../outside/trust.toml"):
        assert trust.load(spec, project_root=tree).signers, "nothing in the tree decides where that leads"


def test_P9_links_in_a_circle(tree: Path) -> None:
    for name, to in (("a.toml", "b.toml"), ("b.toml", "a.toml")):
        (tree.parent / name).symlink_to(to)
    with pytest.raises(TrustError, match="too many links"):
        trust.load(str(tree.parent / "a.toml"), project_root=tree)


def test_P21_another_digest_is_refused(tree: Path) -> None:
    path = put(tree / "trust.toml")
    spec = pinned(path)
    put(path, MINIMAL + "# changed\n")
    with pytest.raises(TrustError, match="expected"):
        trust.load(spec, project_root=tree)


@pytest.mark.parametrize("digest", ["", "abc", "AB" * 32, "ab" * 33, "ab" * 32 + " "])
def test_P21_a_malformed_digest_is_not_ignored(tree: Path, digest: str) -> None:
    path = put(tree.parent / "trust.toml")
    put(tree.parent / f"trust.toml@sha256:{digest}")
    with pytest.raises(TrustError, match="digest"):
        trust.load(f"{path}@sha256:{digest}", project_root=tree)


def test_writable_by_everybody_needs_its_digest(tree: Path) -> None:
    path = put(tree.parent / "trust.toml")
    path.chmod(0o666)
    with pytest.raises(TrustError, match="0666"):
        trust.load(str(path), project_root=tree)
    assert trust.load(pinned(path), project_root=tree).signers
    path.chmod(0o664)  # the usual mode where every user has a group of his own
    assert trust.load(str(path), project_root=tree).signers


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_missing_is_an_error(tree: Path, name: str) -> None:
    with pytest.raises(TrustError):
        trust.load(str(tree.parent / name), project_root=None)


def test_files_are_read_beside_it_with_their_digest(tree: Path) -> None:
    path = put(tree.parent / "t" / "trust.toml", FULL)
    for name, data in PINNED.items():
        (path.parent / name).write_bytes(data)
    assert trust.load(str(path), project_root=tree).trusted_root == b"root"
    (path.parent / "root.json").write_bytes(b"another")
    with pytest.raises(TrustError, match=r"sigstore\.trusted_root"):
        trust.load(str(path), project_root=tree)


def test_the_schema_is_what_its_types_say() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "tools/generate_trust_schema.py", "--check"], cwd=root, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------------------------------------------------------------
# Who may have made a change, and break-glass

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYG comment"
ISSUER = (
    '[[token_issuers]]\nname = "github"\nissuer = "https://token.actions.githubusercontent.com"\n'
    'account = "actor_id"\nrepository = "acme/shop"\n'
    f'keys = {{ path = "jwks.json", sha256 = "{hashlib.sha256(tokens.KEYS).hexdigest()}" }}\n'
)


def person(name: str = "bob", **fields: str) -> str:
    return f'[[people]]\nname = "{name}"\n' + "".join(f"{key} = {value}\n" for key, value in fields.items())


def test_people_and_what_they_are_known_by() -> None:
    """P30"""
    ann = MINIMAL.replace("[[signers]]", '[[signers]]\nperson = "Ann.Ex@Example.test"', 1)
    text = ann + ISSUER + person("annex@example.test.", addresses='["Ann@Example.test"]', ssh_keys=f'["{KEY}"]')
    found = parse(text + person(accounts='{ github = ["1", "2"] }'), {**PINNED, "jwks.json": tokens.KEYS})
    one, bob = found.people
    assert one.name == found.signers[0].person == "ann.ex@example.test"
    assert one.addresses == ("ann@example.test",)
    assert [kind for kind, _ in one.ssh_keys] == ["ssh-ed25519"]
    assert bob.accounts == (("github", "1"), ("github", "2"))
    assert found.token_issuers[0].audience == "sbomgate"
    assert parse(MINIMAL).break_glass_hours is None
    assert parse(f"{MINIMAL}\n[break_glass]\n").break_glass_hours == 24


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(person() + person("BOB"), "same name", id="one person twice"),
        pytest.param(
            person(addresses='["a@b.test"]') + person("eve", addresses='["A@b.test"]'), "same address", id="an address"
        ),
        pytest.param(person(ssh_keys=f'["{KEY}"]') + person("e", ssh_keys=f'["{KEY} x"]'), "same key", id="a key"),
        pytest.param(person(ssh_keys='["ssh-ed25519 AAAA"]'), "cut off", id="what is no key"),
        pytest.param(person(ssh_keys='["command=\\"x\\" ssh-ed25519 AAAA"]'), "public key", id="a key with options"),
        pytest.param(person(addresses='["*@acme.test"]'), "e-mail address", id="a wildcard"),
        pytest.param(person(accounts='{ github = ["1"] }'), "no token_issuers entry", id="an unknown issuer"),
        pytest.param(ISSUER + person(accounts='{ github = ["bob"] }'), "numeric id", id="a name for an account"),
        pytest.param(ISSUER + ISSUER, "same name or issuer", id="an issuer twice"),
        pytest.param(ISSUER + ISSUER.replace('"github"', '"other"'), "same name or issuer", id="one under two names"),
        pytest.param(
            ISSUER + ISSUER.replace("https://token.actions.githubusercontent.com", "https://gitlab.com"),
            "same name or issuer",
            id="two under one name",
        ),
        pytest.param(
            ISSUER.replace("jwks.json", "root.json").replace(
                hashlib.sha256(tokens.KEYS).hexdigest(), hashlib.sha256(b"root").hexdigest()
            ),
            "token_issuers[0].keys",
            id="keys that are none",
        ),
        pytest.param(ISSUER.replace("actor_id", "actor"), "actor_id", id="a name that changes hands"),
        pytest.param(ISSUER.replace("jwks.json", "root.json"), "sha256 of root.json", id="other keys"),
        pytest.param("[break_glass]\nmax_hours = 25\n", "25", id="longer than a day"),
        pytest.param("[break_glass]\nmax_hours = 0\n", "0", id="no time at all"),
    ],
)
def test_people_who_cannot_be_told_apart(text: str, says: str) -> None:
    """P30, P32"""
    with pytest.raises(TrustError) as e:
        parse(f"{MINIMAL}\n{text}", {**PINNED, "jwks.json": tokens.KEYS})
    assert says in str(e.value)


def test_a_workflow_overrides_nothing() -> None:
    """P32: two persons, and a workflow is none."""
    with pytest.raises(TrustError, match="a workflow is no person"):
        parse(KEYLESS.replace('["decision"]', '["override"]'))
