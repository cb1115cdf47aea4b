"""Pack everything about one artefact into one file for an auditor, who verifies it without sbomgate.

It holds the build's layout, every decision, the trust file with all that it names, the store's head and log, the
revocations, and a README with the exact commands (cosign, opa, jq, sha256sum). The same evidence gives the same bytes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.head import View
    from sbomgate.evidence.record import Record
    from sbomgate.model import Signer, Trust

HELP = "one file for an auditor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("subject", help="file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST")
    parser.add_argument("--trust", required=True, metavar="FILE", help="who and what is accepted")
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write it: a .tar.gz")
    parser.add_argument("--store", default="evidence", metavar="DIR", help="where evidence is kept (default: evidence)")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write it."""
    from sbomgate import trust as trusts
    from sbomgate.cli import _store
    from sbomgate.cli._environment import discreet, emit
    from sbomgate.errors import EXIT_ALLOWED, EvidenceError
    from sbomgate.evidence import head as heads
    from sbomgate.evidence import layout, pack
    from sbomgate.provenance import shipped

    trust = trusts.load(args.trust, project_root=None)
    about = _store.subject(args.subject, env)
    view = _store.view(args.store, env)
    records = _store.find(args.store, about, env)
    if not records:
        raise EvidenceError("no decision on it in this store", where=args.subject, hint="give the store with --store")
    data = pack.pack(
        pack.Contents(
            records=records,
            signers=_signers(records, view, trust),
            trust=trust,
            trusted_root=trust.trusted_root or shipped.load().trusted_root,
            oci_layout=layout.OCI_LAYOUT,
            head=None if view.bundle is None else (view.bundle, heads.segments(view.entries)),
            revocations=view.revocations,
        )
    )
    emit(data, args.out, env)
    if args.out != "-":
        print(discreet(f"{hashlib.sha256(data).hexdigest()}  {args.out}"))
    return EXIT_ALLOWED


def _signers(records: Sequence[Record], view: View, trust: Trust) -> Mapping[str, Signer]:
    """Return who signed each bundle, as far as the trust file accepts him."""
    from sbomgate.evidence import head as heads
    from sbomgate.evidence import revocation
    from sbomgate.evidence.verify import Signed, signed_by

    found: dict[str, Signer] = {}
    for record in records:
        match signed_by(record, trust.signers):
            case Signed() as signed:
                found[hashlib.sha256(record.detail).hexdigest()] = signed.signer
                if record.summary is not None:
                    found[hashlib.sha256(record.summary).hexdigest()] = signed.signer
    if view.bundle is not None:
        head = heads.accepted(view.bundle, trust.signers, view.where)
        if isinstance(head, heads.SignedHead):
            found[hashlib.sha256(view.bundle).hexdigest()] = head.signer
    for one in revocation.accepted_of(view.revocations, trust.signers)[0]:
        found[one.id] = one.by
    return found
