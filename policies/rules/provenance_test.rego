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
	said("strict", {"provenance": object.union(fx.built, {"log_proof": "SET"})}, {}) == {"log-promise-only:note"}
}

test_an_expectation_without_an_id_goes_by_the_address if {
	nameless := {"provenance": fx.built_with({"repository_id": null, "repository": "https://github.com/x/y"})}
	said("default", nameless, expecting({"repository_id": null})) == {"expected-differs:deny"}
}
