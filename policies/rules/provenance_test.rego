package sbomgate.tests.provenance

import data.sbomgate.rules.provenance as rule
import data.sbomgate.tests.fixtures as fx

p(changes) := fx.pkg("axios", "1.14.1", changes)

said(profile, changes, more) := fx.codes(f) if f := rule.findings with input as fx.document(profile, [p(changes)], more)

gates := ["default", "strict", "release"]

# V09, V13, V26, V28, V31: what does not hold is worse than nothing, and nobody waives it.
test_invalid_is_denied_everywhere if {
	every profile in gates {
		said(profile, {"provenance": fx.attestation("invalid")}, {}) == {"attestation-invalid:deny"}
		said(profile, {"publish_attestation": fx.attestation("invalid")}, {}) == {"attestation-invalid:deny"}
		said(profile, {"signature": {"state": "invalid", "reason": "wrong key"}}, {}) == {"signature-invalid:deny"}
	}
	said("default", {"provenance": fx.attestation("invalid")}, fx.trusting({"first_party": ["axios"]})) == {"attestation-invalid:deny"}
	found := rule.findings with input as fx.document("default", [p({"provenance": fx.attestation("invalid")})], {})
	[f.waivable | some f in found] == [false]
}

# V07, V08
test_advertised_and_missing_is_denied_everywhere if {
	every profile in gates {
		said(profile, {"provenance": fx.attestation("advertised-missing")}, {}) == {"advertised-missing:deny"}
	}
}

# V20, V32, T18: unknown
test_unknown if {
	every state in ["unreachable", "cannot-verify", "not-applicable"] {
		unknown := {"provenance": fx.attestation(state)}
		said("default", unknown, {}) == set()
		said("default", unknown, {"baseline": fx.accepted([p(unknown)], {})}) == set()
		said("default", unknown, {"baseline": fx.accepted([], {})}) == {"provenance-unknown:deny"}
		said("strict", unknown, {}) == {"provenance-unknown:deny"}
		said("release", unknown, {}) == {"provenance-unknown:deny"}
	}
	said("strict", {"publish_attestation": fx.attestation("unreachable")}, {}) == {"provenance-unknown:deny"}
}

# A registry that answered that it has none is not asked again: whoever reads it is told what to name where.
test_what_to_do_about_an_unknown_one if {
	fixes({"state": "unreachable", "reason": "timed out"}) == {"run again"}
	fixes({"state": "unreachable", "reason": "this registry serves neither signatures nor attestations"}) == {"if that registry is a mirror"}
}

fixes(attestation) := {concat(" ", array.slice(split(f.fix, " "), 0, n)) |
	found := rule.findings with input as fx.document("strict", [p({"provenance": object.union(fx.attestation("unreachable"), attestation)})], {})
	some f in found
	n := {true: 2, false: 6}[startswith(f.fix, "run")]
}

test_a_registry_that_serves_no_evidence_is_excused_by_name if {
	excused := {"url": "https://registry.npmjs.org/", "scope": null, "serves_evidence": false}
	changes := {"provenance": fx.attestation("not-applicable"), "publish_attestation": fx.attestation("not-applicable")}
	said("strict", changes, fx.trusting({"registries": [excused]})) == set()
	said("strict", changes, fx.trusting({"registries": [object.union(excused, {"serves_evidence": true})]})) == {"provenance-unknown:deny"}
	said("strict", object.union(changes, {"registry": null}), fx.trusting({"registries": [excused]})) == {"provenance-unknown:deny"}
	out_of_reach := {"provenance": fx.attestation("unreachable"), "publish_attestation": fx.attestation("unreachable")}
	said("strict", out_of_reach, fx.trusting({"registries": [excused]})) == set()
	said("strict", {"provenance": fx.attestation("cannot-verify")}, fx.trusting({"registries": [excused]})) == {"provenance-unknown:deny"}
}

# C09
test_first_party_needs_no_public_evidence if {
	said("strict", {"provenance": fx.attestation("unreachable")}, fx.trusting({"first_party": ["axios"]})) == set()
}

test_none_is_none_and_a_valid_one_is_fine if {
	every profile in gates {
		said(profile, {}, {}) == set()
		said(profile, {"provenance": fx.built}, {}) == set()
	}
}

# V16
test_built_from_a_pull_request if {
	every profile in gates {
		said(profile, {"provenance": fx.built_with({"ref": "refs/pull/1/merge"})}, {}) == {"pull-request-build:deny"}
		said(profile, {"provenance": fx.built_with({"trigger": "pull_request_target"})}, {}) == {"pull-request-build:deny"}
		said(profile, {"provenance": fx.built_with({"trigger": "pull_request"})}, {}) == {"pull-request-build:deny"}
	}
}

# V19
test_self_hosted if {
	said("default", {"provenance": fx.built_with({"runner": "self-hosted"})}, {}) == {"self-hosted-runner:warn"}
	said("strict", {"provenance": fx.built_with({"runner": "self-hosted"})}, {}) == {"self-hosted-runner:deny"}
}

# V20
test_an_issuer_that_nobody_accepts if {
	ours := fx.trusting({"issuers": ["https://token.actions.githubusercontent.com"]})
	others := fx.trusting({"issuers": ["https://gitlab.com"]})
	said("strict", {"provenance": fx.built}, ours) == set()
	said("strict", {"provenance": fx.built}, others) == {"issuer-unaccepted:deny"}
	said("default", {"provenance": fx.built}, others) == {"issuer-unaccepted:warn"}
}

expecting(changes) := fx.trusting({"expected_provenance": [object.union(
	{"package": "axios", "repository": "https://github.com/axios/axios", "repository_id": "23088740", "workflow": ".github/workflows/publish.yml"},
	changes,
)]})

# V06, V14, V24
test_expected_provenance if {
	every profile in gates {
		said(profile, {"provenance": fx.built}, expecting({})) == set()
		said(profile, {}, expecting({})) == {"expected-missing:deny"}
		said(profile, {"publish_attestation": object.union(fx.built, {"claims": null})}, expecting({})) == {"expected-missing:deny"}
		said(profile, {"provenance": fx.built}, expecting({"repository_id": "1"})) == {"expected-differs:deny"}
		said(profile, {"provenance": fx.built}, expecting({"workflow": ".github/workflows/other.yml"})) == {"expected-differs:deny"}
		said(profile, {"provenance": fx.built}, expecting({"repository": "https://github.com/x/y", "repository_id": null})) == {"expected-differs:deny"}
		said(profile, {"provenance": fx.built}, expecting({"repository_id": null, "workflow": null})) == set()
	}
	said("strict", {"provenance": fx.attestation("unreachable")}, expecting({})) == {"expected-missing:deny", "provenance-unknown:deny"}
}

# V21
test_a_renamed_repository_with_the_same_id_is_a_note if {
	said("strict", {"provenance": fx.built_with({"repository": "https://github.com/new/axios"})}, expecting({})) == {"expected-renamed:note"}
}

# On another forge the same number is another repository's: whoever runs one can wait for it.
test_the_same_id_on_another_forge_is_another_repository if {
	said("default", {"provenance": fx.built_with({"repository": "https://gitlab.acme.example/evil/axios"})}, expecting({})) == {"expected-differs:deny"}
	said("default", {"provenance": fx.built_with({"repository": null})}, expecting({})) == {"expected-differs:deny"}
}

test_an_entry_for_a_scope if {
	scoped := fx.pkg("@tanstack/router", "1.0.0", {"provenance": fx.built})
	entry := expecting({"package": "@tanstack/*", "repository": "https://github.com/tanstack/router", "repository_id": null, "workflow": null})
	fx.codes(rule.findings) == {"expected-differs:deny"} with input as fx.document("default", [scoped], entry)
	said("default", {"provenance": fx.built}, entry) == set()
}

test_a_verified_provenance_without_a_builder_denies if {
	"claims-missing:deny" in said("default", {"provenance": object.union(fx.built, {"claims": null})}, {})
	"expected-differs:deny" in said("default", {"provenance": object.union(fx.built, {"claims": null})}, expecting({}))
	"issuer-unaccepted:deny" in said("strict", {"provenance": object.union(fx.built, {"claims": null})}, fx.trusting({"issuers": ["x"]}))
}

# V28
test_a_promise_alone_is_a_note if {
	said("strict", {"provenance": promised("2023-05-18T00:00:00Z")}, {}) == {"log-promise-only:note"}
}

test_an_expectation_without_an_id_goes_by_the_address if {
	nameless := {"provenance": fx.built_with({"repository_id": null, "repository": "https://github.com/x/y"})}
	said("default", nameless, expecting({"repository_id": null})) == {"expected-differs:deny"}
}

promised(time) := object.union(fx.built, {"log_proof": "SET", "log_time": time})

# V28: a bundle can be stripped of its inclusion proof, and then says SET
test_a_promise_alone_is_refused_from_a_day_on if {
	every kind in ["provenance", "publish_attestation"] {
		late := {kind: promised("2024-01-01T00:00:00Z")}
		"log-promise-late:warn" in said("default", late, {})
		"log-promise-late:warn" in said("default", late, {"baseline": fx.accepted([], {})})
		"log-promise-late:deny" in said("strict", late, {})
		"log-promise-late:deny" in said("release", late, {})
		early := said("strict", {kind: promised("2023-12-31T23:59:59Z")}, {})
		not "log-promise-late:deny" in early
		"log-promise-late:deny" in said("strict", {kind: promised(null)}, {})
		"log-promise-late:deny" in said("strict", {kind: promised("2023-05-18T00:00:00Z")}, sooner)
		not "log-promise-late:deny" in said("strict", {kind: object.union(fx.built, {"log_time": "2026-01-01T00:00:00Z"})}, {})
	}
}

sooner := {"parameters": {"provenance": {"promise_only_before": "2023-05-18"}}}

test_without_the_parameter_no_promise_is_enough if {
	found := rule.findings with input as object.remove(fx.document("strict", [p({"provenance": promised("2023-01-01T00:00:00Z")})], {}), ["parameters"])
	"log-promise-late:deny" in fx.codes(found)
	"trust-root-old:deny" in fx.codes(found)
}

of(updated) := {"trust_root": {"updated": updated}}

# V29
test_the_trust_root_grows_old if {
	every time in ["2025-11-20T12:00:00Z", "2026-11-20T12:00:00Z", "2026-11-20T12:30:00Z"] {
		said("strict", {}, of(time)) == set()
	}
	every time in ["2025-11-20T11:59:59Z", "2021-01-01T00:00:00Z", "2026-11-20T14:00:00Z"] {
		said("default", {}, of(time)) == {"trust-root-old:warn"}
		said("strict", {}, of(time)) == {"trust-root-old:deny"}
		said("release", {}, of(time)) == {"trust-root-old:deny"}
	}
	month := {"parameters": {"provenance": {"trust_root_days": 30}}}
	said("strict", {}, object.union(of("2026-10-20T00:00:00Z"), month)) == {"trust-root-old:deny"}
	found := rule.findings with input as fx.document("strict", [p({})], of("2021-01-01T00:00:00Z"))
	[[f.unknown, f.message] | some f in found] == [[true, "the trust root was last known to be the newest on 2021-01-01; 365 days are accepted"]]
}

test_a_trust_root_of_no_date if {
	said("default", {}, of(null)) == {"trust-root-undated:warn"}
	said("strict", {}, of(null)) == {"trust-root-undated:deny"}
}
