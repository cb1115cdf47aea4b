package sbomgate.tests.trust_drift

import data.sbomgate.rules.trust_drift as rule
import data.sbomgate.tests.fixtures as fx

# What is said of `now`, where the approved build held `held`.
said(profile, now, held) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [now], {"baseline": fx.accepted(held, {})})
}

axios(version, changes) := fx.pkg("axios", version, changes)

attested(version) := axios(version, {"provenance": fx.built})

gates := ["default", "strict", "release"]

# A01, V01
test_lost_provenance_is_denied if {
	every profile in gates {
		said(profile, axios("1.14.1", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
		said(profile, axios("1.14.1", {"provenance": fx.attestation("not-applicable")}), [attested("1.14.0")]) == {"provenance-lost:deny"}
		said(profile, axios("1.14.1", {"provenance": fx.attestation("advertised-missing")}), [attested("1.14.0")]) == {"provenance-lost:deny"}
		said(profile, axios("1.14.1", {"provenance": fx.attestation("invalid")}), [attested("1.14.0")]) == {"provenance-lost:deny"}
	}
}

test_the_message if {
	found := rule.findings with input as fx.document("default", [axios("1.14.1", {})], {"baseline": fx.accepted([attested("1.14.0")], {})})
	[f.message | some f in found] == ["1.14.0 was built by axios/axios publish.yml on GitHub; 1.14.1 carries no provenance"]
}

# A02: the 0.x line by itself
test_each_line_is_measured_by_itself if {
	both := [attested("1.14.0"), attested("0.30.3")]
	said("default", axios("0.30.4", {}), both) == {"provenance-lost:deny"}
	said("default", axios("0.30.4", {}), [attested("1.14.0"), axios("0.30.3", {})]) == set()
}

# V03: semver 6.3.1 beside an attested 7.x
test_a_maintenance_line_that_never_was_attested_passes if {
	said("strict", axios("0.30.4", {}), [attested("1.14.0")]) == set()
	said("strict", fx.pkg("semver", "6.3.1", {}), [fx.pkg("semver", "7.6.0", {"provenance": fx.built})]) == set()
	said("strict", fx.pkg("semver", "6.3.1", {}), [
		fx.pkg("semver", "7.6.0", {"provenance": fx.built}), fx.pkg("semver", "6.3.0", {}),
	]) == set()
}

test_a_new_major_that_loses_it_is_denied if {
	said("default", axios("2.0.0", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
}

# V04, S10
test_stable_is_compared_with_stable if {
	said("strict", axios("2.0.0", {}), [attested("2.0.0-rc.1"), attested("1.14.0")]) == {"provenance-lost:deny"}
	said("strict", axios("2.0.0", {}), [attested("2.0.0-rc.1"), axios("1.14.0", {})]) == set()
	said("strict", axios("2.0.0-rc.2", {}), [attested("2.0.0-rc.1")]) == {"provenance-lost:deny"}
	said("strict", axios("1.15.0-rc.1", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
}

# V05: what was approved last counts, not all history.
test_the_last_approved_version_counts if said("strict", axios("1.14.2", {}), [axios("1.14.1", {})]) == set()

test_the_newest_older_one_counts if {
	said("strict", axios("1.14.2", {}), [axios("1.13.0", {}), attested("1.14.0")]) == {"provenance-lost:deny"}
	said("strict", axios("1.13.1", {}), [axios("1.13.0", {}), attested("1.14.0")]) == set()
	said("strict", axios("1.12.0", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
}

test_versions_that_are_no_semver_are_compared_all_the_same if {
	said("strict", axios("next", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
	said("strict", axios("1.14.1", {}), [attested("odd")]) == {"provenance-lost:deny"}
}

test_unknown_where_it_was_known if {
	every state in ["unreachable", "cannot-verify"] {
		every profile in gates {
			said(profile, axios("1.14.1", {"provenance": fx.attestation(state)}), [attested("1.14.0")]) == {"provenance-unknown:deny"}
		}
	}
}

test_unknown_before_is_no_promise if {
	said("strict", axios("1.14.1", {}), [axios("1.14.0", {"provenance": fx.attestation("unreachable")})]) == set()
}

drifted(changes) := said("default", axios("1.14.1", {"provenance": fx.built_with(changes)}), [attested("1.14.0")])

# V02, V14, V17, V18, T15
test_another_builder if {
	drifted({}) == set()
	drifted({"ref": "refs/tags/v1.14.1"}) == set()
	drifted({"repository": "https://github.com/evil/axios", "repository_id": "666"}) == {"repository-changed:deny"}
	drifted({"repository": "https://gitlab.com/axios/axios"}) == {"repository-changed:deny"} # its number there is another's
	drifted({"workflow": ".github/workflows/bundle-size.yml"}) == {"workflow-changed:deny"}
	drifted({"ref": "refs/heads/main"}) == {"ref-kind-changed:deny"}
	drifted({"ref": null}) == {"ref-kind-changed:deny"}
	drifted({"trigger": "workflow_dispatch"}) == {"trigger-changed:deny"}
	drifted({"issuer": "https://gitlab.com"}) == {"issuer-changed:deny"}
	drifted({"runner": "self-hosted"}) == {"runner-changed:deny"}
	drifted({"repository_id": null, "repository": "https://github.com/evil/axios"}) == {"repository-changed:deny"}
	drifted({"repository_id": null}) == set()
	drifted({"repository_id": null, "owner_id": "666"}) == {"repository-changed:deny"}
}

# V21
test_a_renamed_repository_is_a_note if {
	drifted({"repository": "https://github.com/axios-http/axios", "owner": "https://github.com/axios-http", "owner_id": "9"}) == {"repository-renamed:note", "repository-transferred:note"}
	drifted({"owner_id": "9"}) == {"repository-transferred:note"}
}

# V25: what the predicate's version is, the verifier knows; the rule sees the same claims.
test_publishers if {
	trusted := axios("1.14.0", {"trusted_publisher": "github"})
	said("default", axios("1.14.1", {}), [trusted]) == {"trusted-publisher-lost:deny"}
	said("default", axios("1.14.1", {"trusted_publisher": "github"}), [trusted]) == set()
	said("default", axios("1.14.1", {"publisher": "mallory"}), [axios("1.14.0", {})]) == {"publisher-changed:warn"}
	said("strict", axios("1.14.1", {"publisher": "mallory"}), [axios("1.14.0", {})]) == {"publisher-changed:deny"}
	said("default", axios("1.14.1", {"publisher": null}), [axios("1.14.0", {})]) == {"publisher-unknown:warn"}
	said("strict", axios("1.14.1", {"publisher": null}), [axios("1.14.0", {})]) == {"publisher-unknown:deny"}
	said("strict", axios("1.14.1", {"trusted_publisher": "github", "publisher": "bot"}), [axios("1.14.0", {})]) == set()
}

test_without_a_baseline_nothing_drifts if {
	fx.codes(rule.findings) == set() with input as fx.document("strict", [axios("1.14.1", {})], {})
}

test_unchanged_does_not_drift if said("strict", attested("1.14.0"), [attested("1.14.0")]) == set()

# The same version with other bytes is a change.
test_other_bytes_of_the_same_version if {
	said("default", axios("1.14.0", {"integrity": "sha512-other"}), [attested("1.14.0")]) == {"provenance-lost:deny"}
}

test_what_was_not_attested_promises_nothing if {
	said("strict", axios("1.14.1", {"provenance": fx.attestation("unreachable")}), [axios("1.14.0", {})]) == set()
	said("strict", attested("1.14.1"), [axios("1.14.0", {})]) == set()
}

test_two_builds_without_ids_are_compared_by_address if {
	before := axios("1.14.0", {"provenance": fx.built_with({"repository_id": null})})
	other := axios("1.14.1", {"provenance": fx.built_with({"repository_id": null, "repository": "https://github.com/x/y"})})
	said("default", other, [before]) == {"repository-changed:deny"}
}

test_publishers_that_are_not_known if {
	trusted := axios("1.14.0", {"trusted_publisher": "github"})
	said("default", axios("1.14.1", {"publisher": null}), [trusted]) == {"publisher-unknown:warn"}
	said("default", axios("1.14.1", {"publisher": "mallory"}), [trusted]) == {"trusted-publisher-lost:deny"}
	said("default", axios("1.14.1", {}), [axios("1.14.0", {"publisher": null})]) == set()
	said("default", axios("1.14.1", {"publisher": null}), [axios("1.14.0", {"publisher": null})]) == set()
}

# --- the package's own earlier releases

# What is said of `now`, where the approved build held `held` and the registry's history has `before`.
measured(profile, now, held, before) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [now], {
		"baseline": fx.accepted(held, {}),
		"earlier": {now.id: fx.preceded_by([fx.release(one) | some one in before])},
	})
}

first_run(profile, now, before) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [now], {"earlier": {now.id: fx.preceded_by([fx.release(one) | some one in before])}})
}

fresh(version, changes) := axios(version, object.union({"publish": fx.published(fx.yesterday)}, changes))

# A01 for a project that skipped versions, or never used the package.
test_lost_against_its_own_history if {
	every profile in gates {
		measured(profile, fresh("1.14.1", {}), [axios("1.9.0", {})], [attested("1.14.0")]) == {"provenance-lost:deny"}
		measured(profile, fresh("1.14.1", {}), [fx.pkg("other", "1.0.0", {})], [attested("1.14.0")]) == {"provenance-lost:deny"}
	}
}

test_the_message_names_the_earlier_release if {
	found := rule.findings with input as fx.document("default", [fresh("1.14.1", {})], {
		"baseline": fx.accepted([axios("1.9.0", {})], {}),
		"earlier": {"node_modules/axios": fx.preceded_by([fx.release(attested("1.14.0"))])},
	})
	[f.message | some f in found] == ["1.14.0, released before it, was built by axios/axios publish.yml on GitHub; 1.14.1 carries no provenance"]
}

# What has been out for long is a debt under `default`: others have looked at it.
test_an_old_release_that_differs_from_its_history_warns if {
	measured("default", axios("1.14.1", {}), [axios("1.9.0", {})], [attested("1.14.0")]) == {"provenance-lost:warn"}
	measured("strict", axios("1.14.1", {}), [axios("1.9.0", {})], [attested("1.14.0")]) == {"provenance-lost:deny"}
	measured("default", axios("1.14.1", {"publish": fx.unknown_time}), [axios("1.9.0", {})], [attested("1.14.0")]) == {"provenance-lost:deny"}
}

test_without_the_parameter_nothing_is_old if {
	found := rule.findings with input as fx.document("default", [axios("1.14.1", {})], {
		"parameters": {"trust_drift": {"history_days": null}},
		"baseline": fx.accepted([axios("1.9.0", {})], {}),
		"earlier": {"node_modules/axios": fx.preceded_by([fx.release(attested("1.14.0"))])},
	})
	fx.codes(found) == {"provenance-lost:deny"}
}

# V05: what was approved since then counts, not what was before it.
test_an_approval_settles_what_was_before_it if {
	measured("strict", fresh("1.14.2", {}), [axios("1.14.1", {})], [axios("1.14.1", {}), attested("1.14.0")]) == set()
	measured("strict", fresh("1.14.3", {}), [axios("1.14.1", {})], [attested("1.14.2")]) == {"provenance-lost:deny"}
	measured("strict", fresh("1.14.3", {}), [axios("0.30.1", {})], [attested("1.14.2")]) == {"provenance-lost:deny"}
	measured("strict", fresh("1.14.3", {}), [axios("1.15.0", {})], [attested("1.14.2")]) == {"provenance-lost:deny"}
	measured("strict", fresh("2.0.0", {}), [axios("1.15.0-rc.1", {})], [attested("1.14.2")]) == {"provenance-lost:deny"}
	measured("strict", fresh("1.14.3", {}), [axios("odd", {})], [attested("1.14.2")]) == {"provenance-lost:deny"}
}

# V03
test_a_line_that_never_was_attested_passes_by_its_history if {
	measured("strict", fresh("0.30.4", {}), [fx.pkg("other", "1.0.0", {})], [axios("0.30.3", {})]) == set()
}

# V04: an approved prerelease counts only where there is no stable release to compare with.
test_an_approved_candidate if {
	measured("strict", axios("2.0.0", {}), [attested("2.0.0-rc.1")], [axios("1.14.0", {})]) == set()
	measured("strict", axios("2.0.0", {}), [attested("2.0.0-rc.1")], []) == {"provenance-lost:deny"}
	measured("default", axios("2.0.0", {}), [attested("2.0.0-rc.1")], []) == {"provenance-lost:deny"}
	measured("strict", axios("2.0.0", {}), [axios("2.0.0-rc.1", {})], []) == set()
	measured("strict", fresh("2.0.0", {}), [attested("2.0.0-rc.1")], [attested("1.14.0")]) == {"provenance-lost:deny"}
}

# The approved one speaks first, and nothing is said twice.
test_one_finding_for_each_code if {
	found := rule.findings with input as fx.document("default", [fresh("1.14.2", {})], {
		"baseline": fx.accepted([attested("1.13.0")], {}),
		"earlier": {"node_modules/axios": fx.preceded_by([fx.release(attested("1.14.1")), fx.release(attested("1.14.0"))])},
	})
	[f.message | some f in found] == ["1.13.0 was built by axios/axios publish.yml on GitHub; 1.14.2 carries no provenance"]
}

test_the_second_of_two_evil_releases if {
	measured("default", fresh("1.14.2", {}), [axios("1.9.0", {})], [axios("1.14.1", {}), attested("1.14.0")]) == {"provenance-lost:deny"}
}

test_the_first_run_looks_at_what_was_asked if {
	first_run("default", fresh("1.14.1", {}), [attested("1.14.0")]) == {"provenance-lost:deny"}
	first_run("default", fresh("1.14.1", {}), [axios("1.14.0", {"publisher": "mallory"})]) == {"publisher-changed:warn"}
	first_run("strict", fresh("1.14.1", {}), [axios("1.14.0", {"publisher": "mallory"})]) == {"publisher-changed:deny"}
	first_run("strict", fresh("1.14.1", {}), []) == set()
	fx.codes(rule.findings) == set() with input as fx.document("strict", [axios("1.14.1", {})], {"earlier": {}})
}

unknown_history(profile, now, changes) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [now], object.union({"baseline": fx.accepted([axios("1.9.0", {})], {})}, changes))
}

test_earlier_releases_that_are_not_known if {
	every profile in gates {
		unknown_history(profile, axios("1.14.1", {}), {"earlier": {"node_modules/axios": {"unknown": "unreachable"}}}) == {"earlier-unknown:deny"}
	}
	gone := fx.release(axios("1.14.0", {"provenance": fx.attestation("unreachable")}))
	every profile in gates {
		unknown_history(profile, axios("1.14.1", {}), {"earlier": {"node_modules/axios": fx.preceded_by([gone])}}) == {"earlier-unknown:deny"}
	}
	mirrored := object.union(gone, {"advertised": false})
	unknown_history("strict", axios("1.14.1", {}), {"earlier": {"node_modules/axios": fx.preceded_by([mirrored])}}) == set()
}

test_nobody_asked if {
	document := json.remove(
		fx.document("default", [axios("1.14.1", {})], {"baseline": fx.accepted([axios("1.9.0", {})], {})}),
		["/earlier/node_modules~1axios"],
	)
	fx.codes(rule.findings) == {"earlier-unknown:deny"} with input as document
	own := object.union(document, fx.trusting({"first_party": ["axios"]}))
	fx.codes(rule.findings) == set() with input as own
}

test_the_first_run_with_a_history_out_of_reach if {
	gone := fx.release(axios("1.14.0", {"provenance": fx.attestation("advertised-missing")}))
	told := {"earlier": {"node_modules/axios": fx.preceded_by([gone])}}
	fx.codes(rule.findings) == set() with input as fx.document("default", [axios("1.14.1", {})], told)
	fx.codes(rule.findings) == {"earlier-unknown:deny"} with input as fx.document("strict", [axios("1.14.1", {})], told)
}

# T15
kept_by(names) := {"node_modules/axios": {"unknown": "", "maintainers": names, "releases": [object.union(
	fx.release(axios("1.14.0", {})),
	{"maintainers": ["ann", "bob"]},
)]}}

test_maintainers if {
	unknown_history("default", axios("1.14.1", {}), {"earlier": kept_by(["ann", "mallory"])}) == {"maintainers-changed:warn"}
	unknown_history("strict", axios("1.14.1", {}), {"earlier": kept_by(["ann", "mallory"])}) == {"maintainers-changed:deny"}
	unknown_history("strict", axios("1.14.1", {}), {"earlier": kept_by(["bob", "ann"])}) == set()
	unknown_history("strict", axios("1.14.1", {}), {"earlier": kept_by([])}) == set()
}

test_maintainers_since_the_approved_build if {
	before := fx.accepted([axios("1.14.0", {})], {})
	told := object.union(before, {"packages": {"axios": [object.union(before.packages.axios[0], {"maintainers": ["ann"]})]}})
	document := fx.document("strict", [axios("1.14.1", {})], {
		"baseline": told,
		"earlier": {"node_modules/axios": {"maintainers": ["mallory"]}},
	})
	fx.codes(rule.findings) == {"maintainers-changed:deny"} with input as document
}
