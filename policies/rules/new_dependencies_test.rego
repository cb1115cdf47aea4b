package sbomgate.tests.new_dependencies

import data.sbomgate.rules.new_dependencies as rule
import data.sbomgate.tests.fixtures as fx

axios(version) := fx.pkg("axios", version, {})

fresh := {"publish": {"time": fx.yesterday, "source": "registry", "reason": "", "first": fx.yesterday}}

dropper(changes) := fx.pkg("plain-crypto-js", "4.2.1", object.union({"direct": false}, changes))

held := fx.accepted([axios("1.14.0")], {"": ["axios"], "axios": ["follow-redirects"]})

# axios at `version` depends on `dep`, against a baseline that held axios 1.14.0 alone.
update(profile, version, dep) := f if {
	f := rule.findings with input as fx.document(profile, [axios(version), dep], {
		"baseline": held,
		"edges": {"": ["node_modules/axios"], "node_modules/axios": [dep.id]},
	})
}

gates := ["default", "strict", "release"]

# A01, A03, A04: with no list at all
test_the_dropper_is_denied_on_the_first_day if {
	every profile in gates {
		found := update(profile, "1.14.1", dropper(fresh))
		fx.about(found, "node_modules/plain-crypto-js") == {"young-package:deny"}
		fx.about(found, "node_modules/axios") == {"update-brings-new:deny"}
	}
	found := update("default", "1.14.1", dropper(fresh))
	"brings in plain-crypto-js 4.2.1, first published 19 h ago, never used here before" in {f.message | some f in found}
}

# A04: the clean bait, alone
test_a_young_package_is_denied_without_a_baseline_too if {
	every profile in gates {
		found := rule.findings with input as fx.document(profile, [dropper(fresh)], {})
		"young-package:deny" in fx.codes(found)
	}
}

test_a_package_in_use_may_be_young if {
	kept := dropper(fresh)
	found := rule.findings with input as fx.document("default", [kept], {"baseline": fx.accepted([kept], {"": ["plain-crypto-js"]})})
	found == set()
}

# V06, and the missing field
test_a_new_name_of_unknown_age if {
	every profile in gates {
		found := update(profile, "1.15.0", dropper({"publish": fx.unknown_time}))
		"first-release-unknown:deny" in fx.about(found, "node_modules/plain-crypto-js")
		fx.about(found, "node_modules/axios") == {"update-brings-new:deny"}
	}
	found := rule.findings with input as fx.document("default", [dropper({"publish": fx.unknown_time})], {})
	fx.codes(found) == {"no-baseline:note"}
}

test_an_old_plain_dependency_of_a_minor_release_warns if {
	fx.codes(update("default", "1.15.0", dropper({}))) == {"new-package:warn", "update-brings-new:warn"}
	fx.codes(update("strict", "1.15.0", dropper({}))) == {"new-package:deny", "update-brings-new:deny"}
}

# A dropper that waited out the age limit: a patch release has no business to bring it in.
test_a_patch_release_brings_in_attested_packages_only if {
	fx.about(update("default", "1.14.1", dropper({})), "node_modules/axios") == {"update-brings-new:deny"}
	fx.about(update("default", "1.14.1", dropper({"provenance": fx.built})), "node_modules/axios") == {"update-brings-new:warn"}
}

test_a_scripted_or_young_version_is_never_plain if {
	every changes in [
		{"scripts": fx.postinstall("node setup.js")}, {"scripts": fx.unknown_scripts}, {"publish": fx.published(fx.yesterday)},
		{"publish": object.union(fx.published(fx.old), {"time": null})},
	] {
		fx.about(update("default", "1.15.0", dropper(changes)), "node_modules/axios") == {"update-brings-new:deny"}
	}
}

test_what_a_developer_adds_warns if {
	added := fx.pkg("left-pad", "1.3.0", {})
	found := rule.findings with input as fx.document("default", [axios("1.14.0"), added], {"baseline": held})
	fx.codes(found) == {"new-package:warn"}
	strictly := rule.findings with input as fx.document("strict", [axios("1.14.0"), added], {"baseline": held})
	fx.codes(strictly) == {"new-package:deny"}
}

# A30
test_lookalikes if {
	imitation := fx.pkg("expres", "1.0.0", {"similar": ["express"]})
	found := rule.findings with input as fx.document("default", [axios("1.14.0"), imitation], {"baseline": held})
	fx.codes(found) == {"lookalike:warn", "new-package:warn"}
	strictly := rule.findings with input as fx.document("strict", [axios("1.14.0"), imitation], {"baseline": held})
	"lookalike:deny" in fx.codes(strictly)
}

# T20
test_no_baseline_is_one_finding if {
	many := [fx.pkg(sprintf("p%d", [n]), "1.0.0", {}) | some n in numbers.range(1, 50)]
	levels := {"observe": "note", "default": "note", "strict": "warn", "release": "deny"}
	every profile, level in levels {
		found := rule.findings with input as fx.document(profile, many, {})
		[sprintf("%s:%s", [f.code, f.level]) | some f in found] == [sprintf("no-baseline:%s", [level])]
	}
}

# T23
test_a_new_edge_between_known_packages if {
	known := fx.pkg("crypto-js", "4.2.0", {"direct": false})
	baseline := fx.accepted([axios("1.14.0"), known], {"": ["axios"], "axios": []})
	edges := {"": ["node_modules/axios"], "node_modules/axios": [known.id]}
	found := rule.findings with input as fx.document("default", [axios("1.14.1"), known], {"baseline": baseline, "edges": edges})
	fx.about(found, "node_modules/axios") == {"new-edge:warn"}
	strictly := rule.findings with input as fx.document("strict", [axios("1.14.1"), known], {"baseline": baseline, "edges": edges})
	fx.codes(strictly) == {"new-edge:deny"}
	moved := rule.findings with input as fx.document("default", [axios("1.14.0"), known], {
		"baseline": baseline, "edges": {"": [known.id]},
	})
	fx.codes(moved) == {"new-edge:warn"}
}

# An alias is its target: the edge's key is only what the code calls it.
test_edges_are_by_real_names if {
	aliased := fx.pkg("follow-redirects", "1.0.0", {"id": "node_modules/other", "alias": "other", "direct": false})
	baseline := fx.accepted([axios("1.14.0"), aliased], {"": ["axios"], "axios": ["follow-redirects"]})
	found := rule.findings with input as fx.document("strict", [axios("1.14.1"), aliased], {
		"baseline": baseline,
		"edges": {"": ["node_modules/axios"], "node_modules/axios": ["node_modules/other"]},
	})
	found == set()
}

test_workspaces_are_not_new if {
	own := fx.pkg("own", "1.0.0", {"id": "packages/own", "kind": "workspace"})
	found := rule.findings with input as fx.document("strict", [axios("1.14.0"), own], {"baseline": held, "edges": {"": ["packages/own"]}})
	found == set()
}

test_unchanged_passes if {
	found := rule.findings with input as fx.document("release", [axios("1.14.0")], {"baseline": held})
	found == set()
}

test_a_new_name_counts_although_its_version_is_old if {
	odd := dropper({"publish": {"time": fx.old, "source": "registry", "reason": "", "first": fx.yesterday}})
	fx.about(update("default", "1.15.0", odd), "node_modules/axios") == {"update-brings-new:deny"}
}

test_edges_of_new_packages_are_not_said_twice if {
	fresh_parent := fx.pkg("newcomer", "1.0.0", {})
	found := rule.findings with input as fx.document("default", [axios("1.14.0"), fresh_parent], {
		"baseline": held,
		"edges": {"": [], "node_modules/newcomer": ["node_modules/axios"]},
	})
	fx.codes(found) == {"new-package:warn"}
}

# T23: an entry that did not change otherwise
test_an_edge_written_into_an_unchanged_entry if {
	p := axios("1.14.0")
	known := fx.pkg("crypto-js", "4.2.0", {})
	baseline := fx.accepted([p, known], {"": ["axios", "crypto-js"], "axios": []})
	edges := {"node_modules/axios": [known.id]}
	told := {"baseline": baseline, "edges": edges}
	fx.codes(rule.findings) == {"new-edge:warn"} with input as fx.document("default", [p, known], told)
	fx.codes(rule.findings) == {"new-edge:deny"} with input as fx.document("strict", [p, known], told)
	settled := {"baseline": fx.accepted([p, known], {"": ["axios", "crypto-js"], "axios": ["crypto-js"]}), "edges": edges}
	fx.codes(rule.findings) == set() with input as fx.document("strict", [p, known], settled)
}
