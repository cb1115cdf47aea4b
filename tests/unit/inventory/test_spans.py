"""Spans say of every version exactly which builds hold it, however the builds came into the inventory."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate.inventory import answers, place, terms
from sbomgate.inventory.engines import Engine
from sbomgate.inventory.folder import Folder
from sbomgate.lockfiles import _range
from testkit.inventories import EXAMPLES, NOW, Row, build, package

Builds = list[tuple[int, list[Row]]]


def many(count: int = 60) -> Builds:
    """Return builds of four projects: nearly the same, one after the other, with versions that come and go."""
    chance = random.Random(8)
    made = []
    for number in range(count):
        project, turn = number % 4, number // 4
        held = [package(f"steady-{project}", "1.0.0"), package("shared", f"1.{turn // 5}.0"), package("git", None)]
        held += [package("flaky", f"{chance.randrange(3)}.0.0") for _ in range(chance.randrange(3))]
        # A copy of other bytes, and a name that begins as another ends.
        held += [package("shared", f"1.{turn // 5}.0", integrity="sha512-x"), package(f"p{turn}", "1.0.0")]
        decided = NOW + timedelta(hours=turn) if number % 7 else None
        made.append(build(f"b{number}", held, project=f"project-{project}", decided=decided))
    return [*made, *EXAMPLES]


def added_at_once(folder: Folder, builds: Builds) -> None:
    folder.add(builds)


def one_segment(folder: Folder, builds: Builds) -> None:
    folder.add(builds)
    folder.compact(everything=True)


def segments_and_single_builds(folder: Folder, builds: Builds) -> None:
    for first, end in ((0, 30), (30, 40), (40, 43)):
        folder.add(builds[first:end])
        folder.compact()
    folder.add(builds[43:])
    assert len(folder.listing().segments) > 1


def rebuilt(folder: Folder, builds: Builds) -> None:
    folder.add(builds[:9])
    with folder.rebuilding() as fresh:
        fresh.add(builds)


def by_an_older_version(folder: Folder, builds: Builds) -> None:
    """Segments without spans: what compactions made before there were any."""
    folder.add(builds[:50])
    folder.compact()
    older(folder)
    folder.add(builds[50:])


def by_an_older_version_and_compacted(folder: Folder, builds: Builds) -> None:
    folder.add(builds)
    folder.compact()
    older(folder)
    assert folder.compact() == 0
    assert folder.compact(everything=True) > 0
    assert [segment.spans for segment in folder.listing().segments] == ["000002.spans.parquet"]
    assert folder.compact(everything=True) == 0


def by_both(folder: Folder, builds: Builds) -> None:
    by_an_older_version(folder, builds[:-3])
    folder.compact()
    folder.add(builds[-3:])
    folder.compact()


def older(folder: Folder) -> None:
    (segment,) = folder.listing().segments
    assert segment.spans is not None
    (folder.path / place.SEGMENTS / segment.spans).unlink()
    segments = [place.Segment(name=segment.name, rows=segment.rows, builds=segment.builds)]
    (folder.path / place.MANIFEST).write_bytes(place.manifest(segments))


WAYS: tuple[Callable[[Folder, Builds], None], ...] = (
    added_at_once, one_segment, segments_and_single_builds, rebuilt, by_an_older_version,
    by_an_older_version_and_compacted, by_both,
)  # fmt: skip


def keys(engine: Engine) -> set[int]:
    return {key for (key,) in engine.query("SELECT build FROM build")}


def rows(engine: Engine) -> dict[tuple[str, str], set[int]]:
    """Return what the rows say, without spans."""
    found: dict[tuple[str, str], set[int]] = {}
    for name, version, key in engine.query("SELECT name, version, build FROM package"):
        found.setdefault((name, version or ""), set()).add(key)
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_they_say_what_the_rows_say(tmp_path: Path, way: Callable[[Folder, Builds], None]) -> None:
    folder = Folder(tmp_path / "inventory")
    folder.create()
    builds = many()
    way(folder, builds)
    engine = folder.reader()

    def asked(engine: Engine) -> tuple[Any, ...]:
        held = rows(engine)
        absent = [("shared", "9.9.9"), ("absent", "1.0.0"), ("", ""), ("git", "1.0.0")]
        return held, answers.holding(engine, [*held, *absent]), answers.known(engine, None)

    held, said, known = folder.ask(engine, asked)
    assert said == held
    assert sorted((name, version or "") for name, version in known) == sorted(held)
    assert len(set().union(*held.values())) == len(builds)
    engine.close()


def test_the_same_builds_make_the_same_spans_and_few_of_them(tmp_path: Path) -> None:
    builds, made = many(100), []
    for number, order in enumerate((1, -1)):
        folder = Folder(tmp_path / str(number))
        folder.create()
        folder.add(builds[::order])
        folder.compact()
        (segment,) = folder.listing().segments
        assert segment.spans is not None
        made.append((folder.path / place.SEGMENTS / segment.spans).read_bytes())
        engine = folder.reader()
        folder.ask(engine, keys)
        sql = "SELECT sum(high - low + 1), count(*) FROM span WHERE name LIKE 'steady%' OR name = 'git'"
        ((held, spans),) = engine.query(sql)
        assert (held, spans) == (200, 5), "four projects' own, and one that every build of theirs holds"
        engine.close()
    assert made[0] == made[1]


def test_a_thousand_words_find_what_one_by_one_does(tmp_path: Path) -> None:
    """More words than a query names are asked for by tables: exact versions, ranges, names, all at once."""
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add(many())
    folder.compact()
    engine = folder.reader()
    wanted = ["flaky@1.0.0", "shared@^1.1.0", "git", "axios@1.14.1", "@tanstack/*", "p*@1.0.0"]
    filler = [f"absent-{number}@1.0.0" for number in range(400)] + [f"nobody-{number}" for number in range(200)]
    filler += [f"p{number}@1.0.0" for number in range(200)] + [f"steady-{number}" for number in range(180)]

    def find(words: list[str]) -> answers.Found:
        return folder.ask(engine, lambda e: answers.find(e, terms.parse(words), _range.satisfies))

    alone = {hit for word in [*wanted, "steady-*"] for hit in map(_key, find([word]).hits)}
    together = find([*wanted, *filler])
    assert {_key(hit) for hit in together.hits} == alone
    assert len(together.hits) == len(alone) > 100
    engine.close()


def _key(hit: answers.Hit) -> tuple[Any, ...]:
    package = hit.package
    return (*hit.artefact.identity, package["name"], package["version"], package["integrity"])
