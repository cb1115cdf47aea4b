package sbomgate.tests.complete_evidence

import data.sbomgate.rules.complete_evidence as rule
import data.sbomgate.tests.fixtures as fx

said(profile, packages, more) := fx.codes(f) if f := rule.findings with input as fx.document(profile, packages, more)

some_of(changes) := [fx.pkg(sprintf("p%d", [n]), "1.0.0", object.union(unknown_third(n), changes)) | some n in numbers.range(1, 9)]

unknown_third(n) := {"scripts": fx.unknown_scripts} if n % 3 == 0

unknown_third(n) := {} if n % 3 != 0

# W15
test_one_finding_per_kind_with_its_number if {
	found := rule.findings with input as fx.document("strict", some_of({}), {})
	[[f.code, f.level, f.unknown] | some f in found] == [["scripts", "deny", true]]
	[f.message | some f in found] == ["not known: install scripts of 3 of 9 packages (p3 1.0.0, p6 1.0.0, p9 1.0.0)"]
	said("default", some_of({}), {}) == {"scripts:warn"}
	said("release", some_of({}), {}) == {"scripts:deny"}
}

test_copies_are_named_once if {
	copies := [fx.pkg(name, "1.0.0", {"id": sprintf("%s%d", [name, n]), "scripts": fx.unknown_scripts}) |
		some name in ["a", "b", "c", "d"]
		some n in [1, 2]
	]
	[f.message | some f in rule.findings with input as fx.document("strict", copies, {})] == ["not known: install scripts of 8 of 8 packages (a 1.0.0, b 1.0.0, c 1.0.0 and 1 more, copies counted once)"]
	two := array.slice(copies, 0, 2)
	[f.message | some f in rule.findings with input as fx.document("strict", two, {})] == ["not known: install scripts of 2 of 2 packages (a 1.0.0, copies counted once)"]
}

test_every_kind if {
	nothing := fx.pkg("x", "1.0.0", {
		"publish": fx.unknown_time, "scripts": fx.unknown_scripts, "provenance": fx.attestation("unreachable"),
		"publish_attestation": fx.attestation("unreachable"), "signature": {"state": "unknown", "reason": "unreachable"},
	})
	said("default", [nothing], {}) == {"publish-time:warn", "first-release:warn", "scripts:warn", "provenance:warn", "signature:warn"}
}

# C09: of a first-party package only its scripts must be known.
test_first_party if {
	own := fx.pkg("@acme/a", "1.0.0", {"publish": fx.unknown_time, "provenance": fx.attestation("not-applicable"), "signature": {"state": "unknown", "reason": ""}})
	said("strict", [own], fx.trusting({"first_party": ["@acme"]})) == set()
}

test_other_packages_are_another_finding if {
	three := rule.findings with input as fx.document("strict", some_of({}), {})
	other := rule.findings with input as fx.document("strict", some_of({"integrity": "sha512-x"}), {})
	{f.fingerprint | some f in three} != {f.fingerprint | some f in other}
}

test_all_known_passes if said("strict", [fx.pkg("x", "1.0.0", {})], {}) == set()

# P13, P17
signed := {"subject": {"kind": "file", "name": "app.tgz", "digest": {"sha256": "aa"}}, "link": "asserted", "time_source": "self-declared"}

test_release_wants_more_than_a_word if {
	said("release", [fx.pkg("x", "1.0.0", {})], signed) == {"link-asserted:deny", "time-self-declared:deny"}
	said("strict", [fx.pkg("x", "1.0.0", {})], signed) == {"link-asserted:warn", "time-self-declared:warn"}
	said("default", [fx.pkg("x", "1.0.0", {})], signed) == {"link-asserted:note", "time-self-declared:note"}
}

test_a_check_has_no_artefact_to_tie if said("release", [fx.pkg("x", "1.0.0", {})], {}) == set()
