package sbomgate.tests.approved_changes

import data.sbomgate.rules.approved_changes as rule
import data.sbomgate.tests.fixtures as fx

was := fx.pkg("axios", "1.14.0", {})

now := fx.pkg("axios", "1.14.1", {})

other := fx.pkg("left-pad", "1.3.0", {})

soon := {"parameters": {"approved_changes": {"ends_soon_days": 14}}}

found(profile, packages, changes) := r if {
	r := rule.findings with input as fx.document(profile, packages, object.union(soon, changes))
}

test_what_is_unchanged_passes if {
	found("release", [was], {"baseline": fx.accepted([was], {"": ["axios"]})}) == set()
}

test_without_a_baseline_nothing_is_a_change if found("release", [now], {}) == set()

test_a_changed_package_needs_an_approval if {
	baseline := {"baseline": fx.accepted([was], {"": ["axios"]})}
	fx.codes(found("default", [now], baseline)) == {"package:note"}
	fx.codes(found("strict", [now], baseline)) == {"package:warn"}
	fx.codes(found("release", [now], baseline)) == {"package:deny"}
}

test_other_bytes_of_one_version_are_a_change if {
	bytes := fx.pkg("axios", "1.14.0", {"integrity": "sha512-other"})
	fx.codes(found("release", [bytes], {"baseline": fx.accepted([was], {"": ["axios"]})})) == {"package:deny"}
}

test_a_new_edge_of_the_project_itself_is_a_change if {
	fx.codes(found("release", [was, other], {"baseline": fx.accepted([was, other], {"": ["axios"]})})) == {"edge:deny"}
}

# T23: both packages were there, and no byte of either changed.
test_an_edge_written_into_an_unchanged_entry_is_a_change if {
	deep := fx.pkg("follow", "1.0.0", {"flags": []})
	lists := {"baseline": fx.accepted([was, deep], {"": ["axios"], "axios": []}), "edges": {"": [was.id], was.id: [deep.id]}}
	fx.codes(found("default", [was, deep], lists)) == {"rewired:note"}
	fx.codes(found("strict", [was, deep], lists)) == {"rewired:warn"}
	fx.codes(found("release", [was, deep], lists)) == {"rewired:deny"}
	held := {"baseline": fx.accepted([was, deep], {"": ["axios"], "axios": ["follow"]}), "edges": {"": [was.id], was.id: [deep.id]}}
	found("release", [was, deep], held) == set()
}

test_changed_settings_are_a_change if {
	changes := {"baseline": fx.accepted([was], {"": ["axios"]}), "manager": {"registry": "https://npm.example.test/"}}
	fx.codes(found("release", [was], changes)) == {"settings:deny"}
}

signed(until) := {"waivers": [{
	"id": "w1", "rule": "release_age", "name": "axios", "version": "1.14.0", "integrity": "x", "fingerprint": null,
	"project": "https://example.test/shop", "until": until, "reason": "r", "advisory": null, "by": "ann",
}]}

test_what_ends_soon_is_said if {
	fx.codes(found("default", [was], signed("2026-11-28T12:00:00Z"))) == {"waiver-ends-soon:note"}
	found("default", [was], signed("2027-01-28T12:00:00Z")) == set()
}

# P29
test_what_has_ended_is_as_none if found("default", [was], signed(fx.now)) == set()

# W06, W11
test_what_does_not_count_is_said if {
	refused := {"refused_waivers": [{"name": "axios.sigstore.json", "reason": "signed by a key that nobody accepts"}]}
	fx.codes(found("default", [was], refused)) == {"waiver-refused:warn"}
}
