# METADATA
# title: Packages
# description: |
#   The packages of the input, sorted out once: who comes from outside, who is first-party, what is new or changed
#   against the last approved build. Every rule looks up here and scans nothing twice.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.packages

import data.sbomgate.lib.times

# Stands for the project as a whole, where a finding is about no single package.
whole := {"id": null, "name": "", "version": null, "integrity": null}

by_id := {p.id: p | some p in input.packages}

# The package that a lock finding names, or the whole project.
named(id) := by_id[id]

named(id) := whole if not by_id[id]

# Everything whose bytes are not the project's own.
outside := [p | some p in input.packages; not p.kind in {"workspace", "link"}]

own := object.keys(by_id) - {p.id | some p in outside}

# Packages about which any fact is other than good news. `quiet` lists what good news is, so whatever is missing, young,
# or new to this policy is noticed. Rules that look for something rare look among these. What is the same for all
# packages is looked up once, outside the loop.
noticeable := [p |
	settled := quiet
	some p in outside
	not p.id in settled
]

quiet := {p.id |
	good := good_news
	oldest_young := times.oldest_young
	oldest_first := times.oldest_first
	some p in outside
	[
		p.kind, p.scripts.state, p.signature.state, p.publish_attestation.state, p.provenance.state,
		p.publish.reason, p.malicious, p.malicious_name, p.scripts.disagreements, p.publish.absent,
	] in good
	p.integrity == p.registry_integrity
	p.publish.time != null
	p.publish.time < oldest_young
	p.publish.first != null
	p.publish.first < oldest_first
}

good_news := {["registry", "none", signature, published, built, "", [], [], [], null] |
	some signature in ["verified", "absent", "not-served"]
	some published in ["verified", "unattested"]
	some built in ["verified", "unattested"]
}

# What a registry should vouch for: with a publish time, a signature, attestations. A kind that the lockfile does not
# say is held to the same, so that nothing passes by being unreadable.
noticeable_vouched := [p |
	some p in noticeable
	is_vouched(p)
]

is_vouched(p) if {
	p.kind in {"registry", "patch", "unknown"}
	not p.id in first_party
}

# Packages of the trust file's first-party scopes and names: no public evidence can be asked of them.
first_party := {p.id |
	count(first_party_names) > 0
	some p in input.packages
	is_first_party(p.name)
}

first_party_names := {name | some name in input.trust.first_party}

is_first_party(name) if name in first_party_names

is_first_party(name) if split(name, "/")[0] in first_party_names

scope(name) := split(name, "/")[0] if startswith(name, "@")

scope(name) := null if not startswith(name, "@")

accepted if input.baseline.state == "accepted"

# New or changed against the accepted baseline; without one nothing is (`bootstrap`).
changed := {p.id |
	accepted
	same := unchanged
	some p in outside
	not p.id in same
}

unchanged contains p.id if {
	some p in outside
	p.integrity != null
	some b in input.baseline.packages[p.name]
	b.integrity == p.integrity
	b.version == p.version
}

unchanged contains p.id if {
	some p in outside
	p.integrity == null
	some b in input.baseline.packages[p.name]
	b.integrity == null
	b.version == p.version
	b.resolved == p.resolved
}

# Names that the accepted baseline does not hold at all.
new_names := {p.name |
	some id in changed
	p := by_id[id]
	not input.baseline.packages[p.name]
}

label(p) := sprintf("%s %s", [p.name, p.version]) if p.version != null

label(p) := p.name if p.version == null

# `a 1.0.0, b 2.0.0, c 3.0.0 and 9 more`
enumerate(ids) := text if {
	labels := sort({label(by_id[id]) | some id in ids})
	count(labels) <= 3
	text := concat(", ", labels)
}

enumerate(ids) := text if {
	labels := sort({label(by_id[id]) | some id in ids})
	count(labels) > 3
	text := sprintf("%s and %d more", [concat(", ", array.slice(labels, 0, 3)), count(labels) - 3])
}

# What a finding about several packages is bound to: other packages, or other bytes, are another finding.
identity(ids) := crypto.sha256(json.marshal({id: [p.purl, p.integrity] |
	some id in ids
	p := by_id[id]
}))

# The package manager is told something else than in the approved build.
settings_changed if {
	accepted
	told(input.manager) != told(input.baseline.manager)
}

told(manager) := [manager.registry, manager.scopes, manager.settings]
