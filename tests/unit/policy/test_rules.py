"""The Rego library under the real OPA: its own tests, its types, its form, and what is generated from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
POLICIES = ROOT / "policies"
OPA = os.environ.get("OPA") or shutil.which("opa") or str(ROOT / ".tools" / "opa")
RULES = sorted(p.stem for p in (POLICIES / "rules").glob("*.rego") if not p.stem.endswith("_test"))

pytestmark = pytest.mark.opa


def opa(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not Path(OPA).is_file():
        pytest.skip("no opa: set OPA, put it on PATH or in .tools/")
    return subprocess.run([OPA, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def test_the_rego_tests_pass() -> None:
    done = opa("test", "policies", "--format", "json")
    results = json.loads(done.stdout)
    assert done.returncode == 0, [r["name"] for r in results if r.get("fail") or r.get("error")]
    assert len(results) > 100


def test_p3_no_test_rests_on_a_builtin_that_fails() -> None:
    """`opa test` takes a built-in that fails for undefined; whoever decides takes it for an error."""
    results = json.loads(opa("test", "policies", "--format", "json").stdout)
    query = ",".join(f"{one['package']}.{one['name']}" for one in results)
    done = opa("eval", "--strict-builtin-errors", "--data", "policies", "--format", "json", f"[{query}]")
    assert done.returncode == 0, json.loads(done.stdout)["errors"][0]


def test_every_input_field_exists_and_every_rule_is_strict() -> None:
    done = opa("check", "--strict", "--schema", "schemas/rego", "policies")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("p.scripts.stat ", "p.scripts.state "),
        ("q.publishd", "q.published"),
        ("input.packagess", "input.packages"),
        ("p.provenance.claims.issuers", "p.provenance.claims.issuer"),
        ("input.parameters.release_age.minimum_age", "input.parameters.release_age.minimum_age_hours"),
    ],
)
def test_a_misspelt_field_is_refused(tmp_path: Path, wrong: str, right: str) -> None:
    head = '# METADATA\n# schemas:\n#   - input: schema["policy-input"]\npackage sbomgate.rules.own\n\n'
    for text, code in ((right, 0), (wrong, 1)):
        body = f"findings contains {text.strip()} if some p in data.sbomgate.lib.packages.noticeable\n"
        if text.startswith("q."):
            body = f"findings contains {text} if some q in input.packages\n"
        elif not text.startswith("p."):
            body = f"findings contains {text.strip()}\n"
        rule = tmp_path / "own.rego"
        rule.write_text(head + body, "utf-8")
        lib = [str(path) for path in (POLICIES / "lib").glob("*.rego")]
        assert opa("check", "--schema", "schemas/rego", str(rule), *lib).returncode == code, text


def test_formatted() -> None:
    done = opa("fmt", "--list", "--fail", "policies")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("tool", ["generate_rule_docs.py", "generate_schemas.py"])
def test_generated_files_are_what_is_generated(tool: str) -> None:
    extra = ["--opa", OPA] if tool == "generate_rule_docs.py" else []
    if extra and not Path(OPA).is_file():
        pytest.skip("no opa: set OPA, put it on PATH or in .tools/")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check", *extra],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rule", RULES)
def test_metadata_names_every_code_that_the_rule_can_return(rule: str) -> None:
    """The page of a rule lists its findings: the table of codes and the severities are complete, and hold no other."""
    text = (POLICIES / "rules" / f"{rule}.rego").read_text("utf-8")
    page = (ROOT / "docs" / "rules" / f"{rule}.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|.*\|$", page.partition("## Parameters")[0], re.MULTILINE))
    literal = set(re.findall(r'finding\.of\("[a-z_]+", "([a-z0-9-]+)"', text))
    tables = {
        code for code in documented if re.search(rf'^\t"{code}": \{{', text, re.MULTILINE) or f'"{code}": ' in text
    }
    assert literal <= documented
    assert documented <= literal | tables | {"declared-range"}


def test_every_code_of_the_reader_is_in_the_table_of_its_rule() -> None:
    """A code that no table knows denies under every profile: right for an old policy, a false alarm for this one."""
    documented = (ROOT / "docs" / "lockfiles.md").read_text("utf-8")
    for rule, table in re.findall(r"^### (\w+)\n((?:.*\n)*?)(?=^#|\Z)", documented, re.MULTILINE):
        text = (POLICIES / "rules" / f"{rule}.rego").read_text("utf-8")
        for row in re.findall(r"^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|", table, re.MULTILINE):
            for code in re.findall(r"`([a-z0-9-]+)`", row):
                assert f'"{code}"' in text, (rule, code)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_a_test_beside_it_and_names_itself(rule: str) -> None:
    assert (POLICIES / "rules" / f"{rule}_test.rego").is_file()
    text = (POLICIES / "rules" / f"{rule}.rego").read_text("utf-8")
    assert f"\npackage sbomgate.rules.{rule}\n" in text
    assert set(re.findall(r'finding\.of\("([a-z_]+)"', text)) <= {rule}
    assert set(re.findall(r'lock\.judged?\("([a-z_]+)"', text)) <= {rule}


def test_rego_reads_no_clock_no_network_and_no_randomness() -> None:
    """P23"""
    for path in POLICIES.rglob("*.rego"):
        text = path.read_text("utf-8")
        found = re.findall(r"\b(?:http\.send|opa\.runtime|time\.now_ns|rand\.|uuid\.|net\.)", text)
        assert not found, (path, found)
