"""What signs: `--key`, `--signer`; and what becomes of a decision that cannot be signed: `--resume`.

A decision whose signing asks somebody who may be down is kept as pending before that, so that neither an outage nor a
kill loses the verdict. Nothing is reported before it is signed, verified against the trust file, and stored.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sbomgate.errors import EvidenceError, SigningError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.record import Record
    from sbomgate.gate import Unsigned
    from sbomgate.model import Trust
    from sbomgate.signing import Signer, Timestamps
    from sbomgate.signing.local_key import LocalKey
    from sbomgate.signing.services import Services

AUDIENCE = "sigstore"
PUBLIC_AUTHORITY = "https://fulcio.sigstore.dev"
MAX_TOKEN_BYTES = 64 << 10  # a token of GitHub has 2 kB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what signs, and what signs later."""
    add_signer(
        parser,
        "what signs: FILE, a local key (`sbomgate key new`); keyless: the identity of this CI job; "
        "keyless:FILE: that of the token in FILE; command:COMMAND: a KMS",
    )
    parser.add_argument("--resume", metavar="SHA256", help="sign the pending decision that an earlier run kept")


def add_person(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare what a person signs with."""
    add_signer(
        parser,
        "what you sign with: FILE, a local key; keyless:FILE: the identity of your token in FILE; command:COMMAND",
        required=required,
    )


def add_signer(parser: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """Declare `--key` and `--signer`, two names of one."""
    parser.add_argument("--key", "--signer", dest="signer", metavar="SIGNER", required=required, help=what)


def open_signer(args: argparse.Namespace, env: Environment, trust: Trust, stack: ExitStack) -> Signer:
    """Return what signs. A job without an identity, or a key that cannot be read, is found here and not after deciding.

    Raises:
        UsageError: nothing says what signs, or the command is none.
        SigningError: it cannot be used.
        TrustError: the signing configuration cannot be used.
    """
    asked: str | None = args.signer
    if not asked:
        raise UsageError("nothing says what signs", where="--signer", hint="give a key's FILE, or keyless")
    kind, _, what = asked.partition(":")
    match kind, what:
        case "keyless", _:
            from sbomgate.signing.keyless import Keyless

            services = _services(env, trust, stack)
            assert services is not None  # noqa: S101 - without one of its own a trust file means the public one
            token = _from_file(env.working_directory / what) if what else ambient(AUDIENCE)
            _refuse_ended(token(), env, what)
            return Keyless(services, token)
        case "command", _:
            return _command(what, env, trust, stack)
        case _:
            return open_key(asked, env, _timestamps(env, trust, stack))


def open_key(path: str, env: Environment, timestamps: Timestamps | None = None) -> LocalKey:
    """Return a local key; the password of an encrypted one is in the environment.

    Raises:
        SigningError: it cannot be used.
    """
    from sbomgate.signing import local_key

    password = env.variables.get(local_key.PASSWORD)
    return local_key.load(env.working_directory / path, password=password, timestamps=timestamps)


def _services(env: Environment, trust: Trust, stack: ExitStack, *, named: bool = False) -> Services | None:
    """Return the services to sign with: the trust file's, else (unless only `named` ones count) the public ones."""
    data = trust.signing_config
    if data is None and named:
        return None
    from sbomgate.provenance import shipped
    from sbomgate.signing import services
    from sbomgate.transport import open_client

    if data is None:
        if trust.trusted_root is not None and not _is_public(trust.trusted_root):
            raise UsageError(
                "the trust file names a sigstore of its own to verify with, and not where it signs",
                where="[sigstore]",
                hint="add its signing_config",
            )
        data = shipped.read("signing_config.json", shipped.SIGNING_CONFIG_SHA256)
    config = services.parse(data, now=env.now)
    client = open_client(**env.network)
    return services.Services(config, stack.enter_context(client))


def _is_public(trusted_root: bytes) -> bool:
    """Whether a trusted root is the public sigstore's: a private one's evidence is not for the public log."""
    from sbomgate import dsse

    found = dsse.loads(trusted_root, "trusted_root")
    authorities = found.get("certificateAuthorities") if isinstance(found, dict) else None
    return isinstance(authorities, list) and any(
        isinstance(one, dict) and one.get("uri") == PUBLIC_AUTHORITY for one in authorities
    )


def _timestamps(env: Environment, trust: Trust, stack: ExitStack) -> Timestamps | None:
    """Return who timestamps a key's signatures: the trust file's authority, if it names one. No public one is asked."""
    found = _services(env, trust, stack, named=True)
    return None if found is None or not found.config.authorities else found.timestamps


def _command(what: str, env: Environment, trust: Trust, stack: ExitStack) -> Signer:
    import shlex
    import shutil
    from pathlib import Path

    from sbomgate.signing.command import Command

    try:
        command = shlex.split(what)
    except ValueError as e:
        raise UsageError(f"not a command: {e}", where="--signer command:") from e
    if not command:
        raise UsageError("the command is empty", where="--signer command:", hint="give a program and its arguments")
    program = shutil.which(command[0], path=env.variables.get("PATH"))
    if program is None or "node_modules" in (*Path(program).parts, *Path(program).resolve().parts):
        why = "no such program on PATH" if program is None else "a dependency's program does not sign (P27)"
        raise UsageError(why, where=command[0], hint="name the program by its path")
    return Command(
        command=(program, *command[1:]),
        signers=trust.signers,
        environment=env.variables,
        timestamps=_timestamps(env, trust, stack),
    )


def _from_file(path: Path) -> Callable[[], str]:
    """Return what reads the token, each time anew: tokens live for minutes, and whoever writes the file renews it."""
    from sbomgate import files

    def read() -> str:
        data = files.read(path, limit=MAX_TOKEN_BYTES, error=SigningError).strip()
        if data.count(b".") != 2 or not data.isascii() or any(c <= 32 for c in data):
            raise SigningError(
                "holds no identity token (three parts in base64, with dots)",
                where=str(path),
                hint="write the token into it and nothing else: docs/signing.md says where a CI system gives one",
            )
        return data.decode()

    return read


def _refuse_ended(token: str, env: Environment, where: str) -> None:
    """Refuse a token that says itself that it is over: so nothing need be decided first."""
    from sbomgate import id_token

    try:
        if not id_token.has_ended(token, env.now):
            return
        words = id_token.words_of(token)
    except EvidenceError:
        return  # whoever certifies its holder says what it lacks
    raise SigningError(
        f"the identity token has ended: it is {words}, and it is {env.now:%Y-%m-%d %H:%M:%S} UTC here",
        where=where,
        hint="take a new one from the CI system right before `gate`; or this machine's clock is wrong",
    )


def ambient(audience: str) -> Callable[[], str]:
    """Return what asks the CI system for an identity token.

    GitHub Actions, GitLab CI, Buildkite, Google Cloud and CircleCI, by the library that sigstore's own clients use.
    """

    def ask() -> str:
        import id as oidc
        import urllib3

        try:
            token = oidc.detect_credential(audience)
        except oidc.GitHubOidcPermissionCredentialError as e:
            raise SigningError(
                "this GitHub job may not have an identity token", hint="add `permissions: {id-token: write}` to the job"
            ) from e
        except (oidc.IdentityError, urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            # What the CI system answered may hold a secret: only what was asked of it is repeated (P40).
            said = str(e).partition("(")[0].partition(": the ")[0].strip() if isinstance(e, oidc.IdentityError) else ""
            raise SigningError(
                f"the CI system gives no identity token{': ' if said else ''}{said}",
                hint="docs/signing.md says what each CI system needs",
            ) from e
        if token is None:
            raise SigningError(
                "this machine has no identity: no CI system that is known gave a token",
                hint="give --signer keyless:FILE with a token, or sign with a key (docs/signing.md)",
            )
        return token

    return ask


def sign_and_store(made: Unsigned, trust: Trust, signer: Signer, store: Path, now: datetime) -> Record:
    """Sign a decision and store it, with the store's new head: on disk when this returns.

    A consumer with this trust file accepts both.

    Raises:
        SigningError: it could not be signed; the verdict is kept as pending, where signing asks somebody.
        EvidenceError: it could not be stored, or the trust file demands a head and the store that held builds has none.
    """
    from sbomgate import gate
    from sbomgate.evidence import log, pending

    if log.is_lacking(store):
        from sbomgate.cli._environment import say

        if trust.max_head_age_hours is not None:  # (P19) whoever took it away chose the baseline
            raise EvidenceError(
                "holds builds and no signed head, which the trust file demands: what was removed is not seen",
                where=str(store),
                hint="restore it; or look through the store and sign a first one: `sbomgate audit STORE --key KEY`",
            )
        say("warning: the store has no signed head; the first one covers what accepted signers put there before")
    notary = log.Notary(signer=signer, signers=trust.signers, now=now)
    if not signer.is_remote:
        record = gate.complete(made, trust, signer=signer)
        log.add(store, record, notary)
        return record
    kept = pending.keep(store, made.decision, made.blobs)
    try:
        record = gate.complete(made, trust, signer=signer)
        log.add(store, record, notary)
    except SigningError as e:
        hint = f"{e.hint}; " if e.hint else ""
        raise SigningError(
            f"not signed: {e.message}. The verdict is kept as pending, sha256:{kept}",
            where=e.where,
            place=e.place,
            hint=f"{hint}sbomgate gate --resume {kept}, with the same --trust, --store and signer",
        ) from e
    pending.drop(store, kept)
    return record


def resume(args: argparse.Namespace, env: Environment, trust: Trust, store: Path) -> Record:
    """Sign a pending decision as it was made. If an earlier attempt had stored it already, only its head is signed.

    Raises:
        EvidenceError: none is pending under that digest, or it was altered.
        SigningError: it could not be signed; it stays pending.
    """
    from sbomgate import decision, gate
    from sbomgate.evidence import layout, log, pending
    from sbomgate.evidence.record import DETAIL

    kept = args.resume.removeprefix("sha256:")
    made, blobs = pending.read(store, kept)
    written = decision.write_detail(made)
    stored = [
        one for one in layout.find(store, made.subject) if one.payloads[DETAIL] == written and _is_accepted(one, trust)
    ]
    if stored and log.covers(store, stored[0]):
        pending.drop(store, kept)
        return stored[0]
    with ExitStack() as stack:
        signer = open_signer(args, env, trust, stack)
        if stored:
            log.add(store, stored[0], log.Notary(signer=signer, signers=trust.signers, now=env.now))
            pending.drop(store, kept)
            return stored[0]
        return sign_and_store(gate.Unsigned(decision=made, blobs=blobs), trust, signer, store, env.now)


def _is_accepted(record: Record, trust: Trust) -> bool:
    from sbomgate.evidence.verify import Signed, signed_by

    return isinstance(signed_by(record, trust.signers), Signed)
