# METADATA
# title: Trust drift
# description: |
#   Compares a new or changed version with the versions of the same release line in the last approved build: denies
#   when provenance was lost, or when repository, workflow, kind of ref, trigger, issuer or runner are others, or when
#   a trusted publisher gave way to a token. A line is a major version, for 0.x a minor one; where the baseline holds
#   none of the line, the nearest older one counts. Stable releases are compared with stable ones only.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Whoever steals a maintainer's token publishes by hand, and the provenance that every version before it had is
#     missing. That is visible on the first day, before any list knows the version.
#   fix: Stay on the approved version; if the project really changed how it publishes, have the change approved.
#   unknown: Provenance that cannot be told, where the approved version had it, denies.
#   severity:
#     provenance-lost: {default: deny, strict: deny, release: deny}
#     provenance-unknown: {default: deny, strict: deny, release: deny}
#     repository-changed: {default: deny, strict: deny, release: deny}
#     repository-renamed: {default: note, strict: note, release: note}
#     workflow-changed: {default: deny, strict: deny, release: deny}
#     ref-kind-changed: {default: deny, strict: deny, release: deny}
#     trigger-changed: {default: deny, strict: deny, release: deny}
#     issuer-changed: {default: deny, strict: deny, release: deny}
#     runner-changed: {default: deny, strict: deny, release: deny}
#     trusted-publisher-lost: {default: deny, strict: deny, release: deny}
#     publisher-changed: {default: warn, strict: deny, release: deny}
#     publisher-unknown: {default: warn, strict: deny, release: deny}
package sbomgate.rules.trust_drift

import data.sbomgate.lib.builder
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.versions

# Each changed package beside the approved entry that it is measured against.
pairs := [[p, before] |
	some id in packages.changed
	p := packages.by_id[id]
	entries := packages.before(p.name)
	count(entries) > 0
	before := versions.predecessor(p.version, entries)
]

stay(p, before) := sprintf("stay on %s %s, or have the change approved", [p.name, before.version])

# (1) Provenance was there and is not.
findings contains f if {
	some [p, before] in pairs
	before.provenance.state == "verified"
	not p.provenance.state in {"verified", "unreachable", "cannot-verify"}
	f := finding.of("trust_drift", "provenance-lost", "always", p, {
		"message": sprintf("%s was built by %s; %s carries %s", [before.version, builder.describe(before.provenance.claims), p.version, carries(p)]),
		"fix": stay(p, before),
	})
}

default carries(_) := "one that cannot be used"

carries(p) := "no provenance" if p.provenance.state in {"unattested", "not-applicable"}

carries(p) := "an invalid one" if p.provenance.state == "invalid"

carries(p) := "none, though the registry advertises it" if p.provenance.state == "advertised-missing"

findings contains f if {
	some [p, before] in pairs
	before.provenance.state == "verified"
	p.provenance.state in {"unreachable", "cannot-verify"}
	f := finding.of("trust_drift", "provenance-unknown", "always", p, {
		"message": sprintf("%s was built by %s; whether %s was cannot be told (%s: %s)", [
			before.version, builder.describe(before.provenance.claims), p.version, p.provenance.state, p.provenance.reason,
		]),
		"fix": "run again with the registry in reach",
		"unknown": true,
	})
}

# (2) Both are attested: by the same builder?
attested := [[p, before] |
	some [p, before] in pairs
	before.provenance.state == "verified"
	p.provenance.state == "verified"
]

findings contains f if {
	some [p, before] in attested
	not same_repository(p.provenance.claims, before.provenance.claims)
	f := finding.of("trust_drift", "repository-changed", "always", p, {
		"message": sprintf("%s was built by %s; %s by %s", [
			before.version, builder.describe(before.provenance.claims), p.version, builder.describe(p.provenance.claims),
		]),
		"fix": stay(p, before),
	})
}

# The numeric id decides where both have one: it survives a rename and a transfer, and is never given twice.
same_repository(now, before) if {
	now.repository_id != null
	now.repository_id == before.repository_id
}

same_repository(now, before) if {
	some claims in [now, before]
	claims.repository_id == null
	now.repository == before.repository
	now.owner_id == before.owner_id
}

findings contains f if {
	some [p, before] in attested
	same_repository(p.provenance.claims, before.provenance.claims)
	p.provenance.claims.repository != before.provenance.claims.repository
	f := finding.of("trust_drift", "repository-renamed", "note", p, {
		"message": sprintf("its repository %s is now %s (same id)", [before.provenance.claims.repository, p.provenance.claims.repository]),
		"fix": "nothing to do, if the project announced it",
	})
}

compared := {
	"workflow-changed": {"claim": "workflow", "spoken": "workflow"},
	"trigger-changed": {"claim": "trigger", "spoken": "trigger"},
	"issuer-changed": {"claim": "issuer", "spoken": "identity issuer"},
	"runner-changed": {"claim": "runner", "spoken": "runner"},
}

findings contains f if {
	some [p, before] in attested
	some code, what in compared
	p.provenance.claims[what.claim] != before.provenance.claims[what.claim]
	f := finding.of("trust_drift", code, "always", p, {
		"message": sprintf("%s was built with %s %v, %s with %v", [
			before.version, what.spoken, before.provenance.claims[what.claim], p.version, p.provenance.claims[what.claim],
		]),
		"fix": stay(p, before),
	})
}

findings contains f if {
	some [p, before] in attested
	ref_kind(p.provenance.claims) != ref_kind(before.provenance.claims)
	f := finding.of("trust_drift", "ref-kind-changed", "always", p, {
		"message": sprintf("%s was built from %v, %s from %v", [before.version, before.provenance.claims.ref, p.version, p.provenance.claims.ref]),
		"fix": stay(p, before),
	})
}

ref_kind(claims) := "none" if claims.ref == null

ref_kind(claims) := concat("/", array.slice(split(claims.ref, "/"), 0, 2)) if claims.ref != null

# (3) Who published it, by the registry's word.
findings contains f if {
	some [p, before] in pairs
	before.trusted_publisher != null
	p.trusted_publisher != before.trusted_publisher
	p.publisher != null
	f := finding.of("trust_drift", "trusted-publisher-lost", "always", p, {
		"message": sprintf("%s came from a trusted publisher (%s); %s was published by %s %s, by the registry's word", [
			before.version, before.trusted_publisher, p.version, p.publisher, means(p),
		]),
		"fix": stay(p, before),
	})
}

means(p) := "with a token" if p.trusted_publisher == null

means(p) := sprintf("through %s", [p.trusted_publisher]) if p.trusted_publisher != null

findings contains f if {
	some [p, before] in pairs
	before.trusted_publisher == null
	before.publisher != null
	p.publisher != null
	p.trusted_publisher == null
	p.publisher != before.publisher
	f := finding.of("trust_drift", "publisher-changed", "debt", p, {
		"message": sprintf("%s was published by %s; %s by %s, by the registry's word", [before.version, before.publisher, p.version, p.publisher]),
		"fix": sprintf("ask whether %s may publish it; then have it approved", [p.publisher]),
	})
}

findings contains f if {
	some [p, before] in pairs
	before.publisher != null
	p.publisher == null
	f := finding.of("trust_drift", "publisher-unknown", "debt", p, {
		"message": sprintf("%s was published by %s; who published %s is not known", [before.version, before.publisher, p.version]),
		"fix": "run again with the registry in reach",
		"unknown": true,
	})
}
