# METADATA
# title: Trust drift
# description: |
#   Compares a new or changed version with what was approved of it, and with its own earlier releases: denies when
#   provenance was lost, or when repository, workflow, kind of ref, trigger, issuer or runner are others, or when a
#   trusted publisher gave way to a token. Of the approved build the nearest older version of the same release line
#   counts (a major version, for 0.x a minor one), else of an older line; of the registry's earlier releases the nearest
#   before it, and the nearest that had been out for a week when it was published, as far as they are not older than
#   what was approved. Stable releases are compared with stable ones; with an approved prerelease only where there is
#   no stable one. Without an approved build, releases of the last thirty days are compared with their earlier ones.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Whoever steals a maintainer's token publishes by hand, and the provenance that every version before it had is
#     missing. That is visible on the first day, before any list knows the version.
#   fix: Stay on the approved version; if the project really changed how it publishes, have the change approved.
#   unknown: |
#     Provenance that cannot be told, where the approved version had it, denies. Earlier releases that cannot be told, or
#     whose attestations are advertised and cannot be had, deny for what is new or changed.
#   severity:
#     provenance-lost: {default: "deny; warn where it is older than history_days and only the registry's history has it, or as rebuild_is_enough says", strict: deny, release: deny}
#     provenance-unknown: {default: deny, strict: deny, release: deny}
#     repository-changed: {default: deny; warn as above, strict: deny, release: deny}
#     repository-renamed: {default: note, strict: note, release: note}
#     repository-transferred: {default: note, strict: note, release: note}
#     workflow-changed: {default: deny; warn as above, strict: deny, release: deny}
#     ref-kind-changed: {default: deny; warn as above, strict: deny, release: deny}
#     trigger-changed: {default: deny; warn as above, strict: deny, release: deny}
#     issuer-changed: {default: deny; warn as above, strict: deny, release: deny}
#     runner-changed: {default: deny; warn as above, strict: deny, release: deny}
#     trusted-publisher-lost: {default: deny; warn as above, strict: deny, release: deny}
#     publisher-changed: {default: warn, strict: deny, release: deny}
#     publisher-unknown: {default: warn, strict: deny, release: deny}
#     maintainers-changed: {default: warn, strict: deny, release: deny}
#     earlier-unknown: {default: deny where new or changed, strict: deny, release: deny}
#   parameters:
#     history_days:
#       type: number
#       minimum: 0
#       default: 30
#       stricter: larger
#       description: Days after its publication in which a release that differs from its own earlier ones denies under `default`; after that it warns.
#     rebuild_is_enough:
#       type: boolean
#       default: false
#       stricter: false
#       description: Whether a release that lost its provenance, and that a rebuilder of the trust file built again, warns under `default` instead of denying.
package sbomgate.rules.trust_drift

import data.sbomgate.lib.builder
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times
import data.sbomgate.lib.versions

# What is measured: what is new or changed; without an approved build what somebody asked the registry's history about.
measured := packages.changed if packages.accepted

measured := {id | some id, _ in input.earlier; packages.by_id[id]} if not packages.accepted

# Each of them with what it is measured against, what a person approved first.
against[id] := [before | some before in array.concat(approved_before(p), history(p)); not is_alike(p, before)] if {
	some id in measured
	p := packages.by_id[id]
}

# Nothing of it can have drifted: most updates are published as the version before them was.
is_alike(p, before) if {
	before.provenance.state != "verified"
	p.publisher == before.publisher
	p.trusted_publisher == before.trusted_publisher
	not drifted("maintainers-changed", p, before)
}

held(p) := packages.before(p.name)

approved_before(p) := [from_approval(before)] if {
	before := versions.predecessor(p.version, held(p))
} else := [from_approval(before)] if {
	# No stable release was approved, and none is known before it: then the approved prerelease is what it is held to.
	count(history(p)) == 0
	before := versions.candidate(p.version, held(p))
} else := []

from_approval(before) := object.union(before, {"source": "approved", "spoken": before.version})

# Its own earlier releases, as far as no later one of the same line was approved.
history(p) := [release |
	some e in object.get(input.earlier, p.id, {"releases": []}).releases
	not superseded(p, e)
	release := object.union(e, {"source": "history", "spoken": sprintf("%s, released before it,", [e.version])})
]

superseded(p, e) if {
	some b in held(p)
	semver.is_valid(b.version)
	versions.line(b.version) == versions.line(e.version)
	versions.is_stable(b.version) == versions.is_stable(e.version)
	semver.compare(e.version, b.version) < 0
	semver.compare(b.version, p.version) <= 0
}

# One finding for each code: against what was approved where that shows it, else against the nearest release.
findings contains f if {
	some id, befores in against
	count(befores) > 0
	p := packages.by_id[id]
	some code, about in codes
	before := [b | some b in befores; drifted(code, p, b)][0]
	f := finding.of("trust_drift", code, class(about.class, code, p, before), p, {
		"message": message(code, p, before),
		"fix": fix(code, p, before),
		"unknown": code in {"provenance-unknown", "publisher-unknown"},
		"extra": extra(before),
	})
}

codes := {
	"provenance-lost": {"class": "always"},
	"provenance-unknown": {"class": "always"},
	"repository-changed": {"class": "always"},
	"repository-renamed": {"class": "note"},
	"repository-transferred": {"class": "note"},
	"workflow-changed": {"class": "always", "claim": "workflow", "spoken": "workflow"},
	"trigger-changed": {"class": "always", "claim": "trigger", "spoken": "trigger"},
	"issuer-changed": {"class": "always", "claim": "issuer", "spoken": "identity issuer"},
	"runner-changed": {"class": "always", "claim": "runner", "spoken": "runner"},
	"ref-kind-changed": {"class": "always"},
	"trusted-publisher-lost": {"class": "always"},
	"publisher-changed": {"class": "debt"},
	"publisher-unknown": {"class": "debt"},
	"maintainers-changed": {"class": "debt"},
}

# A release that has been out for long, and differs only from what nobody here approved, is a debt.
default class(_, _, _, _) := "always"

class(class, _, _, _) := class if class != "always"

# An organisation may take a rebuild for the provenance that is missing: what was built from the source is known then.
class("always", "provenance-lost", p, _) := "debt" if {
	input.parameters.trust_drift.rebuild_is_enough == true
	p.provenance.state == "unattested"
	count(input.rebuilt[p.id]) > 0
}

class("always", _, p, before) := "debt" if {
	before.source == "history"
	p.publish.time != null
	is_number(input.parameters.trust_drift.history_days)
	published := time.parse_rfc3339_ns(p.publish.time)
	times.now - published >= (input.parameters.trust_drift.history_days * 24) * times.hour
}

extra(before) := "" if before.source == "approved"

extra(before) := before.version if before.source == "history"

# (1) Provenance was there and is not.
drifted("provenance-lost", p, before) if {
	before.provenance.state == "verified"
	not p.provenance.state in {"verified", "unreachable", "cannot-verify"}
}

drifted("provenance-unknown", p, before) if {
	before.provenance.state == "verified"
	p.provenance.state in {"unreachable", "cannot-verify"}
}

# (2) Both are attested: by the same builder?
attested(p, before) if {
	before.provenance.state == "verified"
	p.provenance.state == "verified"
}

drifted("repository-changed", p, before) if {
	attested(p, before)
	not same_repository(p.provenance.claims, before.provenance.claims)
}

drifted("repository-renamed", p, before) if {
	attested(p, before)
	same_repository(p.provenance.claims, before.provenance.claims)
	p.provenance.claims.repository != before.provenance.claims.repository
}

drifted("repository-transferred", p, before) if {
	attested(p, before)
	same_repository(p.provenance.claims, before.provenance.claims)
	before.provenance.claims.owner_id != null
	p.provenance.claims.owner_id != before.provenance.claims.owner_id
}

drifted(code, p, before) if {
	claim := codes[code].claim
	attested(p, before)
	p.provenance.claims[claim] != before.provenance.claims[claim]
}

drifted("ref-kind-changed", p, before) if {
	attested(p, before)
	ref_kind(p.provenance.claims) != ref_kind(before.provenance.claims)
}

# The numeric id decides where both have one: it survives a rename and a transfer, and one forge never gives it twice.
same_repository(now, before) if {
	now.repository_id != null
	now.repository_id == before.repository_id
	builder.same_forge(now.repository, before.repository)
}

same_repository(now, before) if {
	some claims in [now, before]
	claims.repository_id == null
	now.repository == before.repository
	now.owner_id == before.owner_id
}

ref_kind(claims) := "none" if claims.ref == null

ref_kind(claims) := concat("/", array.slice(split(claims.ref, "/"), 0, 2)) if claims.ref != null

# (3) Who published it, by the registry's word.
drifted("trusted-publisher-lost", p, before) if {
	before.trusted_publisher != null
	p.trusted_publisher != before.trusted_publisher
	p.publisher != null
}

drifted("publisher-changed", p, before) if {
	before.trusted_publisher == null
	before.publisher != null
	p.publisher != null
	p.trusted_publisher == null
	p.publisher != before.publisher
}

drifted("publisher-unknown", p, before) if {
	before.publisher != null
	p.publisher == null
}

drifted("maintainers-changed", p, before) if {
	known := before.maintainers
	is_array(known)
	count(known) > 0
	now := maintainers(p)
	count(now) > 0
	{m | some m in now} != {m | some m in known}
}

maintainers(p) := object.get(input.earlier, p.id, {"maintainers": []}).maintainers

# (4) What it should be measured against is not known.
findings contains f if {
	some id in finding.unknown_denies(measured - packages.first_party)
	p := packages.by_id[id]
	p.kind == "registry"
	reason := unknown_earlier(p)
	f := finding.of("trust_drift", "earlier-unknown", "changed", p, {
		"message": sprintf("whether %s is published like the releases before it cannot be told (%s)", [packages.label(p), reason]),
		"fix": "run again with the registry in reach",
		"unknown": true,
	})
}

unknown_earlier(p) := "nobody asked what was released before it" if not input.earlier[p.id]

unknown_earlier(p) := input.earlier[p.id].unknown if input.earlier[p.id].unknown != ""

unknown_earlier(p) := sprintf("%s is attested by the registry's word: %s", [lost[0].version, lost[0].provenance.reason]) if {
	input.earlier[p.id].unknown == ""
	lost := [e |
		some e in history(p)
		e.advertised
		e.provenance.state in {"unreachable", "advertised-missing"}
	]
	count(lost) > 0
}

# --------------------------------------------------------------------------------------------------------------------
# What is said

message("provenance-lost", p, before) := sprintf("%s was built by %s; %s carries %s", [
	before.spoken, builder.describe(before.provenance.claims), p.version, carries(p),
])

message("provenance-unknown", p, before) := sprintf("%s was built by %s; whether %s was cannot be told (%s: %s)", [
	before.spoken, builder.describe(before.provenance.claims), p.version, p.provenance.state, p.provenance.reason,
])

message("repository-changed", p, before) := sprintf("%s was built by %s; %s by %s", [
	before.spoken, numbered(before.provenance.claims), p.version, numbered(p.provenance.claims),
])

message("repository-renamed", p, before) := sprintf("its repository %s is now %s (same id)", [
	before.provenance.claims.repository, p.provenance.claims.repository,
])

message("repository-transferred", p, before) := sprintf("its repository belonged to %v (id %v) and now to %v (id %v)", [
	before.provenance.claims.owner, before.provenance.claims.owner_id, p.provenance.claims.owner, p.provenance.claims.owner_id,
])

message(code, p, before) := sprintf("%s was built with %s %v, %s with %v", [
	before.spoken, codes[code].spoken, before.provenance.claims[codes[code].claim], p.version, p.provenance.claims[codes[code].claim],
])

message("ref-kind-changed", p, before) := sprintf("%s was built from %v, %s from %v", [
	before.spoken, before.provenance.claims.ref, p.version, p.provenance.claims.ref,
])

message("trusted-publisher-lost", p, before) := sprintf("%s came from a trusted publisher (%s); %s was published by %s %s, by the registry's word", [
	before.spoken, before.trusted_publisher, p.version, p.publisher, means(p),
])

message("publisher-changed", p, before) := sprintf("%s was published by %s; %s by %s, by the registry's word", [
	before.spoken, before.publisher, p.version, p.publisher,
])

message("publisher-unknown", p, before) := sprintf("%s was published by %s; who published %s is not known", [before.spoken, before.publisher, p.version])

message("maintainers-changed", p, before) := sprintf("%s was maintained by %s; %s by %s, by the registry's word", [
	before.spoken, concat(", ", before.maintainers), p.version, concat(", ", maintainers(p)),
])

default carries(_) := "one that cannot be used"

carries(p) := "no provenance" if p.provenance.state in {"unattested", "not-applicable"}

carries(p) := "an invalid one" if p.provenance.state == "invalid"

carries(p) := "none, though the registry advertises it" if p.provenance.state == "advertised-missing"

numbered(claims) := sprintf("%s (repository id %s)", [builder.describe(claims), claims.repository_id]) if claims.repository_id != null

numbered(claims) := builder.describe(claims) if claims.repository_id == null

means(p) := "with a token" if p.trusted_publisher == null

means(p) := sprintf("through %s", [p.trusted_publisher]) if p.trusted_publisher != null

default fix(_, _, _) := "run again with the registry in reach"

fix(code, p, before) := sprintf("stay on %s %s, or have the change approved", [p.name, before.version]) if {
	not code in {"provenance-unknown", "publisher-unknown", "repository-renamed", "repository-transferred", "publisher-changed", "maintainers-changed"}
}

fix(code, _, _) := "nothing to do, if the project announced it" if code in {"repository-renamed", "repository-transferred"}

fix("publisher-changed", p, _) := sprintf("ask whether %s may publish it; then have it approved", [p.publisher])

fix("maintainers-changed", _, _) := "ask the project whether this is meant; then have it approved"
