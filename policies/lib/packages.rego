# METADATA
# title: Packages
# description: |
#   The packages of the input, sorted out once: who comes from outside, who is first-party, what is new or changed
#   against the last approved build. Every rule looks up here and scans nothing twice.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.packages

import data.sbomgate.lib.builder
import data.sbomgate.lib.times

# Stands for the project as a whole, where a finding is about no single package.
whole := {"id": null, "name": "", "version": null, "integrity": null}

# What is a package's own, by id.
entries := {p.id: p | some p in input.packages}

# A package with its facts. The input states equal facts once, for all packages that share them; here they are looked up
# for the packages that a rule asks for. One that lacks a field has no value here: decision.rego then decides nothing.
by_id[id] := {
	"id": id,
	"name": p.name,
	"version": p.version,
	"kind": f.kind,
	"resolved": p.resolved,
	"integrity": p.integrity,
	"registry": f.registry,
	"registry_integrity": registry_integrity(p, input.facts[p.facts]),
	"publish": {
		"time": p.published, "first": p.first_published, "source": f.publish.source, "reason": f.publish.reason,
		"absent": f.publish.absent, "seen": f.publish.seen,
	},
	"scripts": f.scripts,
	"signature": f.signature,
	"publish_attestation": f.publish_attestation,
	"provenance": f.provenance,
	"publisher": p.publisher,
	"trusted_publisher": f.trusted_publisher,
	"licence": f.licence,
	"deprecated": f.deprecated,
	"malicious": f.malicious,
	"malicious_name": f.malicious_name,
	"similar": f.similar,
} if {
	some id
	p := entries[id]
	f := shared[p.facts]
}

# What of it comes from the facts, by their index: no value where they lack any of it.
shared[index] := {
	"kind": f.kind,
	"registry": f.registry,
	"publish": {
		"source": f.publish.source, "reason": f.publish.reason,
		"absent": f.publish.absent, "seen": f.publish.seen,
	},
	"scripts": f.scripts,
	"signature": f.signature,
	"publish_attestation": f.publish_attestation,
	"provenance": f.provenance,
	"trusted_publisher": f.trusted_publisher,
	"licence": f.licence,
	"deprecated": f.deprecated,
	"malicious": f.malicious,
	"malicious_name": f.malicious_name,
	"similar": f.similar,
} if {
	some index
	f := input.facts[index]
}

# Whether each of these ids has a value there. Of most it shows in one look: they have the fields that every package has, and
# facts that are there and speak of no other integrity. The rest are put together.
has_all(ids) if {
	every id in ids - of_usual_form(ids) {
		by_id[id]
	}
}

of_usual_form(ids) := {id |
	all := entries
	these := usual_facts
	some id in ids
	{
		"id": id, "name": _, "version": _, "flags": _, "resolved": _, "integrity": _, "published": _, "first_published": _,
		"publisher": _, "facts": index,
	} = object.get(all, id, null) # OPA's checker takes an object without the other fields for a mistake
	index in these
}

usual_facts := {index |
	some index in (object.keys(eventful) | own_facts)
	shared[index]
	input.facts[index].registry_agrees in {true, null}
}

registry_integrity(p, f) := p.integrity if f.registry_agrees == true

registry_integrity(p, f) := p.registry_integrity if f.registry_agrees == false

registry_integrity(_, f) := null if f.registry_agrees == null

# The package that a lock finding names, or the whole project.
named(id) := by_id[id]

named(id) := whole if not entries[id]

own := {p.id |
	count(own_facts) > 0
	some p in input.packages
	p.facts in own_facts
}

own_facts := {index | some index, f in input.facts; f.kind in {"workspace", "link"}}

# Everything whose bytes are not the project's own.
outside := object.keys(entries) - own

# Packages about which any fact is other than good news. `quiet` says what good news is, so whatever is missing, young,
# or new to this policy is noticed. Rules look among these for what is rare.
noticed := union({ids | some ids in noticed_with})

noticeable := [p | some packages in noticeable_with; some p in packages]

# The same by the index of their facts: their ids, the facts, the packages. A rule asks once what all who share facts answer
# alike, and then looks at the packages.
noticed_with := {index: ids |
	some index, having in eventful
	not index in settled_facts
	ids := loud(index, having) - own
	count(ids) > 0
}

noticed_facts := {index: input.facts[index] | some index, _ in noticed_with}

noticeable_with := {index: [by_id[id] | some id in ids] | some index, ids in noticed_with}

loud(index, ids) := ids if not index in good_facts

loud(index, ids) := {id | some id in ids; not is_quiet(entries[id])} if index in good_facts

# What is neither settled nor held, by the index of its facts: of most trees few, so that all packages are looked at once,
# by their facts first. (One whose facts are not there would be missed: decision.rego then decides nothing.)
eventful := {index: object.keys(ids) |
	some index, ids in object.union_n([{index: {input.packages[i].id: true}} |
		these := eventful_facts
		index := input.packages[i].facts
		these[index]
	])
}

eventful_facts := all_facts - (settled_facts & held_facts) if accepted

eventful_facts := all_facts - settled_facts if not accepted

all_facts := {index | some index, _ in input.facts}

# The facts of each package, in order.
facts_used := [index | index := input.packages[_].facts]

# Of most packages the facts that they share say enough: all is good news, and none of them is young.
settled_facts := {index |
	some index in good_facts
	f := input.facts[index]
	is_old(f.published_until, f.first_published_until)
}

is_quiet(p) if {
	p.facts in good_facts
	is_old(p.published, p.first_published)
}

is_old(published, first_published) if {
	is_string(published)
	is_string(first_published)
	published < times.oldest_young
	first_published < times.oldest_first
}

good_facts := {index |
	some index, f in input.facts
	f.kind == "registry"
	f.registry_agrees == true
	[
		f.scripts.state, f.signature.state, f.publish_attestation.state,
		f.publish.reason, f.malicious, f.malicious_name, f.scripts.disagreements, f.publish.absent,
	] in good_news
	f.publish_attestation.log_proof != "SET"
	builder.is_unremarkable(f.provenance)
}

good_news := {["none", signature, published, "", [], [], [], null] |
	some signature in ["verified", "absent", "not-served"]
	some published in ["verified", "unattested"]
}

# What a registry should vouch for: with a publish time, a signature, attestations. A kind that the lockfile does not
# say is held to the same, so that nothing passes by being unreadable.
vouched_with := {index: ids |
	some index, noticed_ids in noticed_with
	input.facts[index].kind in {"registry", "patch", "unknown"}
	ids := noticed_ids - first_party
	count(ids) > 0
}

noticeable_vouched := [p |
	some index, ids in vouched_with
	some p in noticeable_with[index]
	p.id in ids
]

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
changed := union({ids |
	some index, ids in eventful
	not index in held_facts
}) - own if accepted

changed := set() if not accepted

# Of the same version with the same bytes.
held_facts := {index | some index, f in input.facts; f.held == true}

# Names that the accepted baseline does not hold at all.
new_names := {p.name |
	some id in changed
	p := entries[id]
	input.baseline.held[p.name] == false
}

# The baseline's entries for the names of what changed: what drift is measured against. Undefined for a name of which the
# input does not say whether it was held, or says so and not what was held: decision.rego then decides nothing.
before(name) := input.baseline.packages[name] if input.baseline.held[name] == true

before(name) := [] if input.baseline.held[name] == false

label(p) := sprintf("%s %s", [p.name, p.version]) if p.version != null

label(p) := p.name if p.version == null

# `a 1.0.0, b 2.0.0, c 3.0.0 and 9 more`; whoever adds that up misses the copies, so it is said where there are any.
enumerate(ids) := concat("", [first_three(labels), once(count(labels), count(ids))]) if {
	labels := sort({label(entries[id]) | some id in ids})
}

first_three(labels) := concat(", ", labels) if count(labels) <= 3

first_three(labels) := sprintf("%s and %d more", [concat(", ", array.slice(labels, 0, 3)), count(labels) - 3]) if count(labels) > 3

once(labels, ids) := ", copies counted once" if labels < ids

once(labels, ids) := "" if labels >= ids

# What a finding about several packages is bound to: other packages, or other bytes, are another finding.
identity(ids) := crypto.sha256(json.marshal({id: [p.name, p.version, p.resolved, p.integrity] |
	all := entries
	some id in ids
	p := all[id]
}))

# The package manager is told something else than in the approved build.
settings_changed if {
	accepted
	told(input.manager) != told(input.baseline.manager)
}

told(manager) := [manager.registry, manager.scopes, manager.settings]
