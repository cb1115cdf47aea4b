"""Write docs/cli.md from the verbs' own arguments and docstrings, or check that it is current (--check)."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sbomgate import cli  # noqa: E402  (the tool runs from a source tree)

TARGET = ROOT / "docs" / "cli.md"
HEAD = """\
# The command line

Generated from the verbs themselves (`make generate`).

stdout is the result, stderr the rest. Exit codes:

| code | `check`, `gate` | `verify` | `replay` | `audit` | others |
|---|---|---|---|---|---|
| 0 | the policy allows | accepted | it reproduces, or nothing that passed would be denied | as signed | done |
| 1 | the policy denies | refused | it does not, or something would | something is not | |
| 2 | no decision could be made | not decided, altered evidence included | not replayed | could not be read | not done |

A crash is 2 as well. No flag turns a check off, and no environment variable changes what is trusted. These are read:

| variable | what |
|---|---|
| `SOURCE_DATE_EPOCH` | the SBOM's timestamp; without it that of the commit |
| `HOME` (`USERPROFILE`), `XDG_CACHE_HOME` | where caches lie (`~/.cache/sbomgate`) and the user's `.npmrc` |
| `XDG_DATA_HOME` | where package managers may have their stores (`~/.local/share`) |
| `npm_config_cache`, `NPM_CONFIG_CACHE` | npm's cache, where tarballs are looked for by their sha512 (`~/.npm`) |
| `YARN_CACHE_FOLDER`, `LOCALAPPDATA` | that of yarn 1, likewise (`~/.cache/yarn`) |
| `COREPACK_HOME` | where corepack keeps the package managers that `drill` starts (`~/.cache/node/corepack`) |
| `DOCKER_CONFIG` | the folder of Docker's `config.json` (`~/.docker`): logins for OCI registries |
| `NODE_EXTRA_CA_CERTS` | certificates to trust beside the system's |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | where OpenSSL finds the system's certificates |
| `HTTPS_PROXY`, `https_proxy` | the proxy for all that is asked over a network; not for this machine itself |
| `NO_PROXY`, `no_proxy` | who is asked without it: hosts and what is below, `host:port`, networks, `*` |
| `PATH` | where `--engine opa`, `fix`, `hunt` and `--signer command:` find the programs that they start |
| `CI`, `SBOMGATE_ID_TOKEN` | whether a CI job has an identity token to ask for; the token ([approvals](approvals.md)) |
| `SBOMGATE_KEY_PASSWORD` | the password of an encrypted key |
| `SBOMGATE_OPA_TOKEN` | the bearer token for `--opa-url` |
| `GITHUB_ACTIONS`, `GITLAB_CI`, `BUILDKITE`, `TF_BUILD` | which CI this is; its runner, run and job are recorded |
| `CIRCLECI`, `JENKINS_URL` | the same |
| `NO_COLOR`, `FORCE_COLOR` | no colour; colour where the output is no terminal (a terminal's verdicts have it) |
| variables that the user's `.npmrc` names | tokens, sent to the registry that the line is for, and to no other host |
"""

# The tests (tests/integration/test_docs.py) run the examples of these verbs, in the page's order; before them, what is
# taken to have been done.
WEB = "mkdir -p web && cp package.json package-lock.json .npmrc web && cp -r services web"
RUN = {
    "audit": "cp -r evidence ../srv/evidence && cp evidence/log/000000/0000000001.sigstore.json kept.sigstore.json",
    "completion": "mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc ~/.config/fish/completions",
    "diff": "mkdir old new && cp ../shop-main/package-lock.json old && cp package-lock.json new",
    "doctor": WEB,
    "facts": WEB,
    "feed": "cp ../osv-npm.zip ../GHSA-xxxx.json . && cp ../incident.csv ours.csv",
    "generate": f"{WEB} && sbomgate generate --format xml -o theirs.xml",
    "hunt": "cp ../osv-npm.zip ../incident.csv ../shop.tar . && : | gzip > build.log.gz && mkdir -p ~/.npm",
    "key": "rm release.key release.key.pub",
    "policy": "true",
    "report": "cp ../malicious.csv ../release.key ../release.key.pub . && sbomgate gate --key release.key "
    "--subject oci:registry.example/web@sha256:… --trust ../trust.toml --store oci:registry.example/web",
    "review": "true",
    "revoke": "sbomgate inventory add evidence --trust trust.toml && mv inventory DIR",
    "waivers": WEB,
}
FIRST = "<!-- run: first, {} -->\n"
# The others' are parsed here, and not run: why, and where the verb is run instead.
PARSED = {
    "approve": "one signs as a CI job; the other is run in approvals.md",
    "check": "seven decisions; adopt.md, monorepos.md, reports.md and foreign-sbom.md run the like of them",
    "comment": "asks a forge; tests run it against stand-ins of the three",
    "drill": "takes half a minute; tests of its own run it",
    "evidence": "needs evidence in two registries; evidence.md runs the like of them",
    "fix": "runs the package manager; fix.md runs it",
    "gate": "some sign as a CI job; README, links.md, monorepos.md and signing.md run the others",
    "init": "asks a package index; tests of its own run it with the real package managers",
    "inventory": "one writes to a bucket; inventory.md runs the others",
    "override": "one signs as a CI job; approvals.md runs the others",
    "replay": "a decision each; evidence.md, adopt.md and write-a-rule.md run them",
    "trust": "two ask for the newest trust root; README and trust-file.md run the other",
    "verify": "each wants another build; README, evidence.md, monorepos.md and bad-day.md run them",
    "waive": "each wants a denial of its own; tests of its own run it",
    "watch": "needs an inventory and registries; tests of its own run it",
}
NOT_RUN = "<!-- run: no, {} -->\n"


def page() -> bytes:
    """Return the page's bytes."""
    parts = [HEAD]
    verbs = _subcommands(cli.parser())
    for name, parser in verbs.items():
        parts.append(f"\n## sbomgate {name}\n\n{_prose(name, parser.description or '')}\n")
        actions = _subcommands(parser)
        for action, sub in actions.items():
            parts.append(f"\n### sbomgate {name} {action}\n\n{_table(sub)}")
        if not actions:
            parts.append(f"\n{_table(parser)}")
    return "".join(parts).encode()


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _prose(verb: str, text: str) -> str:
    """Return a verb's docstring with its examples and lists as code."""
    mark = FIRST.format(RUN[verb]) if verb in RUN else NOT_RUN.format(PARSED[verb])
    head, *rest = inspect.cleandoc(text).split("\n\n")
    out = [head]
    for block in rest:
        title, _, body = block.partition("\n")
        if title.endswith(":") and body:
            shown = re.sub(r"(?<=\S) {2,}(?=\S)", "   # ", inspect.cleandoc(body))
            out.append(f"{title[0].upper()}{title[1:]}\n\n{mark}```sh\n{shown}\n```")
        elif not title.startswith("exit codes"):
            out.append(block)
    return "\n\n".join(out)


def _table(parser: argparse.ArgumentParser) -> str:
    rows = ["| argument | what |", "|---|---|"]
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or action.dest in ("help", "action"):
            continue
        name = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.dest}`"
        value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else None)
        if value and action.option_strings:
            name += f" `{value}`"
        required = " (required)" if action.required and action.option_strings else ""
        rows.append(f"| {name.replace('|', chr(92) + '|')} | {action.help}{required} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_bytes() != page():
            sys.exit(f"docs/{TARGET.name} is not what the verbs say: run tools/generate_cli_docs.py")
    else:
        TARGET.write_bytes(page())
