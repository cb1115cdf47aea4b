"""What a watch says to people, whatever it is written in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sbomgate.model.watch import Alert, NotKnown, Watched

HELD = 5  # versions that are named: all of them are in the JSON


def by_release(watched: Watched) -> Iterator[tuple[Alert, list[Alert]]]:
    """Yield the alerts of each release, with the first of them."""
    for _, group in groupby(watched.alerts, key=lambda one: (one.name, one.version, one.registry)):
        alerts = list(group)
        yield alerts[0], alerts


def headline(watched: Watched) -> str:
    """Return how much was found, in words; "" where there is nothing to tell."""
    if not watched.alerts:
        return ""
    releases = sum(1 for _ in by_release(watched))
    packages = len({(one.registry, one.name) for one in watched.alerts})
    alerts = len(watched.alerts)
    return f"{_count(alerts, 'new alert')} about {_count(releases, 'release')} of {_count(packages, 'package')}"


def published(alert: Alert) -> str:
    """Return when a release was published, by the registry's word."""
    return (
        "published nobody knows when" if alert.published is None else f"published {alert.published:%Y-%m-%d %H:%M} UTC"
    )


def held(alert: Alert) -> str:
    """Return what the inventory holds of the package."""
    more = f" and {len(alert.held) - HELD} more" if len(alert.held) > HELD else ""
    verb = "holds" if alert.builds == 1 else "hold"
    return f"{_count(alert.builds, 'build')} {verb} {', '.join(alert.held[:HELD])}{more}"


def unknown(one: NotKnown) -> str:
    """Return what could not be looked at."""
    return one.name if one.version is None else f"{one.name} {one.version}"


def looked(watched: Watched) -> str:
    """Return how much was looked at."""
    said = [f"{_count(watched.packages, 'package')} looked at", f"{watched.unchanged:,} unchanged"]
    said.append(f"{_count(watched.releases, 'new release')} judged")
    return ", ".join(said)


def next_steps(watched: Watched) -> str:
    """Return what to do now."""
    if not watched.alerts:
        return ""
    return (
        "Next: keep these versions out (do not merge the update, or pin the version before), ask the project, and if "
        "they are bad see who got them: `sbomgate inventory find`, `sbomgate hunt`."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
