package sbomgate.tests.known_malicious

import data.sbomgate.rules.known_malicious as rule
import data.sbomgate.tests.fixtures as fx

said(profile, p) := fx.codes(f) if f := rule.findings with input as fx.document(profile, [p], {})

evil(changes) := fx.pkg("axios", "1.14.1", object.union({"malicious": ["MAL-2026-2307"]}, changes))

# A01, A02, A03, A05, A08
test_listed_is_denied_everywhere if {
	every profile in ["observe", "default", "strict", "release"] {
		said(profile, evil({})) == {"listed:deny"}
		said(profile, evil({"alias": "http", "id": "node_modules/a/node_modules/http"})) == {"listed:deny"}
		said(profile, evil({"kind": "git"})) == {"listed:deny"}
	}
}

test_first_party_registry_packages_are_not_exempt if {
	found := rule.findings with input as fx.document("default", [evil({})], fx.trusting({"first_party": ["axios"]}))
	fx.codes(found) == {"listed:deny"}
}

test_never_waivable_nor_excluded if {
	found := rule.findings with input as fx.document("default", [evil({})], fx.trusting({"exclusions": [{
		"rule": "known_malicious", "name": "axios", "version": "1.14.1", "integrity": fx.integrity("axios", "1.14.1"),
		"reason": "because", "until": null,
	}]}))
	{[f.level, f.waivable] | some f in found} == {["deny", false]}
}

# L30
test_workspaces_and_links_are_never_matched if {
	said("strict", evil({"kind": "workspace"})) == set()
	said("strict", evil({"kind": "link"})) == set()
}

test_other_versions_listed_is_a_note if {
	said("strict", fx.pkg("axios", "1.14.0", {"malicious_name": ["MAL-2026-2307"]})) == {"other-versions-listed:note"}
}

test_unlisted_passes if said("strict", fx.pkg("axios", "1.14.0", {})) == set()

test_listed_is_found_although_every_fact_is_missing if {
	said("default", evil({"publish": fx.unknown_time, "scripts": fx.unknown_scripts, "integrity": null})) == {"listed:deny"}
}
