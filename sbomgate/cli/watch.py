"""Look for new releases of what the inventory holds that look wrong, before they land in any lockfile.

Each run asks the registries what is new since the last one, and only about names that the inventory holds. It alerts
of a release that lost its provenance, was built or published by others, gained a dependency that is days old or an
install script, came back after years of silence, or sits on an old major line; docs/watch.md has the list. Every
alert is told once. The first run records what is there, and judges only what is younger than the window.

examples:
  sbomgate watch                                        the inventory here; the state is ./inventory.watch.json
  sbomgate watch --inventory /srv/inventory --state /srv/watch.json --trust ../trust.toml
  sbomgate watch --json -o alerts.json
  sbomgate watch --notify ./page-the-team               the JSON on its stdin, where there are alerts; or https://…

exit codes: 0 nothing new that looks wrong, 1 new alerts, 2 none, but not everything could be looked at
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _notify
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._watch import Judged, Watcher
    from sbomgate.model import Trust
    from sbomgate.model.watch import Alert, NotKnown, Watched
    from sbomgate.npm.look import Place
    from sbomgate.watch.releases import Look
    from sbomgate.watch.state import Known, Open, State

HELP = "look for new releases of what the inventory holds that look wrong"

WINDOW_DAYS = 7
"""How young a release is that the first look judges, and how long one is judged again that is not wholly known."""

MAX_WINDOW_DAYS = 3650  # ten years

CHUNK = 500
"""Packages that are looked at before the state is written: what a kill has to do again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--inventory", default="inventory", metavar="DIR", help="its folder (default: inventory)")
    parser.add_argument(
        "--state", metavar="FILE", help="what a run leaves for the next one (default: INVENTORY's name, .watch.json)"
    )
    parser.add_argument(
        "--trust", metavar="FILE", help="first-party names, registries by scope, parameters of rules, trust root"
    )
    parser.add_argument(
        "--window",
        type=_days,
        default=WINDOW_DAYS,
        metavar="DAYS",
        help=f"at the first look, judge releases younger than this (default: {WINDOW_DAYS})",
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="the same as --format json")
    told.add_argument("--format", choices=("text", "json", "markdown"), help="how it is written (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    _notify.add_arguments(parser, "there are alerts")


def _days(text: str) -> int:
    from argparse import ArgumentTypeError

    if not (text.isascii() and text.isdecimal() and len(text) < 5) or int(text) > MAX_WINDOW_DAYS:
        raise ArgumentTypeError(f"got {text[:40]!r}, expected whole days, 0 to {MAX_WINDOW_DAYS}")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the inventory holds of one package: versions, and how many builds hold any of them."""

    versions: tuple[str, ...]
    builds: int


@dataclass(slots=True)
class Run:
    """What came of a run so far."""

    unchanged: int = 0
    first: int = 0
    releases: int = 0
    unknown: list[NotKnown] = field(default_factory=list)
    without_evidence: dict[str, set[str]] = field(default_factory=dict)  # registry → names
    not_asked: Sequence[str] = ()  # names of which nobody says where they come from


def run(args: argparse.Namespace, env: Environment) -> int:
    """Look, judge, write the state, tell, and write that it was told."""
    from sbomgate import trust as trust_file
    from sbomgate.cli._watch import watching
    from sbomgate.watch import state as states

    if args.notify is not None:
        _notify.check(args.notify, args.notify_token, env)
    trust = trust_file.NOBODY if args.trust is None else trust_file.load(args.trust, project_root=None)
    held, not_asked = _held(args, env, trust)
    path = env.working_directory / (args.state or f"{args.inventory.rstrip('/').rpartition('/')[2]}.watch.json")
    ran = Run(not_asked=not_asked)
    with states.alone(path):
        state = states.load(path)
        places = sorted(held)
        with watching(env, trust) as watcher:
            for start in range(0, len(places), CHUNK):
                some = {place: held[place] for place in places[start : start + CHUNK]}
                after = _look(
                    some, state, watcher, timedelta(days=args.window), env.now, ran, _progress(start, len(held))
                )
                if after != state:
                    states.store(path, after)  # found, and not told yet
                state = after
        watched = _watched(args.window, env.now, len(held), state, ran)
        _tell(watched, args, env)
        if state.untold:
            states.store(path, replace(state, untold=()))
    if watched.alerts:
        return EXIT_DENIED
    return EXIT_NO_DECISION if watched.unknown else EXIT_ALLOWED


def _held(args: argparse.Namespace, env: Environment, trust: Trust) -> tuple[dict[Place, Held], list[str]]:
    """Return what the inventory holds from registries, without what the trust file calls first-party.

    Beside it the names of which neither a row nor the trust file says which registry they come from. Nobody is asked
    about those: the public registry would learn the names of private packages.

    Raises:
        UsageError: there is no inventory, or nothing in it that could be watched.
    """
    from sbomgate.cli import _inventory
    from sbomgate.errors import UsageError
    from sbomgate.inventory.engines import Answer, Engine
    from sbomgate.npm.wanted import is_first_party

    def question(engine: Engine) -> tuple[Answer, Answer]:
        packages = "FROM package WHERE kind = 'registry'"
        return (
            engine.query(f"SELECT DISTINCT registry, name, version {packages}"),
            engine.query(f"SELECT registry, name, count(DISTINCT build) {packages} GROUP BY registry, name"),
        )

    with _inventory.opened(args, env) as (inventory, engine):
        rows, counted = inventory.ask(engine, question)
    place_of = _places(counted, trust)
    versions: dict[Place, set[str]] = {}
    builds: dict[Place, int] = {}
    not_asked = set()
    for registry, name, version in rows:
        if is_first_party(name, trust.first_party):
            continue
        if (place := place_of[registry, name]) is None:
            not_asked.add(name)
        else:
            versions.setdefault(place, set()).add(version or "")
    for registry, name, number in counted:
        if (place := place_of[registry, name]) is not None:
            builds[place] = builds.get(place, 0) + number
    found = {place: Held(versions=tuple(sorted(held)), builds=builds[place]) for place, held in versions.items()}
    if not found:
        raise UsageError(
            "holds no package of a registry: there is nothing to watch"
            if not not_asked
            else f"nobody says which registries its {len(not_asked):,} packages come from: there is nothing to watch",
            where=args.inventory,
            hint="add builds with `sbomgate inventory add`"
            if not not_asked
            else "`sbomgate inventory rebuild` reads it from the evidence; `[[registries]]` of the trust file "
            "says it for a scope",
        )
    return found, sorted(not_asked)


def _places(counted: Iterable[tuple[Any, ...]], trust: Trust) -> dict[tuple[str | None, str], Place | None]:
    """Return (registry of a row, name) → where it is asked for; None where nobody says that.

    What a row does not say the trust file does, by the scope; else other builds, where all of them name one registry.
    """
    of_scope = {one.scope: one.url for one in trust.registries if one.scope is not None}
    said: dict[str, set[str]] = {}
    pairs = [(registry, name) for registry, name, _ in counted]
    for registry, name in pairs:
        if registry is not None:
            said.setdefault(name, set()).add(registry)
    found: dict[tuple[str | None, str], Place | None] = {}
    for registry, name in pairs:
        others = said.get(name, set())
        scope = name.partition("/")[0] if "/" in name else None
        at = registry or of_scope.get(scope or "") or (next(iter(others)) if len(others) == 1 else None)
        found[registry, name] = None if at is None else (at, name)
    return found


def _look(
    held: Mapping[Place, Held],
    state: State,
    watcher: Watcher,
    window: timedelta,
    now: datetime,
    ran: Run,
    report: Callable[[int], None] | None,
) -> State:
    """Look at some packages, and return the state after it."""
    from itertools import groupby

    from sbomgate.model import Missing
    from sbomgate.model.watch import NotKnown

    known = {place: state.packages.get(place) for place in held}
    looks: dict[Place, tuple[Look, str | None]] = {}
    versions = {place: one.versions for place, one in held.items()}
    for place, answer in sorted(watcher.looks(known, versions, window, report).items()):
        if isinstance(answer, Missing):
            ran.unknown.append(NotKnown(registry=place[0], name=place[1], version=None, reason=answer.reason))
        elif answer.value is None:
            ran.unchanged += 1
        else:
            looks[place] = answer.value, answer.etag
            ran.first += known[place] is None
    alerts = {one.id: one for one in state.untold}
    left: dict[Place, dict[str, Open]] = {place: {} for place in looks}
    for registry, places in groupby(looks, key=lambda place: place[0]):
        new = [(place[1], release) for place in places for release in looks[place][0].releases]
        if new:
            for one in watcher.judge(registry, new):
                place = (registry, one.candidate.name)
                found, still_open = _outcome(one, place, held[place], known[place], window, now, ran)
                alerts |= {alert.id: alert for alert in found}
                if still_open is not None:
                    left[place][one.candidate.release.itself.version] = still_open
    packages = dict(state.packages)
    for place, (look, etag) in looks.items():
        packages[place] = _known(known[place], look, etag, left[place], window, now)
        if look.waiting:
            reason = f"{len(look.waiting):,} further releases of it are new: too many for one run"
            ran.unknown.append(NotKnown(registry=place[0], name=place[1], version=None, reason=reason))
    return replace(state, packages=packages, untold=tuple(alerts[id_] for id_ in sorted(alerts)))


def _outcome(
    judged: Judged, place: Place, held: Held, known: Known | None, window: timedelta, now: datetime, ran: Run
) -> tuple[list[Alert], Open | None]:
    """Return the new alerts of a release, and what is left of it for the next run; None where all of it is known."""
    from sbomgate.model.watch import NotKnown
    from sbomgate.watch.judgement import NEVER_KNOWN, Suspicion, alert
    from sbomgate.watch.state import Open

    registry, name = place
    version = judged.candidate.release.itself.version
    before = known.open.get(version) if known is not None else None
    since = now if before is None else before.since
    ran.releases += 1
    if not judged.serves_evidence:
        ran.without_evidence.setdefault(registry, set()).add(name)
    suspicions = list(judged.suspicions)
    given_up = bool(judged.unknown) and before is not None and now - since >= window
    if given_up:
        said = f"for {(now - since).days} days nobody could tell: {'; '.join(judged.unknown)}"
        suspicions.append(Suspicion(code=NEVER_KNOWN, message=said))
    elif judged.unknown:
        ran.unknown += [
            NotKnown(registry=registry, name=name, version=version, reason=reason) for reason in judged.unknown
        ]
    told = set() if before is None else set(before.alerts)
    found = [
        alert(one, judged.candidate, registry=registry, held=held.versions, builds=held.builds, now=now)
        for one in suspicions
    ]
    new = [one for one in found if one.id not in told]
    if not judged.unknown or given_up:
        return new, None
    return new, Open(since=since, alerts=tuple(sorted(told | {one.id for one in new})))


def _known(
    before: Known | None, look: Look, etag: str | None, left: Mapping[str, Open], window: timedelta, now: datetime
) -> Known:
    """Return what is known of a package after a look: what was there once is never new again."""
    from sbomgate.watch.state import Known

    # A release that was open and is gone may come back: a registry has more than one server.
    gone = {
        version: one
        for version, one in (before.open.items() if before is not None else ())
        if version not in look.versions and now - one.since < window
    }
    versions = (look.versions | (before.versions if before is not None else frozenset())) - left.keys() - look.waiting
    open_ = {**gone, **left}
    return Known(etag=None if left or look.waiting else etag, versions=versions - gone.keys(), open=open_)


def _watched(window_days: int, now: datetime, packages: int, state: State, ran: Run) -> Watched:
    from sbomgate.model.watch import Watched

    return Watched(
        at=now,
        window_days=window_days,
        packages=packages,
        unchanged=ran.unchanged,
        first=ran.first,
        releases=ran.releases,
        alerts=tuple(sorted(state.untold, key=lambda one: (one.name, one.version, one.registry, one.code, one.id))),
        unknown=tuple(sorted(ran.unknown, key=lambda one: (one.name, one.version or "", one.registry, one.reason))),
        notes=tuple(_notes(window_days, ran)),
    )


def _notes(window_days: int, ran: Run) -> Iterator[str]:
    from sbomgate.addresses import show

    if ran.first:
        yield (
            f"looked at for the first time: {ran.first:,}. Of these only releases of the last {window_days} days are "
            "judged (--window); what is older is recorded as it is"
        )
    for registry, names in sorted(ran.without_evidence.items()):
        some = ", ".join(sorted(names)[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        yield f"{show(registry)} serves no signature and no attestation of {some}: a lost provenance shows nowhere"
    if ran.not_asked:
        more = f" and {len(ran.not_asked) - 5:,} more" if len(ran.not_asked) > 5 else ""
        some = ", ".join(ran.not_asked[:5]) + more
        yield f"unknown registry, not asked: {some}. No build of them says where they come from (docs/watch.md)"


def _tell(watched: Watched, args: argparse.Namespace, env: Environment) -> None:
    """Tell everybody: first the command, which may fail, and then whoever reads the output.

    Raises:
        UsageError, FetchError: nobody could be told, or the output cannot be written. The alerts stay untold.
    """
    from importlib import import_module

    from sbomgate.cli._environment import emit
    from sbomgate.report import watch_json

    if args.notify is not None and watched.alerts:
        _notify.notify(args.notify, args.notify_token, watch_json.render(watched), env)
    form = "json" if args.json else args.format or "text"
    text = import_module(f"sbomgate.report.watch_{form}").render(watched)
    emit(text.encode("utf-8", "backslashreplace"), args.output, env)


def _progress(start: int, all_: int) -> Callable[[int], None] | None:
    """Return a progress line for a terminal, or None where stderr is none."""
    import sys

    if not sys.stderr.isatty():
        return None
    return lambda done: print(f"\rwatch: {start + done:,} of {all_:,} packages", end="\r", file=sys.stderr, flush=True)
