"""Spark and DuckDB give the same answer to every question: the same SQL on the same files."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sbomgate.inventory import answers, sweep, terms
from sbomgate.inventory.amendments import Amendment
from sbomgate.inventory.engines import Engine, Rows, VanishedError
from sbomgate.inventory.folder import Folder
from sbomgate.lockfiles import _range
from testkit.inventories import EXAMPLES, NOW, SRI, build

pytestmark = pytest.mark.spark

QUESTIONS = (
    ["axios@>=1.14 <2"], ["axios@^1.14.1 || ~0.30"], ["@tanstack/*"], ["lod_sh"], ["lod%*"], [SRI], ["*"],
    ["axios", "licence:M*"], ["maintainer:bob"], ["maintainer:mal*"],
    ["maintainer:*ob"], ["axios", "after:2026-03-30"], ["before:2026-03-31T19:00:01Z"],
    ["is:transitive", "is:unattested"], ["is:scripted", "younger:2h"], ["verdict:denied", "environment:staging"],
    ["verdict:revoked"],
    ["it's"], ["a\\b"], ["über*"],
)  # fmt: skip
HOSTILE = build("hostile", [("it's", "1.0.0"), ("a\\b", "1.0.0"), ("überall", "1.0.0"), ("\U0001f600", "1.0.0")])


# A cluster of one thread for a handful of rows: what Spark's own settings say is obeyed, as `spark-submit` gives them.
# C1 alone: what is compiled here runs once.
SETTINGS = {
    "spark.master": "local[1]",
    "spark.default.parallelism": "1",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("PySpark (the extra `spark`) or Java is not here")
    from sbomgate.inventory.engines.spark import Spark

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        told = " ".join(f"--conf '{name}={value}'" for name, value in SETTINGS.items())
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{told} pyspark-shell")
        patch.setenv("TZ", "America/New_York")  # times are UTC wherever it runs
        made = Spark()
        yield made
        made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = Folder(tmp_path_factory.mktemp("spark") / "inventory")
    made.create()
    made.add(EXAMPLES[:2])
    made.compact()
    made.add([*EXAMPLES[2:], HOSTILE])
    revoked, overridden = EXAMPLES[0][1][0]["evidence"], EXAMPLES[2][1][0]["evidence"]
    said = {"statement": "ab" * 32, "by": "ann", "reason": "it's stolen"}
    made.amend([
        Amendment(decision=revoked, word="revoked", at=NOW, until=None, **said),
        Amendment(decision=overridden, word="overridden", at=NOW, until=NOW + timedelta(hours=4), **said),
    ])  # fmt: skip
    return made


def find(engine: Engine, words: Sequence[str], **more: Any) -> answers.Found:
    return answers.find(engine, terms.parse(words), _range.satisfies, **more)


def judge(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Sequence[str]]:
    return {pair: ("MAL-1",) for pair in pairs if pair[1] in ("1.14.1", "")}


def answered(engine: Engine) -> tuple[dict[str, answers.Found], Any]:
    """Return the answers to all questions, and the sweep: opened once, as opening takes Spark longer than an answer."""
    found = {" ".join(words): find(engine, words) for words in QUESTIONS}
    found["what runs"] = find(engine, ["axios"], digests=[EXAMPLES[1][1][0]["digest"]])
    absent = [f"absent-{number}{at}" for number in range(answers.FEW) for at in ("", "@1.0.0")]
    found["many words"] = find(engine, ["axios", "it's@1.0.0", "a\\b@^1", "*crypto*@4.2.1", *absent])
    counted = answers.count(engine, terms.parse(["axios", "it's@1.0.0", "über*"]), _range.satisfies)
    return found, (sweep.sweep(engine, ["axios", "it's", "absent"], judge), counted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_both_agree_on_every_answer(folder: Folder, spark: Engine) -> None:
    duck = folder.reader()
    found, judged = folder.ask(duck, answered)
    duck.close()
    others, swept = folder.ask(spark, answered)
    for words, one in found.items():
        assert one == others[words], words
    assert sum(len(one.hits) for one in found.values()) > len(QUESTIONS)
    assert judged == swept
    assert len(judged[0]) == 2
    assert len(judged[1][0]) == 7


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_an_empty_inventory_and_a_file_that_vanished(tmp_path: Path, spark: Engine) -> None:
    folder = Folder(tmp_path / "inventory")
    folder.create()
    assert folder.ask(spark, lambda engine: find(engine, ["axios"])).hits == ()
    with pytest.raises(VanishedError):
        spark.open([Rows(file=str(tmp_path / "nowhere.parquet"))])
