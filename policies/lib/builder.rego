# METADATA
# title: Builders
# description: |
#   The packages by what is known of their provenance, and words for who built them.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.builder

import data.sbomgate.lib.packages

# Most are unattested, or built as packages ordinarily are by an issuer that is accepted. What is not known to be so is
# looked at closely.
is_unremarkable(attestation) if attestation.state == "unattested"

is_unremarkable(attestation) if {
	attestation.state == "verified"
	is_ordinary(attestation)
	is_issuer_accepted(attestation)
}

verified := [p |
	some index, facts in packages.noticed_facts
	facts.provenance.state == "verified"
	some p in packages.noticeable_with[index]
]

is_ordinary(attestation) if {
	[attestation.log_proof, attestation.claims.runner, attestation.claims.trigger] in ordinary_builds
	is_string(attestation.claims.ref)
	startswith(attestation.claims.ref, ordinary_refs[_])
}

ordinary_refs := ["refs/tags/", "refs/heads/"]

ordinary_builds := {[proof, "github-hosted", trigger] |
	some proof in ["inclusion+SET", "inclusion"]
	some trigger in ["push", "release", "workflow_dispatch", "workflow_run", "schedule"]
}

# Without a trust file the verifier's own list of issuers holds, and nothing is asked here.
is_issuer_accepted(_) if count(input.trust.issuers) == 0

is_issuer_accepted(attestation) if attestation.claims.issuer in input.trust.issuers

unknown_states := {"unreachable", "cannot-verify"}

# Neither verified nor known to be absent, for at least one of the two attestations: ids by the index of their facts.
unknown := {index: ids |
	some index, ids in packages.vouched_with
	is_unknown(input.facts[index])
}

is_unknown(facts) if "cannot-verify" in {facts.provenance.state, facts.publish_attestation.state}

# "Out of reach" and "does not apply" are answers only where the trust file says that the registry, which was asked, serves
# no evidence.
is_unknown(facts) if {
	facts.provenance.state in {"unreachable", "not-applicable"}
	not is_excused(facts)
}

is_unknown(facts) if {
	facts.publish_attestation.state == "unreachable"
	not is_excused(facts)
}

is_excused(facts) if facts.registry in excused

excused := {r.url | some r in input.trust.registries; r.serves_evidence == false}

# Whether two addresses of repositories are of one host: only there are the numbers that it gives them comparable.
same_forge(one, other) if {
	is_string(one)
	is_string(other)
	lower(split(one, "/")[2]) == lower(split(other, "/")[2])
}

# `axios/axios publish.yml on GitHub`
default describe(_) := "an unnamed builder"

describe(claims) := sprintf("%s%s%s", [repository, workflow(claims), host]) if {
	[repository, host] := place(claims)
}

place(claims) := [claims.identity, ""] if claims.repository == null

place(claims) := [trim_prefix(claims.repository, "https://github.com/"), " on GitHub"] if {
	claims.repository != null
	startswith(claims.repository, "https://github.com/")
}

place(claims) := [trim_prefix(claims.repository, "https://gitlab.com/"), " on GitLab"] if {
	claims.repository != null
	startswith(claims.repository, "https://gitlab.com/")
}

place(claims) := [claims.repository, ""] if {
	claims.repository != null
	not startswith(claims.repository, "https://github.com/")
	not startswith(claims.repository, "https://gitlab.com/")
}

workflow(claims) := "" if claims.workflow == null

workflow(claims) := sprintf(" %s", [last]) if {
	claims.workflow != null
	parts := split(split(claims.workflow, "@")[0], "/")
	last := parts[count(parts) - 1]
}

# Which of the two it is that nobody can tell.
unknown_kind(facts) := "publish_attestation" if {
	facts.publish_attestation.state in unknown_states
	not facts.provenance.state in unknown_states
} else := "provenance"
