package sbomgate.tests.lockfile_sound

import data.sbomgate.rules.lockfile_sound as rule
import data.sbomgate.tests.fixtures as fx

p := fx.pkg("good", "1.0.0", {})

id := "node_modules/good"

said(profile, code, package_id) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [p], fx.with_findings([fx.lock_finding("lockfile_sound", code, package_id)]))
}

with_baseline(code, held) := fx.codes(f) if {
	f := rule.findings with input as fx.document("default", [p], object.union(
		fx.with_findings([fx.lock_finding("lockfile_sound", code, id)]),
		{"baseline": fx.accepted(held, {})},
	))
}

# L01, L02, L13, L18, A25
test_contradictions_are_denied if {
	every code in ["shrinkwrap-shadow", "sections-disagree", "symlinked-lockfile", "root-differs", "several-hashes", "integrity-differs", "malformed-integrity", "patch-differs"] {
		every profile in ["default", "strict", "release"] {
			said(profile, code, null) == {sprintf("%s:deny", [code])}
		}
	}
}

# A21, A23, A28, L15, L20: debts of the past warn, what is new or changed denies.
test_debts_warn_until_they_change if {
	every code in ["missing-integrity", "missing-checksum", "weak-integrity", "unreachable-entry", "flag-mismatch"] {
		said("default", code, id) == {sprintf("%s:warn", [code])}
		said("strict", code, id) == {sprintf("%s:deny", [code])}
		with_baseline(code, [p]) == {sprintf("%s:warn", [code])}
		with_baseline(code, []) == {sprintf("%s:deny", [code])}
		with_baseline(code, [fx.pkg("good", "0.9.0", {})]) == {sprintf("%s:deny", [code])}
	}
}

test_a_workspace_that_lags_behind_is_a_debt if {
	found := rule.findings with input as fx.document(
		"default", [fx.pkg("own", "1.0.0", {"id": "packages/own", "kind": "workspace"})],
		fx.with_findings([fx.lock_finding("lockfile_sound", "root-differs", "packages/own")]),
	)
	fx.codes(found) == {"root-differs:warn"}
	said("default", "root-differs", "") == {"root-differs:deny"}
}

# A28
test_a_name_in_capitals_that_the_registry_has_is_a_note if {
	every expected in [["JSONStream:note", {}], ["JSONStream:note", {"kind": "git", "integrity": null, "registry_integrity": null}], ["JSONStream:deny", {"registry_integrity": null}], ["JSONStream:deny", {"integrity": null, "registry_integrity": null}]] {
		found := rule.findings with input as fx.document(
			"strict", [fx.pkg("JSONStream", "1.3.5", expected[1])],
			fx.with_findings([fx.lock_finding("lockfile_sound", "name-case", "node_modules/JSONStream")]),
		)
		fx.codes(found) == {replace(expected[0], "JSONStream", "name-case")}
	}
}

# L22
# yarn 2 and later: the format has no hash of what the registry serves
test_a_format_without_integrity_warns_once if {
	said("default", "no-integrity-format", null) == {"no-integrity-format:warn"}
	said("strict", "no-integrity-format", null) == {"no-integrity-format:deny"}
	said("strict", "platform-unchecked", null) == {"platform-unchecked:note"}
}

test_version_1_is_a_note if said("strict", "lockfile-v1", null) == {"lockfile-v1:note"}

test_an_unknown_code_denies if {
	every profile in ["observe", "default", "strict", "release"] {
		said(profile, "code-of-tomorrow", id) == {"code-of-tomorrow:deny"}
	}
}

test_a_finding_that_no_rule_judges_denies if {
	found := rule.findings with input as fx.document("default", [p], fx.with_findings([fx.lock_finding("registry", "resolved-http", id)]))
	fx.codes(found) == {"unjudged:deny"}
}

test_an_entry_of_unknown_kind if {
	odd := fx.pkg("odd", "1.0.0", {"kind": "unknown"})
	fx.codes(rule.findings) == {"unknown-source:warn"} with input as fx.document("default", [odd], {})
	fx.codes(rule.findings) == {"unknown-source:deny"} with input as fx.document("strict", [odd], {})
	fx.codes(rule.findings) == {"unknown-source:deny"} with input as fx.document("default", [odd], {"baseline": fx.accepted([], {})})
}

# L04, L11: nothing was found, so nothing is said.
test_nothing_found_passes if {
	fx.codes(rule.findings) == set() with input as fx.document("strict", [fx.pkg("constructor", "1.0.0", {})], {})
}

test_findings_of_other_rules_are_theirs if {
	found := rule.findings with input as fx.document("strict", [p], fx.with_findings([fx.lock_finding("pinned", "lock-drift", null)]))
	found == set()
}

test_every_code_has_a_class_that_exists if {
	every rule_id in ["lockfile_sound", "bound_bytes", "pinned", "registries", "exotic_sources", "manager_code"] {
		every entry in data.sbomgate.rules[rule_id].codes {
			data.sbomgate.lib.finding.classes[entry.class]
			count(entry.fix) > 0
		}
	}
}

test_every_code_of_the_table if {
	levels := {
		"bundle-undeclared": "warn", "bundle-unlisted": "warn", "dependency-missing": "deny", "range-unsatisfied": "deny", "name-case-collision": "warn",
		"scripts-in-lockfile": "deny", "npmrc-weakens": "warn", "symlinked-manifest": "warn", "manifest-missing": "warn",
		"link-target-missing": "warn", "root-renamed": "warn", "workspace-differs": "warn", "other-lockfile": "warn", "nested-lockfile": "warn",
		"peer-unmet": "note", "peer-invalid": "note",
	}
	every code, level in levels {
		said("default", code, id) == {sprintf("%s:%s", [code, level])}
		said("strict", code, id) == {sprintf("%s:%s", [code, {"deny": "deny", "warn": "deny", "note": "note"}[level]])}
	}
	every code in ["bundle-undeclared", "dependency-missing", "range-unsatisfied", "name-case-collision"] {
		with_baseline(code, []) == {sprintf("%s:deny", [code])}
	}
}

# npm refuses it; the others install what the lockfile says, so that it may be a debt.
test_a_range_that_is_not_met_is_a_debt_outside_npm if {
	document := fx.document("default", [p], fx.with_findings([fx.lock_finding("lockfile_sound", "range-unsatisfied", id)]))
	lockfile := object.union(document.lockfile, {"kind": "bun"})
	found := rule.findings with input as object.union(document, {"lockfile": lockfile})
	fx.codes(found) == {"range-unsatisfied:warn"}
}

# `node_modules/a/../evil`: no old project has it, and what else is said of such an entry was read through its name.
test_a_name_that_cannot_be_is_no_debt if {
	said("default", "name-invalid", id) == {"name-invalid:deny"}
	said("strict", "name-invalid", id) == {"name-invalid:deny"}
}

test_a_workspace_whose_block_lags_behind_is_a_debt if {
	said("default", "workspace-differs", "packages/own") == {"workspace-differs:warn"}
	said("strict", "workspace-differs", "packages/own") == {"workspace-differs:deny"}
}

# What is about no package says where: the reader's place comes first.
test_findings_about_the_project_name_their_place if {
	findings := rule.findings with input as fx.document("default", [p], fx.with_findings([
		fx.lock_finding("lockfile_sound", "manifest-missing", null),
		fx.lock_finding("lockfile_sound", "weak-integrity", id),
	]))
	{startswith(f.message, "packages: ") | some f in findings; f.package == null} == {true}
}

# L32: another lockfile in the tree
unjudged(profile, parameters) := fx.codes(f) if {
	document := fx.document(profile, [p], fx.with_findings([fx.lock_finding("lockfile_sound", "lockfile-not-judged", null)]))
	held := object.union(document.parameters.lockfile_sound, parameters)
	f := rule.findings with input as object.union(document, {"parameters": {"lockfile_sound": held}})
}

test_another_lockfile_in_the_tree if {
	every profile in ["default", "strict", "release"] {
		unjudged(profile, {}) == {"lockfile-not-judged:note"}
		unjudged(profile, {"unjudged_lockfiles": "warn"}) == {"lockfile-not-judged:warn"}
		unjudged(profile, {"unjudged_lockfiles": "deny"}) == {"lockfile-not-judged:deny"}
	}
}

test_a_lockfile_that_is_judged_elsewhere if {
	every held in [[place], ["elsewhere.lock", place]] {
		unjudged("strict", {"unjudged_lockfiles": "deny", "judged_elsewhere": held}) == set()
	}
	every held in [[], [substring(place, 0, 1)], ["nowhere/"], [upper(place)]] {
		unjudged("strict", {"unjudged_lockfiles": "deny", "judged_elsewhere": held}) == {"lockfile-not-judged:deny"}
	}
	rule.elsewhere("tests/a/yarn.lock") with input.parameters.lockfile_sound.judged_elsewhere as ["tests/"]
	not rule.elsewhere("tests-of-mine/yarn.lock") with input.parameters.lockfile_sound.judged_elsewhere as ["tests/"]
}

place := fx.lock_finding("lockfile_sound", "lockfile-not-judged", null).place

# An SBOM in place of the lockfile: what it does not say is a debt, and what no rule can judge denies everywhere.
test_an_sbom_is_less_than_a_lockfile if {
	every code in ["lockfile-unseen", "files-not-judged", "edges-unknown", "packages-unreached", "sbom-incomplete"] {
		said("default", code, null) == {sprintf("%s:warn", [code])}
		said("strict", code, null) == {sprintf("%s:deny", [code])}
		said("release", code, null) == {sprintf("%s:deny", [code])}
	}
	every profile in ["default", "strict", "release"] {
		said(profile, "not-judged", null) == {"not-judged:deny"}
	}
	with_baseline("reference-dangling", [p]) == {"reference-dangling:warn"}
	with_baseline("reference-dangling", []) == {"reference-dangling:deny"}
}
