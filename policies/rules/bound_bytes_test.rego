package sbomgate.tests.bound_bytes

import data.sbomgate.rules.bound_bytes as rule
import data.sbomgate.tests.fixtures as fx

said(profile, changes, found) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [fx.pkg("good", "1.0.0", changes)], fx.with_findings(found))
}

# A06, A09, A10, A12
test_an_address_of_something_else_is_denied_everywhere if {
	every code in ["resolved-name-differs", "resolved-version-differs", "resolved-not-canonical", "alias-undeclared"] {
		every profile in ["default", "strict", "release"] {
			said(profile, {}, [fx.lock_finding("bound_bytes", code, "node_modules/good")]) == {sprintf("%s:deny", [code])}
		}
	}
}

# A11, T19
test_other_bytes_than_the_registry_has if {
	every profile in ["default", "strict", "release"] {
		said(profile, {"integrity": "sha512-a", "registry_integrity": "sha512-b"}, []) == {"registry-integrity-differs:deny"}
		said(profile, {"integrity": "sha1-a sha512-a", "registry_integrity": "sha512-b"}, []) == {"registry-integrity-differs:deny"}
	}
}

test_the_same_bytes_in_other_words_pass if {
	said("strict", {"integrity": "sha1-x sha512-a", "registry_integrity": "sha512-a"}, []) == set()
	said("strict", {"integrity": "sha512-a?opt", "registry_integrity": "sha512-a"}, []) == set()
	said("strict", {"integrity": "sha1-x", "registry_integrity": "sha512-a"}, []) == set()
}

test_an_identity_is_never_waived if {
	found := rule.findings with input as fx.document("default", [fx.pkg("good", "1.0.0", {"registry_integrity": "sha512-b"})], {})
	[f.waivable | some f in found] == [false]
}

# A07: a declared alias is no finding of the reader.
test_what_is_as_it_says_passes if said("strict", {"alias": "other"}, []) == set()

test_an_unknown_registry_integrity_is_not_compared if {
	said("strict", {"registry_integrity": null}, []) == set()
	said("strict", {"integrity": null}, []) == set()
}

test_every_code_of_the_table if {
	every code in ["resolved-malformed", "source-undeclared"] {
		said("default", {}, [fx.lock_finding("bound_bytes", code, "node_modules/good")]) == {sprintf("%s:deny", [code])}
	}
	said("default", {}, [fx.lock_finding("bound_bytes", "source-missing", "node_modules/good")]) == {"source-missing:deny"}
	said("strict", {}, [fx.lock_finding("bound_bytes", "source-missing", "node_modules/good")]) == {"source-missing:deny"}
}

# A tarball with other bytes than the lockfile pins: never waived, also where nothing changed since the approved build.
test_a_tarball_of_other_bytes_is_denied_everywhere if {
	served := {"scripts": object.union(fx.unknown_scripts, {"source": "other-bytes"})}
	every profile in ["default", "strict", "release"] {
		said(profile, served, []) == {"served-bytes-differ:deny"}
	}
	p := fx.pkg("good", "1.0.0", served)
	found := rule.findings with input as fx.document("default", [p], {"baseline": fx.accepted([p], {})})
	[[f.level, f.waivable] | some f in found] == [["deny", false]]
	said("strict", {"scripts": fx.unknown_scripts}, []) == set()
}

# T11
test_a_version_that_the_registry_has_no_more if {
	every profile in ["default", "strict", "release"] {
		said(profile, {"publish": object.union(fx.unknown_time, {"source": "withdrawn"})}, []) == {"version-withdrawn:deny"}
	}
	said("strict", {"publish": fx.unknown_time}, []) == set()
}

test_an_invalid_version_is_known_to_this_policy if {
	found := rule.findings with input as fx.document(
		"default", [fx.pkg("good", "1.0.0", {})],
		fx.with_findings([fx.lock_finding("bound_bytes", "version-invalid", "node_modules/good")]),
	)
	[[f.level, contains(f.fix, "policy")] | some f in found] == [["deny", false]]
}

odd(changes) := {"manifests": {"node_modules/left": object.union({"disagreements": [], "shadows": [], "script_files": {}}, changes)}}

# T19
test_other_bytes_than_the_approved_build_had if {
	approved := fx.pkg("left", "1.0.0", {"integrity": "sha512-a", "registry_integrity": "sha512-a"})
	now := fx.pkg("left", "1.0.0", {"integrity": "sha512-b", "registry_integrity": "sha512-b"})
	every profile in ["default", "strict", "release"] {
		fx.codes(rule.findings) == {"approved-bytes-differ:deny"} with input as fx.document(profile, [now], {"baseline": fx.accepted([approved], {})})
		fx.codes(rule.findings) == set() with input as fx.document(profile, [approved], {"baseline": fx.accepted([approved], {})})
	}
	weaker := fx.pkg("left", "1.0.0", {"integrity": "sha1-c"})
	fx.codes(rule.findings) == set() with input as fx.document("strict", [now], {"baseline": fx.accepted([weaker], {})})
	another := fx.pkg("left", "0.9.0", {"integrity": "sha512-c"})
	fx.codes(rule.findings) == set() with input as fx.document("strict", [now], {"baseline": fx.accepted([another], {})})
}

# Manifest confusion beyond scripts
test_other_dependencies_than_the_manifest_says if {
	p := fx.pkg("left", "1.0.0", {})
	told := odd({"disagreements": ["the lockfile says that it depends on evil, which its package.json does not"]})
	held := fx.accepted([p], {})
	fx.codes(rule.findings) == {"manifest-differs:warn"} with input as fx.document("default", [p], object.union(told, {"baseline": held}))
	fx.codes(rule.findings) == {"manifest-differs:deny"} with input as fx.document("strict", [p], object.union(told, {"baseline": held}))
	fx.codes(rule.findings) == {"manifest-differs:warn"} with input as fx.document("default", [p], told)
	other := {"baseline": fx.accepted([fx.pkg("left", "0.9.0", {})], {})}
	fx.codes(rule.findings) == {"manifest-differs:deny"} with input as fx.document("default", [p], object.union(told, other))
	fx.codes(rule.findings) == set() with input as fx.document("strict", [p], odd({"shadows": ["node"]}))
}

# What an SBOM of another tool says of a package: what cannot be told denies where it is new, what is settled is a note.
test_of_an_sbom if {
	every code in ["bytes-unknown", "purl-differs", "several-addresses"] {
		found := [fx.lock_finding("bound_bytes", code, "node_modules/good")]
		said("default", {}, found) == {sprintf("%s:warn", [code])}
		said("strict", {}, found) == {sprintf("%s:deny", [code])}
		changed := rule.findings with input as fx.document("default", [fx.pkg("good", "1.0.0", {})], object.union(
			fx.with_findings(found),
			{"baseline": fx.accepted([], {})},
		))
		fx.codes(changed) == {sprintf("%s:deny", [code])}
	}
	every code in ["purl-case", "name-is-alias"] {
		said("strict", {}, [fx.lock_finding("bound_bytes", code, "node_modules/good")]) == {sprintf("%s:note", [code])}
	}
	said("default", {}, [fx.lock_finding("bound_bytes", "purl-version-differs", "node_modules/good")]) == {"purl-version-differs:deny"}
}
