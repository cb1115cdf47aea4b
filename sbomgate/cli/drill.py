"""The bad day as an exercise: a harmless release arrives, passes, turns out bad; how long until it is rolled back?

In a scratch folder, with a key, a trust file, a store and an inventory of its own: your project's lockfile is copied
there (without one a small project is made), a registry on loopback serves a package that does nothing, npm, pnpm, yarn
or bun, whichever the project uses, locks it, and sbomgate itself does what you would do, one command after the other,
each timed: denied by `check`, found by `inventory find`, superseded by `inventory sweep --supersede` and refused by
`verify`, rolled back to the last good build. Nothing of yours is changed, nothing is asked of any registry but that
one, and nothing is installed.

examples:
  sbomgate drill                                   this folder's lockfile, and a scratch folder that is removed
  sbomgate drill shop --inventory /srv/inventory   among all builds that you have: in a copy of that inventory
  sbomgate drill --keep drill-2026-04              keep the folder, with timeline.json and timeline.md, to look around
  sbomgate drill --format markdown > drill.md

exit codes: 0 every step did what it should, 1 one did not, 2 the drill could not be run
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from sbomgate.cli._drill_project import Copy
    from sbomgate.cli._environment import Environment

HELP = "the bad day as an exercise, timed; changes nothing of yours"
SCHEMA = "sbomgate/drill/v1"
COMMAND_SECONDS = 1800  # of one command: a sweep of 70,000 builds takes half a minute
_WHERE = "drill"  # the environment that the exercise deploys to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project whose lockfile is copied (default: here)")
    parser.add_argument(
        "--inventory", metavar="DIR", help="rehearse in a copy of this inventory (default: an empty one)"
    )
    parser.add_argument("--keep", metavar="DIR", help="work in this new folder and leave it there")
    parser.add_argument(
        "--format", choices=("text", "json", "markdown"), default="text", help="how the timeline is written"
    )


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do it, and print the timeline."""
    from sbomgate.cli._environment import emit, say
    from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

    with _scratch(args, env) as root:
        drill = _Drill(root=root, env=env)
        _prepare(drill, args, env)
        _rehearse(drill)
        data = {name: render(drill).encode() for name, render in _RENDERINGS.items()}
        emit(data[args.format], None, env)
        if args.keep is not None:
            emit(data["json"], str(root / "timeline.json"), env)
            emit(data["markdown"], str(root / "timeline.md"), env)
            say(f"kept: {args.keep}")
    return EXIT_ALLOWED if drill.passed else EXIT_DENIED


# --------------------------------------------------------------------------------------------------------------------
# The exercise


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was done: `seconds` it took, `since` the alarm when it was over (None before); `said` is its outcome."""

    name: str
    command: str
    seconds: float
    since: float | None
    fits: bool
    said: str


@dataclass(slots=True, kw_only=True)
class _Drill:
    """A drill under way."""

    root: Path
    env: Environment
    steps: list[Step] = field(default_factory=list)
    alarm: float | None = None
    copied: Copy | None = None
    project: str = ""
    packages: int = 0
    builds: int = 0

    @property
    def passed(self) -> bool:
        return all(step.fits for step in self.steps)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run sbomgate as a process of its own, in the scratch folder.

        Raises:
            UsageError: it takes too long, or cannot be started.
        """
        import subprocess
        import sys

        from sbomgate.errors import UsageError

        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "sbomgate", *arguments],
                cwd=self.root,
                env=dict(self.env.variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise UsageError(f"could not be run: {type(e).__name__}", where=f"sbomgate {arguments[0]}") from e
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def step(self, name: str, arguments: tuple[str, ...], *, code: int, holds: Any) -> None:
        """Do one step, and note whether it did what it should: the exit code, and what `holds` says of its output."""
        import time

        start = time.perf_counter()
        got, out, err = self.run(*arguments)
        end = time.perf_counter()
        wrong = f"exit code {got}, expected {code}" if got != code else holds(out, err)
        said = wrong or next((line.strip() for line in (*out.splitlines(), *err.splitlines()) if line.strip()), "")
        if wrong and err.strip():
            said += f": {err.strip().splitlines()[0]}"
        self.note(name, f"sbomgate {' '.join(arguments)}", start, end, fits=not wrong, said=said)

    def note(self, name: str, command: str, start: float, end: float, *, fits: bool, said: str) -> None:
        """Write a step down."""
        since = None if self.alarm is None else end - self.alarm
        self.steps.append(
            Step(name=name, command=command, seconds=end - start, since=since, fits=fits, said=said[:200])
        )


def _gate(project: str, name: str) -> tuple[str, ...]:
    # Each build has a store of its own: with a baseline, an unknown new package would be denied here and now.
    return (
        "gate", project, "--subject", f"file:{name}.tgz", "--key", "drill.key", "--trust", "trust.toml",
        "--store", f"evidence-{name}", "--environment", _WHERE, "--offline", "--inventory", "inventory",
    )  # fmt: skip


def _rehearse(drill: _Drill) -> None:
    import time

    from sbomgate.cli import _drill_project as projects
    from sbomgate.cli import _drill_registry as registry
    from sbomgate.cli._environment import say
    from sbomgate.errors import UsageError

    def has(*texts: str) -> Any:
        return lambda out, err: next((f"does not say {text!r}" for text in texts if text not in out + err), "")

    bad = f"{registry.MARKER}@{registry.VERSION}"
    sweep = ("inventory", "sweep", "--feed", "feed.csv", "--store", "evidence-bad")
    with registry.serving() as url:
        # Before: a good build runs; a release arrives from the registry, nobody suspects it, and it is deployed.
        if drill.copied is None:
            say("note: no lockfile here: a small project is made")
            drill.copied = projects.small(drill.root, registry.fetch(url, registry.BASE))
        copied = drill.copied
        folder = copied.folder.relative_to(drill.root).as_posix()
        drill.project, drill.packages = projects.name_and_packages(copied.graph())
        drill.step("good build", _gate(folder, "good"), code=0, holds=has())
        if not drill.passed:
            raise UsageError(
                f"this project does not pass today, so there is nothing to rehearse with: {drill.steps[-1].said}",
                hint="see `sbomgate check --offline`, or run the drill in an empty folder: it makes a small project",
            )
        drill.step(
            "good deployed", ("inventory", "deployed", "file:good.tgz", "--environment", _WHERE), code=0, holds=has()
        )
        release = registry.fetch(url, registry.MARKER)
        start = time.perf_counter()
        command, said = projects.arrive(copied, release, url, drill.root, drill.env)
        drill.note("release arrives", command, start, time.perf_counter(), fits=True, said=said)
        drill.step("it passes", _gate(folder, "bad"), code=0, holds=has())
        drill.step(
            "it is deployed", ("inventory", "deployed", "file:bad.tgz", "--environment", _WHERE), code=0, holds=has()
        )
    # The alarm: somebody names it.
    feed = f"name,version\n{registry.MARKER},{registry.VERSION}\n"
    (drill.root / "feed.csv").write_text(feed)
    drill.alarm = time.perf_counter()
    drill.step("on the list", ("feed", "import", "feed.csv", "-o", f"{folder}/malicious.csv"), code=0, holds=has())
    (copied.folder / "sbomgate.toml").write_text('[malicious]\nlists = ["malicious.csv"]\n')
    drill.step("denied", ("check", folder, "--trust", "trust.toml", "--offline"), code=1,
               holds=has("known_malicious", registry.MARKER))  # fmt: skip
    drill.step("found", ("inventory", "find", bad, "--running"), code=0, holds=has("1 build of 1 project", _WHERE))
    drill.step("superseded", (*sweep, "--supersede", "--trust", "trust.toml", "--key", "drill.key"), code=1,
               holds=has("HIT", "1 decisions signed", "file:good.tgz"))  # fmt: skip
    verify = ("--trust", "trust.toml", "--environment", _WHERE)
    drill.step(
        "refused at deployment",
        ("verify", "file:bad.tgz", "--store", "evidence-bad", *verify),
        code=1,
        holds=has("REFUSED"),
    )
    drill.step(
        "last good build verified",
        ("verify", "file:good.tgz", "--store", "evidence-good", *verify),
        code=0,
        holds=has(),
    )
    drill.step("rolled back", ("inventory", "deployed", "file:good.tgz", "--environment", _WHERE), code=0, holds=has())
    drill.step("nothing left to do", sweep, code=0, holds=has("FAILED or revoked already"))


# --------------------------------------------------------------------------------------------------------------------
# The scratch folder


@contextmanager
def _scratch(args: argparse.Namespace, env: Environment) -> Iterator[Path]:
    import shutil
    import tempfile
    from pathlib import Path as PathOf

    from sbomgate.errors import UsageError

    if args.keep is None:
        with tempfile.TemporaryDirectory(prefix="sbomgate-drill-") as folder:
            yield PathOf(folder)
        return
    path = env.working_directory / args.keep
    try:
        path.mkdir(mode=0o700)
    except OSError as e:
        raise UsageError(
            f"cannot be made: {(e.strerror or str(e)).lower()}",
            where=args.keep,
            hint="name a folder that is not there yet",
        ) from e
    try:
        yield path
    except BaseException:  # a drill that could not be run leaves nothing
        shutil.rmtree(path, ignore_errors=True)
        raise


def _prepare(drill: _Drill, args: argparse.Namespace, env: Environment) -> None:
    """Copy what a lockfile rests on, never the project's settings; make key, trust file, artefacts and inventory."""
    import shutil

    from sbomgate.cli import _drill_project, _inventory
    from sbomgate.errors import UsageError

    _inventory.folder_at("inventory", env)  # says at once that DuckDB is needed
    if not (env.working_directory / args.path).exists():
        raise UsageError("no such folder", where=args.path, hint="give the project's folder, or its lockfile")
    drill.copied = _drill_project.copy(args.path, drill.root, env)
    for build in ("good", "bad"):
        (drill.root / f"{build}.tgz").write_bytes(f"the {build} artefact of a drill\n".encode())
    key = ("key", "new", "--out", "drill.key")
    trust = ("trust", "new", "--key", "drill.key.pub", "--name", "drill", "--out", "trust.toml")
    for arguments in (key, trust):
        code, _, err = drill.run(*arguments)
        if code != 0:
            raise UsageError(f"could not be set up: {err.strip()[:500]}", where=f"sbomgate {arguments[0]}")
    if args.inventory is not None:
        copied = _inventory.folder_at(args.inventory, env)
        if not copied.exists():
            raise UsageError("no inventory here", where=args.inventory, hint="leave --inventory out for an empty one")
        drill.builds = sum(segment.builds for segment in copied.listing().segments) + len(copied.listing().deltas)
        shutil.copytree(copied.path, drill.root / "inventory", ignore=shutil.ignore_patterns(".*"))


# --------------------------------------------------------------------------------------------------------------------
# The timeline


def _json(drill: _Drill) -> str:
    import orjson

    from sbomgate.times import format_time

    value = {
        "schema": SCHEMA,
        "started": format_time(drill.env.now),
        "project": drill.project,
        "packages": drill.packages,
        "builds_before": drill.builds,
        "passed": drill.passed,
        "steps": [
            {
                "name": step.name,
                "command": step.command,
                "seconds": round(step.seconds, 3),
                "since_alarm": None if step.since is None else round(step.since, 3),
                "as_expected": step.fits,
                "said": step.said,
            }
            for step in drill.steps
        ],
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def _headline(drill: _Drill) -> str:
    word = "PASSED" if drill.passed else "FAILED"
    beside = f", {drill.builds:,} builds beside it" if drill.builds else ""
    return f"DRILL {word}  {drill.project} · {drill.packages:,} packages{beside}"


def _text(drill: _Drill) -> str:
    from sbomgate.report.escape import plain

    lines = [plain(_headline(drill)), ""]
    alarmed = False
    for step in drill.steps:
        if step.since is not None and not alarmed:
            lines.append("  alarm: a list names the release")
            alarmed = True
        since = "" if step.since is None else f"+{step.since:.1f} s"
        lines.append(
            f"  {since:>9}  {step.name:<28} {step.seconds:>6.1f} s   {'' if step.fits else 'NOT: '}{plain(step.said)}"
        )
    return "\n".join([*lines, "", *(f"  {note}" for note in _NOTES)]) + "\n"


def _markdown(drill: _Drill) -> str:
    from sbomgate.report.diff_markdown import code

    lines = [
        f"### {code(_headline(drill))}",
        "",
        "| since the alarm | step | took | as expected | command |",
        "|---|---|---|---|---|",
    ]
    for step in drill.steps:
        since = "before" if step.since is None else f"{step.since:.1f} s"
        fits = "yes" if step.fits else f"**no**: {code(step.said)}"
        cells = [since, step.name, f"{step.seconds:.1f} s", fits, code(step.command)]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in _NOTES)]) + "\n"


_NOTES = (
    "These are the tools' times. How long until a list names a release, and until a person reads it, no tool measures.",
    "The release was gated without a baseline, so that it passes; with one, its age or its unknown facts may deny it.",
)
_RENDERINGS = {"text": _text, "json": _json, "markdown": _markdown}
