# METADATA
# title: Provenance
# description: |
#   Denies an attestation or registry signature that is invalid (never waivable), one that the registry advertises and
#   does not have, a build from a pull request, and a package that the trust file expects from another repository or
#   workflow. Which packages carry no provenance is not denied by itself: most of npm has none. A valid one never
#   switches off another rule. Warns where a later proof than those of the first years rests on the log's promise alone,
#   and where the trust root that all of it was verified against is old. That a rebuilder of the trust file built the same
#   from its source is a note: it replaces no provenance, unless `trust_drift` is told so.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Provenance ties the bytes to the repository and workflow that built them. What claims to have it and does not is worse
#     than what has none.
#   fix: Do not install a package with an invalid attestation; for one that is missing, ask again later or stay on the version before it.
#   unknown: Unreachable, not served and not verifiable deny for what is new or changed under `default`, and for everything in `strict` and `release`.
#   severity:
#     attestation-invalid: {default: deny, strict: deny, release: deny, waivable: false}
#     signature-invalid: {default: deny, strict: deny, release: deny, waivable: false}
#     advertised-missing: {default: deny, strict: deny, release: deny}
#     pull-request-build: {default: deny, strict: deny, release: deny}
#     self-hosted-runner: {default: warn, strict: deny, release: deny}
#     claims-missing: {default: deny, strict: deny, release: deny}
#     issuer-unaccepted: {default: deny where new or changed, strict: deny, release: deny}
#     expected-missing: {default: deny, strict: deny, release: deny}
#     expected-differs: {default: deny, strict: deny, release: deny}
#     expected-renamed: {default: note, strict: note, release: note}
#     provenance-unknown: {default: deny where new or changed, strict: deny, release: deny}
#     log-promise-only: {default: note, strict: note, release: note}
#     log-promise-late: {default: warn, strict: deny, release: deny}
#     rebuilt: {default: note, strict: note, release: note}
#     trust-root-old: {default: warn, strict: deny, release: deny}
#     trust-root-undated: {default: warn, strict: deny, release: deny}
#   parameters:
#     promise_only_before:
#       type: string
#       pattern: ^[0-9]{4}-[0-9]{2}-[0-9]{2}$
#       default: "2024-01-01"
#       stricter: earlier
#       description: Day from which on the log must prove that it holds an entry (inclusion); before it, its promise (SET) is enough.
#     trust_root_days:
#       type: number
#       minimum: 1
#       default: 365
#       stricter: smaller
#       description: Days for which a trust root is good without having been compared with the newest (`sbomgate trust update`).
package sbomgate.rules.provenance

import data.sbomgate.lib.builder
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times

# (1) What is there must be valid. Nobody is exempt: first-party packages neither.
findings contains f if {
	some index, facts in packages.noticed_facts
	some kind in ["provenance", "publish_attestation"]
	facts[kind].state == "invalid"
	some p in packages.noticeable_with[index]
	f := finding.of("provenance", "attestation-invalid", "always", p, {
		"message": sprintf("its %s is invalid: %s", [spoken[kind], p[kind].reason]),
		"fix": "do not install it: somebody attached an attestation that does not hold",
		"waivable": false,
		"extra": kind,
	})
}

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.signature.state == "invalid"
	some p in packages.noticeable_with[index]
	f := finding.of("provenance", "signature-invalid", "always", p, {
		"message": sprintf("the registry's signature is invalid: %s", [p.signature.reason]),
		"fix": "do not install it: the registry did not sign these bytes under this name",
		"waivable": false,
	})
}

# (2) What is advertised must be there.
findings contains f if {
	some index, facts in packages.noticed_facts
	some kind in ["provenance", "publish_attestation"]
	facts[kind].state == "advertised-missing"
	some p in packages.noticeable_with[index]
	f := finding.of("provenance", "advertised-missing", "always", p, {
		"message": sprintf("the registry advertises its %s and does not have it (%s)", [spoken[kind], p[kind].reason]),
		"fix": "ask again later; if it stays away, stay on the version before it",
		"extra": kind,
	})
}

# (3) What cannot be told is unknown, never absent.
findings contains f if {
	some index, ids in builder.unknown
	denied := finding.unknown_denies(ids)
	count(denied) > 0
	kind := builder.unknown_kind(input.facts[index])
	some p in packages.noticeable_with[index]
	p.id in denied
	f := finding.of("provenance", "provenance-unknown", "changed", p, {
		"message": sprintf("its %s could not be judged: %s (%s)", [spoken[kind], p[kind].state, p[kind].reason]),
		"fix": reach(p[kind].reason),
		"unknown": true,
	})
}

# Who asked a registry that has none need not ask again.
reach(reason) := "if that registry is a mirror that serves none, name it in the trust file: [[registries]] with its url and serves_evidence = false" if reason == not_served

reach(reason) := "run again with the registry in reach; a mirror without attestations is named in the trust file (serves_evidence = false)" if reason != not_served

not_served := "this registry serves neither signatures nor attestations"

spoken := {"provenance": "provenance", "publish_attestation": "publish attestation"}

# (4) Who built it, and from what. Most builds are ordinary; what is not known to be is looked at closely.
remarkable := [p |
	some p in builder.verified
	not builder.is_ordinary(p.provenance)
]

findings contains f if {
	some p in remarkable
	from_pull_request(p.provenance.claims)
	f := finding.of("provenance", "pull-request-build", "always", p, {
		"message": sprintf("it was built from a pull request (%v, %v), so anybody may have written it", [p.provenance.claims.ref, p.provenance.claims.trigger]),
		"fix": "stay on the version before it, and tell its maintainers",
	})
}

from_pull_request(claims) if {
	claims.ref != null
	startswith(claims.ref, "refs/pull/")
}

from_pull_request(claims) if {
	claims.ref != null
	contains(claims.ref, "/merge_requests/")
}

from_pull_request(claims) if claims.trigger in {"pull_request", "pull_request_target", "merge_request_event"}

findings contains f if {
	some p in remarkable
	p.provenance.claims.runner == "self-hosted"
	f := finding.of("provenance", "self-hosted-runner", "debt", p, {
		"message": sprintf("%s built it on a runner of their own, which nobody else can vouch for", [builder.describe(p.provenance.claims)]),
		"fix": "have it approved, or stay on a version that a hosted runner built",
	})
}

findings contains f if {
	some p in builder.verified
	not builder.is_issuer_accepted(p.provenance)
	f := finding.of("provenance", "issuer-unaccepted", "changed", p, {
		"message": sprintf("its builder's identity comes from %v, which the trust file does not accept", [object.get(p.provenance, ["claims", "issuer"], "nobody")]),
		"fix": "name the issuer in the trust file, if its word is good enough",
		"unknown": true,
	})
}

findings contains f if {
	some p in remarkable
	is_null(p.provenance.claims)
	f := finding.of("provenance", "claims-missing", "always", p, {
		"message": "its provenance is called verified, and nobody says who built it",
		"fix": "verify it again: a verified provenance names its builder",
		"unknown": true,
	})
}

# (5) Who the trust file says must build it. An entry for the exact name hides one for its scope.
expected := {id: entries |
	count(input.trust.expected_provenance) > 0
	some id in packages.outside
	entries := expectations(packages.entries[id].name)
}

expectations(name) := expected_of[name] if {
	expected_of[name]
} else := expected_of[sprintf("%s/*", [packages.scope(name)])]

expected_of := {pattern: entries |
	some pattern in {e.package | some e in input.trust.expected_provenance}
	entries := [e | some e in input.trust.expected_provenance; e.package == pattern]
}

findings contains f if {
	some id, entries in expected
	p := packages.by_id[id]
	p.provenance.state != "verified"
	f := finding.of("provenance", "expected-missing", "always", p, {
		"message": sprintf("the trust file expects it to be built by %s; its provenance is %s (%s)", [entries[0].repository, p.provenance.state, p.provenance.reason]),
		"fix": "stay on a version with provenance",
		"unknown": p.provenance.state in builder.unknown_states,
	})
}

findings contains f if {
	some id, entries in expected
	p := packages.by_id[id]
	p.provenance.state == "verified"
	not meets_one(p.provenance.claims, entries)
	f := finding.of("provenance", "expected-differs", "always", p, {
		"message": sprintf("built by %s; the trust file expects %s", [builder.describe(p.provenance.claims), entries[0].repository]),
		"fix": "stay on a version that the expected repository and workflow built; if the project moved, change the trust file",
	})
}

findings contains f if {
	some id, entries in expected
	p := packages.by_id[id]
	p.provenance.state == "verified"
	meets_one(p.provenance.claims, entries)
	every e in entries {
		e.repository != p.provenance.claims.repository
	}
	f := finding.of("provenance", "expected-renamed", "note", p, {
		"message": sprintf("the expected repository %s is now %s (same id)", [entries[0].repository, p.provenance.claims.repository]),
		"fix": "write the new address into the trust file",
	})
}

meets_one(claims, entries) if {
	some e in entries
	same_repository(claims, e)
	same_workflow(claims, e)
}

# The numeric id survives a rename, and a name that somebody else took over does not have it. Another forge counts anew.
same_repository(claims, e) if {
	e.repository_id != null
	claims.repository_id == e.repository_id
	builder.same_forge(claims.repository, e.repository)
}

same_repository(claims, e) if {
	e.repository_id == null
	claims.repository == e.repository
}

same_workflow(_, e) if e.workflow == null

same_workflow(claims, e) if claims.workflow == e.workflow

# (6) A proof that only promises the log entry is said once, for all.
promised := {p.id |
	some p in remarkable
	p.provenance.log_proof == "SET"
}

findings contains f if {
	count(promised) > 0
	f := finding.of("provenance", "log-promise-only", "note", packages.whole, {
		"message": sprintf("the provenance of %d packages rests on the log's promise alone (SET, no inclusion proof): %s", [count(promised), packages.enumerate(promised)]),
		"fix": "nothing to do; releases of later years carry an inclusion proof",
		"extra": packages.identity(promised),
	})
}

# From some day on every log entry came with its proof: a promise alone was stripped of it, or is forged with a stolen
# key of the log. Written so that an unknown time or parameter is late.
findings contains f if {
	some index, facts in packages.noticed_facts
	some kind in ["provenance", "publish_attestation"]
	facts[kind].log_proof == "SET"
	not early(facts[kind])
	some p in packages.noticeable_with[index]
	f := finding.of("provenance", "log-promise-late", "debt", p, {
		"message": sprintf("its %s of %v rests on the log's promise alone (SET); since %v an inclusion proof is demanded", [spoken[kind], p[kind].log_time, promise_end]),
		"fix": "ask the registry itself, or another mirror: a bundle can be stripped of its inclusion proof on the way",
		"extra": kind,
	})
}

early(attestation) if {
	is_string(attestation.log_time)
	substring(attestation.log_time, 0, 10) < input.parameters.provenance.promise_only_before
}

default promise_end := "ever"

promise_end := input.parameters.provenance.promise_only_before

# Somebody else built the same from its source: where its own provenance is missing, that says more than nothing.
findings contains f if {
	some id, names in input.rebuilt
	p := packages.by_id[id]
	p.provenance.state != "verified"
	f := finding.of("provenance", "rebuilt", "note", p, {
		"message": sprintf("its publisher's provenance is %s; %s built the same from its source", [p.provenance.state, concat(", ", names)]),
		"fix": "nothing to do: whether that is enough is for a person, or a parameter of trust_drift, to say",
		"extra": concat(",", names),
	})
}

# (7) What all of it was verified against may have been replaced since: keys that were withdrawn are believed, new ones
# are not known.
findings contains f if {
	input.trust_root.updated != null
	not recent(input.trust_root.updated)
	f := finding.of("provenance", "trust-root-old", "debt", packages.whole, {
		"message": sprintf("the trust root was last known to be the newest on %s; %v days are accepted", [substring(input.trust_root.updated, 0, 10), object.get(input, ["parameters", "provenance", "trust_root_days"], "no")]),
		"fix": "run `sbomgate trust update`, and name what it prints in the trust file; or install a newer sbomgate",
		"unknown": true,
		"extra": input.trust_root.trusted_root,
	})
}

recent(time_) if {
	age := times.now - time.parse_rfc3339_ns(time_)
	age <= (input.parameters.provenance.trust_root_days * 24) * times.hour
	age >= 0 - times.hour # a time ahead is no knowledge
}

findings contains f if {
	input.trust_root.updated == null
	f := finding.of("provenance", "trust-root-undated", "debt", packages.whole, {
		"message": "nobody says when the trust root was last known to be the newest",
		"fix": "write `updated` beside trusted_root in the trust file (`sbomgate trust update` prints it)",
		"unknown": true,
		"extra": input.trust_root.trusted_root,
	})
}
