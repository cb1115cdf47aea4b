package sbomgate.tests.decision

import data.sbomgate.decision
import data.sbomgate.tests.fixtures as fx

quiet := fx.pkg("left-pad", "1.3.0", {})

young := fx.pkg("axios", "1.14.1", {"publish": fx.published(fx.two_hours_ago)})

result(doc) := r if r := decision.result with input as doc

waiver(changes) := object.union(
	{
		"id": "w1", "rule": "release_age", "name": "axios", "version": "1.14.1",
		"integrity": fx.integrity("axios", "1.14.1"), "fingerprint": null, "project": "https://example.test/shop",
		"until": "2026-12-01T00:00:00Z", "reason": "GHSA-1", "by": "ann",
	},
	changes,
)

waived_by(waivers) := result(fx.document("default", [young], {"waivers": waivers}))

test_a_quiet_project_is_allowed if {
	every profile in ["observe", "default"] {
		result(fx.document(profile, [quiet], {})).verdict == "allowed"
	}
	result(fx.document("strict", [quiet], {"baseline": fx.accepted([quiet], {"": ["left-pad"]})})).verdict == "allowed"
	result(fx.document("release", [quiet], {"baseline": fx.accepted([quiet], {"": ["left-pad"]})})).verdict == "allowed"
}

test_release_demands_a_baseline if result(fx.document("release", [quiet], {})).verdict == "denied"

test_a_young_release_is_denied_everywhere_but_in_observe if {
	every profile in ["default", "strict", "release"] {
		result(fx.document(profile, [young], {})).verdict == "denied"
	}
	r := result(fx.document("observe", [young], {}))
	r.verdict == "allowed"
	"too-young:deny" in fx.codes(r.findings)
}

test_every_rule_ran if {
	r := result(fx.document("default", [quiet], {}))
	r.rules == [
		"approved_changes", "artefact_link", "bound_bytes", "complete_evidence", "deprecated", "exotic_sources", "install_scripts",
		"known_malicious", "licences", "lockfile_sound", "manager_code", "new_dependencies", "pinned", "provenance",
		"registries", "release_age", "trust_drift",
	]
	r.packages == 1
}

# P3: what cannot be decided is undefined, never allowed.
test_no_rules_is_no_decision if {
	not decision.result with input as fx.document("default", [quiet], {}) with data.sbomgate.rules as {}
}

test_a_rule_without_findings_is_no_decision if {
	not decision.result with input as fx.document("default", [quiet], {})
		with data.sbomgate.rules as {"good": {"findings": set()}, "broken": {"finding": set()}}
}

test_findings_that_are_no_set_are_no_decision if {
	not decision.result with input as fx.document("default", [quiet], {})
		with data.sbomgate.rules as {"broken": {"findings": true}}
}

test_a_finding_that_lacks_a_field_is_no_decision if {
	whole := {
		"rule": "own", "code": "c", "level": "note", "package": null, "message": "m", "fix": "f", "unknown": false,
		"waivable": true, "waived": false, "fingerprint": fx.hex,
	}
	doc := fx.document("default", [quiet], {})
	decision.result with input as doc with data.sbomgate.rules as {"own": {"findings": {whole}}}
	every field, _ in whole {
		not decision.result with input as doc
			with data.sbomgate.rules as {"own": {"findings": {object.remove(whole, [field])}}}
	}
	not decision.result with input as doc
		with data.sbomgate.rules as {"own": {"findings": {object.union(whole, {"level": "info"})}}}
	not decision.result with input as doc
		with data.sbomgate.rules as {"own": {"findings": {object.union(whole, {"package": "node_modules/nowhere"})}}}
}

test_an_unknown_profile_is_no_decision if not decision.result with input as fx.document("lenient", [quiet], {})

test_an_empty_input_is_no_decision if not decision.result with input as {}

test_no_packages_although_some_are_declared_is_no_decision if {
	not decision.result with input as fx.document("default", [], {"unmet": {"": [fx.unmet(null, "axios", "^1")]}})
	not decision.result with input as fx.document("default", [], {"edges": {"": ["node_modules/axios"]}})
	result(fx.document("default", [], {})).verdict == "allowed"
}

own_fields := ["name", "version", "resolved", "integrity", "published", "first_published", "publisher", "facts"]

facts_fields := [
	"kind", "registry_agrees", "registry", "publish", "scripts", "signature", "publish_attestation", "provenance",
	"trusted_publisher", "licence", "deprecated", "malicious", "malicious_name", "similar",
]

without(doc, table, field) := json.remove(doc, [[table, "0", field]])

# P3: nothing passes by absence. A package that any fact is missing of is none that is quiet, and not whole either.
test_a_package_that_lacks_a_field_is_no_decision if {
	changed := fx.document("default", [quiet], {"baseline": fx.accepted([], {})})
	result(changed).verdict == "allowed"
	every field in own_fields {
		not decision.result with input as without(changed, "packages", field)
	}
	every field in facts_fields {
		not decision.result with input as without(changed, "facts", field)
	}
	not decision.result with input as json.patch(changed, [{"op": "remove", "path": "facts/0"}])
}

test_what_makes_a_package_quiet_is_missed_without_a_baseline if {
	first := fx.document("default", [quiet], {})
	result(first).verdict == "allowed"
	not decision.result with input as without(first, "packages", "facts")
	every field in ["kind", "registry_agrees", "publish", "scripts", "signature", "publish_attestation", "provenance", "malicious", "malicious_name"] {
		not decision.result with input as without(first, "facts", field)
	}
}

# What drift would be measured against is said of every name that changed.
test_a_baseline_that_lacks_what_it_held_is_no_decision if {
	held := fx.accepted([object.union(quiet, {"version": "0.9.0"})], {})
	result(fx.document("default", [quiet], {"baseline": held})).verdict == "allowed"
	updated := fx.document("default", [quiet], {"baseline": held})
	every path in ["baseline/packages/left-pad", "baseline/held/left-pad", "baseline/gained"] {
		not decision.result with input as json.patch(updated, [{"op": "remove", "path": path}])
	}
}

test_a_missing_parameter_never_allows if {
	every parameters in [{}, {"release_age": {}}, {"new_dependencies": {"first_release_days": 7}}] {
		doc := json.patch(fx.document("default", [quiet], {}), [{"op": "replace", "path": "/parameters", "value": parameters}])
		r := decision.result with input as doc
		r.verdict == "denied"
	}
}

# P28, P29: a waiver counts for exactly one finding, one project, until its end.
test_a_waiver_allows_what_it_names if {
	r := waived_by([waiver({})])
	r.verdict == "allowed"
	r.unused_waivers == []
	[f.waived | some f in r.findings; f.rule == "release_age"] == [true]
}

test_a_waiver_for_anything_else_does_nothing if {
	every changes in [
		{"rule": "provenance"}, {"name": "axios2"}, {"version": "1.14.2"}, {"version": "*"}, {"integrity": null},
		{"integrity": "sha512-other"}, {"project": "https://example.test/other"}, {"project": "shop"},
		{"until": fx.now}, {"until": "2026-11-20T11:59:59Z"}, {"fingerprint": fx.hex},
	] {
		r := waived_by([waiver(changes)])
		r.verdict == "denied"
		r.unused_waivers == ["w1"]
	}
}

test_an_expired_waiver_is_as_none if {
	expired := waived_by([waiver({"until": fx.now})])
	none := waived_by([])
	[f | some f in expired.findings; f.code != "waiver-unused"] == none.findings
	expired.verdict == none.verdict
}

# P31: each that counts for nothing is said, once, with the reason; none of them changes the verdict.
said_of(waivers, changes) := {sprintf("%s: %s", [f.code, last]) |
	some f in result(fx.document("default", [young], object.union({"waivers": waivers}, changes))).findings
	f.rule == "approved_changes"
	parts := split(f.message, ": ")
	last := parts[count(parts) - 1]
}

test_P31_what_counts_for_nothing_is_reported if {
	said_of([waiver({"until": fx.now})], {}) == {"waiver-unused: it has ended"}
	said_of([waiver({"version": "1.14.2"})], {}) == {"waiver-unused: it covers nothing that was found"}
	said_of([waiver({"project": "shop"})], {}) == {"waiver-unused: it is for another project, shop"}
	longer := waiver({"id": "w2", "until": "2026-12-24T00:00:00Z"})
	said_of([waiver({}), longer], {}) == {"waiver-unused: the same person says the same for longer"}
	bob := waiver({"id": "w2", "by": "bob", "until": "2026-12-24T00:00:00Z"})
	said_of([waiver({}), bob], {}) == {"waiver-unused: enough others said so for longer"}
}

test_P31_what_is_used_is_not_reported if said_of([waiver({})], {}) == set()

test_P31_who_waits_for_whom_is_said if {
	own := {"change": {"authors": ["ann"], "authors_known": true, "reason": ""}}
	said_of([waiver({})], own) == {"waiver-unused: who signed it made the change"}
	unknown := {"change": {"authors": [], "authors_known": false, "reason": "the commit 12 is not signed"}}
	said_of([waiver({})], unknown) == {"waiver-waits: 2 people are needed, as the commit 12 is not signed"}
	said_of([waiver({})], {"trust": {"quorum": 2}}) == {"waiver-waits: 2 people are needed"}
}

test_the_fingerprint_alone_names_a_finding if {
	found := [f.fingerprint | some f in waived_by([]).findings; f.rule == "release_age"][0]
	waived_by([waiver({"fingerprint": found})]).verdict == "allowed"
}

test_of_two_waivers_the_longer_is_used_and_the_other_reported if {
	r := waived_by([waiver({}), waiver({"id": "w2", "until": "2026-12-24T00:00:00Z"})])
	r.verdict == "allowed"
	r.unused_waivers == ["w1"]
}

# P30: whoever made the change is no approver of it, and where nobody knows who did, one more person is needed.
test_nobody_approves_his_own_change if {
	own := {"waivers": [waiver({})], "change": {"authors": ["ann"], "authors_known": true, "reason": ""}}
	result(fx.document("default", [young], own)).verdict == "denied"
	unknown := {"waivers": [waiver({})], "change": {"authors": [], "authors_known": false, "reason": "no signature"}}
	result(fx.document("default", [young], unknown)).verdict == "denied"
	two := object.union(unknown, {"waivers": [waiver({}), waiver({"id": "w2", "by": "bob"})]})
	r := result(fx.document("default", [young], two))
	r.verdict == "allowed"
	r.unused_waivers == []
}

test_a_quorum_is_of_different_people if {
	quorum := {"trust": {"quorum": 2}}
	twice := object.union(quorum, {"waivers": [waiver({}), waiver({"id": "w2"})]})
	result(fx.document("default", [young], twice)).verdict == "denied"
	two := object.union(quorum, {"waivers": [waiver({}), waiver({"id": "w2", "by": "bob"})]})
	result(fx.document("default", [young], two)).verdict == "allowed"
}

test_without_a_quorum_nothing_is_waived if {
	without := object.remove(fx.document("default", [young], {"waivers": [waiver({})]}), ["trust"])
	result(object.union(without, {"trust": object.remove(fx.nobody, ["quorum"])})).verdict == "denied"
}

approval(findings) := {
	"id": "a1", "project": "https://example.test/shop", "findings": findings, "until": "2026-12-01T00:00:00Z",
	"reason": "read the diff", "by": "ann",
}

test_an_approval_covers_what_it_was_shown_with if {
	was := fx.pkg("axios", "1.14.0", {})
	changes := {"baseline": fx.accepted([was], {"": ["axios"]})}
	now := fx.pkg("axios", "1.14.1", {})
	before := result(fx.document("release", [now], changes))
	before.verdict == "denied"
	shown := [f.fingerprint | some f in before.findings; f.level == "deny"]
	r := result(fx.document("release", [now], object.union(changes, {"approvals": [approval(shown)]})))
	r.verdict == "allowed"
	{id | some ids in r.waived_by; some id in ids} == {"a1"}
	other := fx.pkg("axios", "1.14.1", {"integrity": "sha512-other", "registry_integrity": "sha512-other"})
	result(fx.document("release", [other], object.union(changes, {"approvals": [approval(shown)]}))).verdict == "denied"
}

# W07, P28
test_nothing_waives_a_malicious_package if {
	evil := fx.pkg("axios", "1.14.1", {"malicious": ["MAL-2026-2307"]})
	r := result(fx.document("default", [evil], {"waivers": [waiver({"rule": "known_malicious"})]}))
	r.verdict == "denied"
	r.unused_waivers == ["w1"]
}

test_nothing_waives_an_invalid_attestation if {
	forged := fx.pkg("axios", "1.14.1", {"provenance": fx.attestation("invalid")})
	r := result(fx.document("default", [forged], {"waivers": [waiver({"rule": "provenance"})]}))
	r.verdict == "denied"
}

test_nothing_waives_an_integrity_mismatch if {
	other := fx.pkg("axios", "1.14.1", {"registry_integrity": "sha512-other"})
	r := result(fx.document("default", [other], {"waivers": [waiver({"rule": "bound_bytes"})]}))
	r.verdict == "denied"
}

test_findings_are_sorted if {
	r := result(fx.document("strict", [young, fx.pkg("aaa", "1.0.0", {"publish": fx.published(fx.two_hours_ago)})], {}))
	keys := [[f.rule, object.get({null: ""}, f.package, f.package), f.code, f.fingerprint] | some f in r.findings]
	keys == sort(keys)
	count(keys) > 2
}

test_the_fingerprint_depends_on_the_package_and_not_on_the_place if {
	here := result(fx.document("default", [young], {})).findings
	there := result(fx.document("default", [object.union(young, {"id": "node_modules/a/node_modules/axios"})], {})).findings
	[f.fingerprint | some f in here; f.rule == "release_age"] == [f.fingerprint | some f in there; f.rule == "release_age"]
}

# What is odd about manifests, and what was released before, are known to be known.
test_a_history_that_lacks_anything_is_no_decision if {
	document := fx.document("default", [quiet], {})
	release := fx.release(quiet)
	result(told_of(fx.preceded_by([release]))).verdict == "allowed"
	every broken in [
		json.remove(document, ["/earlier"]), json.remove(document, ["/manifests"]),
		object.union(document, {"earlier": {"node_modules/nobody": fx.first_release}}),
		object.union(document, {"manifests": {quiet.id: null}}),
		told_of({"releases": null}), told_of({"unknown": null}), told_of({"maintainers": null}),
		told_of(fx.preceded_by([object.remove(release, ["provenance"])])),
		told_of(fx.preceded_by([object.remove(release, ["advertised"])])),
	] {
		not decision.result with input as broken
	}
}

told_of(history) := object.union(fx.document("default", [quiet], {}), {"earlier": {quiet.id: history}})
