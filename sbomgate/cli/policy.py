"""The rules: what there is, what each says, and writing, testing and building your own.

A folder with a decision.rego is a whole policy and used instead of the shipped one; a folder with rules/ only is
added to the shipped rules.

examples:
  sbomgate policy list
  sbomgate policy explain release_age --trust ../trust.toml     its parameters as they hold here
  sbomgate policy new no_left_pad --out policy                  policy/rules/no_left_pad.rego and its test
  sbomgate policy test policy                                   needs `opa` on PATH
  sbomgate policy build policy -o policy.tar.gz --key policy.key
  sbomgate check --policy policy.tar.gz
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _policy
from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment
    from sbomgate.model import PolicyBundle

HELP = "the rules: list, explain, new, test, build"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    policy = "a policy folder or .tar.gz besides or instead of the shipped one"
    listed = actions.add_parser("list", help="every rule with its title", allow_abbrev=False)
    listed.add_argument("--policy", metavar="DIR", help=policy)
    told = actions.add_parser(
        "explain", help="what a rule says, why, what to do, and its parameters", allow_abbrev=False
    )
    told.add_argument("rule", metavar="RULE")
    told.add_argument("path", nargs="?", default=".", help="the project whose sbomgate.toml counts (default: here)")
    told.add_argument("--trust", metavar="FILE", help="the trust file whose parameters count")
    told.add_argument("--policy", metavar="DIR", help=policy)
    new = actions.add_parser("new", help="a rule to begin with, and its test", allow_abbrev=False)
    new.add_argument("rule", metavar="RULE", help="its id: lower-case letters, digits and _")
    new.add_argument("--out", metavar="DIR", default="policy", help="the policy's folder (default: policy)")
    test = actions.add_parser(
        "test", help="run a policy's tests with `opa test`, and say what they cover", allow_abbrev=False
    )
    test.add_argument("policy", metavar="DIR", help="the policy's folder")
    test.add_argument("--threshold", type=float, default=0.0, metavar="PERCENT", help="fail below this coverage")
    build = actions.add_parser("build", help="check a policy and write it as one file", allow_abbrev=False)
    build.add_argument("policy", metavar="DIR", help="the policy's folder")
    build.add_argument("-o", "--output", required=True, metavar="FILE", help="the .tar.gz that `--policy` takes")
    build.add_argument("--key", metavar="FILE", help="sign it: the signature goes to FILE.sigstore.json")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do what was asked for."""
    actions = {"list": _list, "explain": _explain, "new": _new, "test": _test, "build": _build}
    return actions[args.action](args, env)


def _bundle(given: str | None, env: Environment) -> PolicyBundle:
    from sbomgate.policy import bundle

    return bundle.load(None if given is None else _policy.located(given, env))


def _catalogue(bundle: PolicyBundle) -> dict[str, dict[str, object]]:
    """Return the catalogue's entries of those rules that are the shipped ones, letter by letter."""
    import json

    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import parameters
    from sbomgate.resources import path as resource

    shipped = bundles.shipped().files
    known = json.loads(resource(*parameters.CATALOGUE).read_bytes())
    return {
        rule: known[rule]
        for rule in bundle.rules
        if rule in known and bundle.files[f"rules/{rule}.rego"] == shipped.get(f"rules/{rule}.rego")
    }


def _list(args: argparse.Namespace, env: Environment) -> int:
    from sbomgate.cli._environment import discreet
    from sbomgate.policy import authoring

    bundle = _bundle(args.policy, env)
    known = _catalogue(bundle)
    width = max(map(len, bundle.rules))
    for rule in bundle.rules:
        text = bundle.files[f"rules/{rule}.rego"].decode()
        said = known[rule]["title"] if rule in known else f"{authoring.title(text) or '(no title)'}  (not shipped)"
        print(discreet(f"{rule:{width}}  {said}"))
    return EXIT_ALLOWED


def _explain(args: argparse.Namespace, env: Environment) -> int:
    from sbomgate import config, files, trust
    from sbomgate.cli._environment import discreet
    from sbomgate.errors import UsageError
    from sbomgate.policy import authoring, parameters
    from sbomgate.resources import path as resource

    bundle = _bundle(args.policy, env)
    if args.rule not in bundle.rules:
        raise UsageError(f"there is no rule {args.rule!r}", hint=f"one of: {', '.join(bundle.rules)}")
    known = _catalogue(bundle)
    if args.rule not in known:
        text = bundle.files[f"rules/{args.rule}.rego"].decode()
        said = authoring.metadata(text) or "It has no METADATA."
        print("\n".join(discreet(line) for line in (f"{args.rule} (not shipped)", "", *said.splitlines())))
        return EXIT_ALLOWED
    folder = env.working_directory / args.path
    accepted = trust.NOBODY if args.trust is None else trust.load(args.trust, project_root=folder)
    settings = config.EMPTY
    if (folder / "sbomgate.toml").exists():
        data = files.read(folder / "sbomgate.toml", limit=config.MAX_CONFIG_BYTES, error=UsageError)
        settings = config.parse(data, schema=resource(*config.SCHEMA).read_bytes())
    effective = parameters.effective(
        parameters.declared(resource(*parameters.CATALOGUE).read_bytes()),
        accepted.parameters,
        settings.rules,
        trust_where=args.trust or "trust file",
        trust_text=accepted.data.decode(),
        project_text=settings.text,
    )
    page = authoring.page(args.rule, known[args.rule], effective.get(args.rule, {}))
    print("\n".join(discreet(line) for line in page.splitlines()))
    return EXIT_ALLOWED


def _new(args: argparse.Namespace, env: Environment) -> int:
    from sbomgate.cli._environment import emit
    from sbomgate.errors import UsageError
    from sbomgate.policy import authoring
    from sbomgate.policy import bundle as bundles

    made = authoring.scaffold(args.rule)
    if args.rule in bundles.shipped().rules:
        raise UsageError(f"{args.rule} is a shipped rule", hint="give it another name: a shipped rule is not replaced")
    folder = env.working_directory / args.out
    for path in made:
        if (folder / path).exists():
            raise UsageError("exists already", where=f"{args.out}/{path}", hint="give the rule another name")
    for path, text in made.items():
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise UsageError(f"cannot be made: {(e.strerror or str(e)).lower()}", where=args.out) from e
        emit(text.encode(), str(folder / path), env)
        print(f"{args.out}/{path}")
    return EXIT_ALLOWED


def _test(args: argparse.Namespace, env: Environment) -> int:
    from sbomgate.cli import _engine
    from sbomgate.cli._environment import discreet
    from sbomgate.errors import EXIT_DENIED
    from sbomgate.policy import testing

    folder = env.working_directory / args.policy
    bundle = _bundle(args.policy, env)
    outcome = testing.run(_engine.opa_on_path(env, folder, asked="policy test"), bundle, folder)
    for name in outcome.failed:
        print(discreet(f"FAIL  {name}"))
    for path, percent in outcome.coverage:
        print(discreet(f"{percent:5.1f} %  {path}"))
    below = outcome.covered < args.threshold
    print(f"{outcome.passed} passed, {len(outcome.failed)} failed, {outcome.covered:.1f} % covered")
    return EXIT_DENIED if outcome.failed or below else EXIT_ALLOWED


def _build(args: argparse.Namespace, env: Environment) -> int:
    from sbomgate.cli import _decide
    from sbomgate.cli._environment import emit
    from sbomgate.errors import UsageError
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import signature

    if not args.output.endswith((".tar.gz", ".tgz")):
        raise UsageError("is no .tar.gz", where=args.output, hint="`--policy` takes a .tar.gz")
    bundle = _bundle(args.policy, env)
    _decide.check_policy(bundle, env, strict=True)
    data = bundles.to_tar(bundle)
    signed = None
    if args.key is not None:
        from sbomgate.cli import _signing

        signed = _signing.open_key(args.key, env).sign(signature.statement(bundle, data))
    emit(data, args.output, env)
    if signed is not None:
        emit(signed, args.output + signature.SUFFIX, env)
        print(args.output + signature.SUFFIX)
    print(f"{args.output}\nsha256:{bundle.sha256}")  # what `policy_digests` in a trust file names
    return EXIT_ALLOWED
