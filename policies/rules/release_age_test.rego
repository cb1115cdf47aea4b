package sbomgate.tests.release_age

import data.sbomgate.rules.release_age as rule
import data.sbomgate.tests.fixtures as fx

aged(publish) := fx.pkg("axios", "1.14.1", {"publish": publish})

said(profile, publish, changes) := fx.codes(f) if f := rule.findings with input as fx.document(profile, [aged(publish)], changes)

waits(hours) := {"parameters": {"release_age": {"minimum_age_hours": hours}}}

# T01, V23
test_young_is_denied_in_every_profile if {
	every profile in ["observe", "default", "strict", "release"] {
		said(profile, fx.published(fx.two_hours_ago), {}) == {"too-young:deny"}
	}
	said("default", fx.published(fx.two_hours_ago), {"baseline": fx.accepted([aged(fx.published(fx.two_hours_ago))], {})}) == {"too-young:deny"}
}

# P15
test_provenance_does_not_make_it_older if {
	found := rule.findings with input as fx.document(
		"default", [fx.pkg("a", "1.0.0", {
			"publish": object.union(fx.published(fx.two_hours_ago), {"source": "attestation"}),
			"provenance": fx.built, "publish_attestation": object.union(fx.built, {"claims": null}),
		})],
		{},
	)
	fx.codes(found) == {"too-young:deny"}
}

test_the_limit_is_exact if {
	said("default", fx.published("2026-11-17T12:00:00Z"), {}) == set()
	said("default", fx.published("2026-11-17T12:00:00.5Z"), {}) == {"too-young:deny"}
	said("default", fx.published("2026-11-17T12:00:01Z"), {}) == {"too-young:deny"}
	said("default", fx.published("2026-11-20T12:00:00Z"), waits(0)) == set()
	said("default", fx.published("2026-11-15T12:00:00Z"), waits(168)) == {"too-young:deny"}
}

# T02
test_a_missing_time if {
	said("default", fx.unknown_time, {}) == set()
	said("default", fx.unknown_time, {"baseline": fx.accepted([aged(fx.unknown_time)], {})}) == set()
	said("default", fx.unknown_time, {"baseline": fx.accepted([], {})}) == {"age-unknown:deny"}
	said("strict", fx.unknown_time, {}) == {"age-unknown:deny"}
	said("release", fx.unknown_time, {}) == {"age-unknown:deny"}
}

test_a_time_in_the_future_is_denied if {
	every profile in ["default", "strict"] {
		"time-in-future:deny" in said(profile, fx.published("2026-11-20T12:00:01Z"), {})
	}
}

# T05: the later time was used, and it is old enough.
test_contradictory_times if {
	contradiction := object.union(fx.published(fx.old), {"reason": "the registry says 2024, the log 2025"})
	said("default", contradiction, {}) == {"times-contradict:warn"}
	said("default", contradiction, {"baseline": fx.accepted([], {})}) == {"times-contradict:deny"}
	said("strict", contradiction, {}) == {"times-contradict:deny"}
}

# T08
test_an_exclusion_binds_version_and_integrity if {
	young := fx.published(fx.two_hours_ago)
	exclusion := {
		"rule": "release_age", "name": "axios", "version": "1.14.1", "integrity": fx.integrity("axios", "1.14.1"),
		"reason": "GHSA-1", "until": "2026-12-01T00:00:00Z",
	}
	said("strict", young, fx.trusting({"exclusions": [exclusion]})) == {"too-young:note"}
	every changes in [
		{"version": "1.14.2"}, {"integrity": "sha512-x"}, {"name": "axio"}, {"rule": "provenance"},
		{"until": fx.now}, {"until": "2026-01-01T00:00:00Z"},
	] {
		said("strict", young, fx.trusting({"exclusions": [object.union(exclusion, changes)]})) == {"too-young:deny"}
	}
}

# C09
test_first_party_has_no_public_times if {
	own := fx.pkg("@acme/a", "1.0.0", {"publish": fx.unknown_time})
	fx.codes(rule.findings) == set() with input as fx.document("strict", [own], fx.trusting({"first_party": ["@acme"]}))
	fx.codes(rule.findings) == set() with input as fx.document("strict", [own], fx.trusting({"first_party": ["@acme/a"]}))
	fx.codes(rule.findings) == {"age-unknown:deny"} with input as fx.document("strict", [own], fx.trusting({"first_party": ["@acm"]}))
}

test_what_no_registry_serves_has_no_age if {
	every kind in ["git", "tarball", "file", "bundled", "workspace", "link"] {
		fx.codes(rule.findings) == set() with input as fx.document("strict", [object.union(aged(fx.unknown_time), {"kind": kind})], {})
	}
	fx.codes(rule.findings) == {"age-unknown:deny"} with input as fx.document("strict", [object.union(aged(fx.unknown_time), {"kind": "unknown"})], {})
}

test_the_message if {
	found := rule.findings with input as fx.document("default", [aged(fx.published(fx.two_hours_ago))], {})
	[f.message | some f in found] == ["published 2 h ago by the registry's word; this project waits 3 days"]
}

of_age(name, hours, flags, settings) := fx.codes(f) if {
	at := time.format([time.parse_rfc3339_ns(fx.now) - (hours * 3600000000000), "UTC", "2006-01-02T15:04:05Z07:00"])
	p := fx.pkg(name, "1.0.0", {"publish": fx.published(at), "flags": flags})
	f := rule.findings with input as fx.document("strict", [p], {"parameters": {"release_age": settings}})
}

by_name := {"packages": {"*": 100, "@acme/*": 10, "@acme/ui-*": 200, "@acme/ui-kit": 5, "react": 400}}

test_the_longest_name_that_fits_says_how_long if {
	every name, waits in {"left-pad": 100, "@acme/a": 10, "@acme/ui-x": 200, "@acme/ui-kit": 5, "@acme/ui-kits": 200, "react": 400, "react-dom": 100} {
		of_age(name, waits - 1, [], by_name) == {"too-young:deny"}
		of_age(name, waits, [], by_name) == set()
	}
}

test_names_count_instead_of_the_rest if {
	of_age("react", 50, ["direct"], {"packages": {"react": 24}, "direct_age_hours": 168}) == set()
	of_age("react-dom", 100, ["direct"], {"packages": {"react": 24}, "direct_age_hours": 168}) == {"too-young:deny"}
}

test_direct_and_transitive if {
	of_age("a", 100, ["direct"], {"direct_age_hours": 168}) == {"too-young:deny"}
	of_age("a", 100, [], {"direct_age_hours": 168}) == set()
	of_age("a", 100, ["direct"], {"transitive_age_hours": 168}) == set()
	of_age("a", 100, [], {"transitive_age_hours": 168}) == {"too-young:deny"}

	# what is shorter than the general age changes nothing
	of_age("a", 50, ["direct"], {"direct_age_hours": 24}) == {"too-young:deny"}
}

test_without_one_of_the_parameters_everything_is_young if {
	document := fx.document("strict", [fx.pkg("axios", "1.14.1", {"publish": fx.published(fx.old), "flags": []})], {})
	every missing in ["minimum_age_hours", "transitive_age_hours", "packages"] {
		found := rule.findings with input as json.remove(document, [concat("/", ["parameters/release_age", missing])])
		fx.codes(found) == {"too-young:deny"}
	}
}

test_the_message_says_how_long_this_one_waits if {
	found := rule.findings with input as fx.document("default", [aged(fx.published(fx.two_hours_ago))], {"parameters": {"release_age": {"packages": {"ax*": 24}}}})
	[f.message | some f in found] == ["published 2 h ago by the registry's word; this project waits 24 h"]
}

test_old_passes if said("strict", fx.published(fx.old), {}) == set()

# What the facts keep of a time in the future: the time, and the reason.
test_a_time_in_the_future_is_one_finding_whatever_the_baseline_held if {
	future := object.union(fx.published("2027-01-01T00:00:00Z"), {"reason": "it is in the future"})
	every profile in ["observe", "default", "strict", "release"] {
		said(profile, future, {}) == {"time-in-future:deny"}
	}
	said("default", future, {"baseline": fx.accepted([aged(future)], {})}) == {"time-in-future:deny"}
}

sighted(time, absent, seen) := object.union(fx.published(time), {"absent": absent, "seen": seen})

# C08
test_a_release_that_is_dated_back_counts_from_the_first_look if {
	fresh := sighted(fx.old, "2026-11-19T12:00:00Z", fx.two_hours_ago)
	said("default", fresh, {"baseline": fx.accepted([], {})}) == {"dated-back:deny", "too-young:deny"}
	said("default", fresh, {"baseline": fx.accepted([aged(fresh)], {})}) == {"dated-back:warn", "too-young:deny"}
	said("strict", fresh, {}) == {"dated-back:deny", "too-young:deny"}
	long_ago := sighted(fx.old, "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z")
	said("default", long_ago, {"baseline": fx.accepted([], {})}) == {"dated-back:deny"}
	found := rule.findings with input as fx.document("strict", [aged(fresh)], {})
	{f.message | some f in found} == {
		"it is dated 2025-06-01T00:00:00Z by the registry's word, and was not there on 2026-11-19T12:00:00Z, when an approved build looked",
		"published 2 h ago at most, by our own look; this project waits 3 days",
	}
}

test_an_answer_of_a_mirror_may_be_a_day_old if {
	said("strict", sighted(fx.old, "2025-06-02T00:00:00Z", fx.two_hours_ago), {}) == set()
	said("strict", sighted(fx.old, "2025-06-02T00:00:01Z", fx.two_hours_ago), {}) == {"dated-back:deny", "too-young:deny"}
	strict_lag := {"parameters": {"release_age": {"mirror_lag_hours": 1}}}
	said("strict", sighted(fx.old, "2025-06-01T02:00:00Z", fx.two_hours_ago), strict_lag) == {"dated-back:deny", "too-young:deny"}
}

test_without_the_parameter_no_answer_is_old if {
	document := object.remove(fx.document("strict", [aged(sighted(fx.old, "2025-06-01T00:00:01Z", fx.two_hours_ago))], {}), ["parameters"])
	found := rule.findings with input as document
	"dated-back:deny" in fx.codes(found)
}
