"""Graphs and facts as hypothesis makes them: hostile names, every kind, every state."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from sbomgate.model import (
    Attestation,
    AttestationState,
    Claims,
    DependencyGraph,
    Earlier,
    EarlierFacts,
    Edge,
    EdgeKind,
    Hash,
    Kind,
    Lockfile,
    LockFinding,
    ManagerSettings,
    Package,
    PackageFacts,
    Publish,
    Scripts,
    Signature,
    SignatureState,
)

# No surrogates: no JSON holds them. Everything else may stand in a lockfile, control characters and markup included.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORD = st.text("abcXYZ019-_~'\"<>&;\n\u202e\u00e9/@.", max_size=10)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
TIME = st.datetimes(min_value=datetime(2010, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
# What stands in `resolved` without anything to strip: stripping has tests of its own.
RESOLVED = st.sampled_from(
    [
        "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        "https://registry.npmjs.org/@s/a/-/a-1.0.0.tgz",
        "git+ssh://git@github.com/o/r.git#" + "a" * 40,
        "file:../x.tgz",
        "packages/a",
        "",
        "javascript:alert(1)",
        "https://x/<b>",
        "https://x/%zz",
        "https://x/a b\n",
        "no url",
    ]
)
RANGE = st.sampled_from(["^1.0.0", "*", "", "npm:a@^1", "github:o/r#main", "latest", "file:../x", ">=1 <2 || 3"])
DIGESTS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40}
HASH = st.sampled_from(sorted(DIGESTS)).flatmap(
    lambda name: st.builds(
        Hash,
        algorithm=st.just(name),
        hex=st.text("0123456789abcdef", min_size=DIGESTS[name], max_size=DIGESTS[name]),
    )
)


def maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    """Return a strategy that may also give None."""
    return st.none() | strategy


def package(id_: str, ids: list[str]) -> st.SearchStrategy[Package]:
    """Return one entry; what it refers to is among `ids`."""
    other = st.none() | st.sampled_from(ids)
    return st.builds(
        Package,
        id=st.just(id_),
        name=WORD | TEXT,
        version=maybe(TEXT),
        alias=maybe(WORD),
        kind=st.just(Kind.ROOT) if not id_ else st.sampled_from([kind for kind in Kind if kind is not Kind.ROOT]),
        resolved=st.none() | RESOLVED,
        integrity=maybe(TEXT),
        hashes=st.lists(HASH, max_size=2, unique=True).map(tuple),
        dev=st.booleans(),
        optional=st.booleans(),
        peer=st.booleans(),
        bundled_in=other,
        target=other,
        has_install_script=st.none() | st.booleans(),
        direct=st.booleans(),
        reachable=st.booleans(),
        os=st.lists(WORD, max_size=2).map(tuple),
        cpu=st.lists(WORD, max_size=2).map(tuple),
        libc=st.lists(WORD, max_size=2).map(tuple),
        engines=st.dictionaries(WORD, TEXT, max_size=2),
        licence=st.none()
        | st.sampled_from(["MIT", "(MIT OR Apache-2.0)", "GPL-2.0+", "SEE LICENSE IN x", "", "( MIT"])
        | TEXT,
        deprecated=maybe(TEXT),
        line=st.none() | st.integers(1, 10**8),
        withheld=st.just(False),
    )


@st.composite
def graphs(draw: st.DrawFn) -> DependencyGraph:
    """Return a graph with a root, some packages, edges among them, findings."""
    names = draw(st.lists(WORD.filter(bool), max_size=5, unique=True))
    ids = sorted({"", *(f"node_modules/{name}" for name in names)})
    packages = tuple(draw(package(id_, ids)) for id_ in ids)
    edges = draw(
        st.lists(
            st.builds(
                Edge,
                source=st.sampled_from(ids),
                target=st.none() | st.sampled_from(ids),
                name=WORD,
                kind=st.sampled_from(EdgeKind),
                range=RANGE,
                satisfied=st.none() | st.booleans(),
            ),
            max_size=6,
            unique_by=lambda edge: (edge.source, edge.name, edge.kind),
        )
    )
    return DependencyGraph(
        lockfile=draw(
            st.builds(
                Lockfile,
                path=WORD,
                kind=st.sampled_from(["npm", "pnpm", "yarn", "bun"]),
                version=WORD | st.just("1"),
                sha256=HEX,
                size=st.integers(0, 10**9),
            )
        ),
        manager=draw(
            st.builds(
                ManagerSettings,
                name=st.just("npm"),
                registry=st.just("https://registry.npmjs.org/"),
                scopes=st.dictionaries(st.sampled_from(["@a", "@b"]), st.just("https://npm.acme.test/x/")),
                settings=st.dictionaries(
                    st.sampled_from(["omit", "script-shell"]), st.sampled_from(["dev", "sh", "${X}"])
                ),
                files=st.dictionaries(WORD, HEX, max_size=2),
            )
        ),
        packages=packages,
        edges=tuple(sorted(edges, key=lambda edge: (edge.source, edge.name, edge.kind.value))),
        findings=tuple(
            draw(
                st.lists(
                    st.builds(LockFinding, code=WORD, rule=WORD, package=maybe(TEXT), place=TEXT, message=TEXT),
                    max_size=3,
                )
            )
        ),
    )


CLAIMS = st.builds(
    Claims,
    issuer=TEXT,
    identity=TEXT,
    repository=maybe(TEXT) | st.just("https://github.com/o/r"),
    **{name: maybe(TEXT) for name in Claims.__slots__ if name not in ("issuer", "identity", "repository")},
)
ATTESTATION = st.builds(
    Attestation,
    state=st.sampled_from(AttestationState),
    reason=TEXT,
    log_proof=maybe(WORD),
    log_time=st.none() | TIME,
    claims=st.none() | CLAIMS,
    sha256=st.none() | HEX,
)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
RELEASE = st.builds(
    EarlierFacts,
    version=WORD,
    advertised=st.booleans(),
    provenance=ATTESTATION,
    publisher=maybe(TEXT),
    trusted_publisher=maybe(TEXT),
    maintainers=TEXTS,
)
FACTS = st.builds(
    PackageFacts,
    publish=st.builds(Publish, time=st.none() | TIME, source=WORD, reason=TEXT, first=st.none() | TIME),
    scripts=st.builds(
        Scripts,
        state=st.sampled_from(["none", "present", "unknown"]),
        source=WORD,
        reason=TEXT,
        scripts=st.dictionaries(WORD, TEXT, max_size=2),
        gyp=st.booleans(),
        digest=st.none() | HEX,
        disagreements=st.lists(TEXT, max_size=2).map(tuple),
        files=st.dictionaries(WORD, HEX, max_size=2),
    ),
    signature=st.builds(Signature, state=st.sampled_from(SignatureState), reason=TEXT),
    publish_attestation=ATTESTATION,
    provenance=ATTESTATION,
    publisher=maybe(TEXT),
    trusted_publisher=maybe(TEXT),
    licence=maybe(TEXT),
    author=maybe(TEXT) | st.sampled_from(["A <a@b.example> (https://b.example/)", "A <..@b>", "<a@b.example>"]),
    deprecated=maybe(TEXT),
    registry=st.none() | st.just("https://registry.npmjs.org/"),
    registry_integrity=maybe(TEXT),
    maintainers=TEXTS,
    manifest=TEXTS,
    shadows=TEXTS,
    earlier=st.none() | st.builds(Earlier, unknown=TEXT, releases=st.lists(RELEASE, max_size=2).map(tuple)),
)
