package sbomgate.tests.artefact_link

import data.sbomgate.rules.artefact_link as rule
import data.sbomgate.tests.fixtures as fx

tree := {
	"link": "installed", "material": fx.hex, "packages": 3, "bytes": 3, "absent": 0, "elsewhere": 0, "bundled": 0,
	"files": 9, "counts": {}, "problems": [], "holds": true,
}

build := {
	"material": fx.hex, "state": "verified", "reason": "built by us", "builder": "us", "builder_id": "https://b.example",
	"identity": "https://b.example/x", "repository": "https://example.test/shop", "commit": "aa", "ref": "refs/heads/main",
}

ties(changes) := {"ties": object.union({"installed": null, "contained": null, "provenance": null}, changes)}

found(profile, changes) := findings if {
	findings := rule.findings with input as fx.document(profile, [fx.pkg("x", "1.0.0", {})], ties(changes))
}

said(profile, changes) := fx.codes(found(profile, changes))

problem(code) := {"code": code, "place": "node_modules/evil", "package": null, "message": "evil 1.0.0"}

with_problem(code) := object.union(tree, {"counts": {code: 1}, "problems": [problem(code)], "holds": false})

# P13
test_nothing_was_compared if {
	rule.findings == set() with input as fx.document("release", [], {"ties": null})
	said("release", {}) == set()
}

test_everything_holds if said("release", {"installed": tree, "contained": tree, "provenance": build}) == set()

test_what_is_not_the_lockfiles_denies_in_every_profile if {
	every code in ["altered", "extra", "missing", "link-elsewhere", "special"] {
		every profile in ["default", "strict", "release"] {
			said(profile, {"installed": with_problem(code)}) == {sprintf("%s:deny", [code])}
		}
	}
}

test_what_may_be_explained if {
	every code in ["script-changed", "bundled-unlisted", "entry", "stray"] {
		said("default", {"contained": with_problem(code)}) == {sprintf("%s:warn", [code])}
		said("release", {"contained": with_problem(code)}) == {sprintf("%s:deny", [code])}
	}
	every code in ["development", "outside", "loader"] {
		said("release", {"contained": with_problem(code)}) == {sprintf("%s:warn", [code])}
	}
	every code in ["script-made", "shim"] {
		said("release", {"installed": with_problem(code)}) == {sprintf("%s:note", [code])}
	}
}

# A code that this policy does not know is no reason to allow.
test_an_unknown_code_denies if said("default", {"installed": with_problem("new-code")}) == {"new-code:deny"}

test_both_levels_are_told if {
	names := object.union(tree, {"bytes": 0})
	said("default", {"installed": names}) == {"names-only:note"}
	said("strict", {"installed": names}) == {"names-only:warn"}
	said("release", {"installed": names}) == {"names-only:deny"}
	partly := object.union(tree, {"bytes": 2})
	said("default", {"installed": partly}) == {"bytes-partly:note"}
	said("release", {"contained": partly}) == {"bytes-partly:warn"}
}

test_an_altered_package_is_not_waivable if {
	[f.waivable | some f in found("default", {"installed": with_problem("altered")})] == [false]
	[f.waivable | some f in found("default", {"installed": with_problem("extra")})] == [true]
}

test_the_message_names_places_and_counts if {
	many := object.union(with_problem("extra"), {"counts": {"extra": 9}, "problems": [p | some _ in numbers.range(1, 9); p := problem("extra")]})
	[f.message | some f in found("default", {"installed": many})] == [concat("", [
		"the installed tree: extra (9): ", concat("; ", [s | some _ in numbers.range(1, 5); s := "node_modules/evil: evil 1.0.0"]), "; and 4 more",
	])]
}

test_other_problems_are_another_finding if {
	other := object.union(with_problem("extra"), {"problems": [object.union(problem("extra"), {"place": "node_modules/other"})]})
	prints := {f.fingerprint | some one in [with_problem("extra"), other]; some f in found("default", {"installed": one})}
	count(prints) == 2
}

# P7
test_provenance if {
	every profile in ["default", "strict", "release"] {
		said(profile, {"provenance": object.union(build, {"state": "invalid"})}) == {"provenance-invalid:deny"}
		said(profile, {"provenance": object.union(build, {"state": "cannot-verify"})}) == {"provenance-unverifiable:deny"}
		said(profile, {"provenance": object.union(build, {"state": "of tomorrow"})}) == {"provenance-unverifiable:deny"}
	}
	[f.waivable | some f in found("default", {"provenance": object.union(build, {"state": "invalid"})})] == [false]
}
