# METADATA
# title: New dependencies
# description: |
#   Compares names and edges with the last approved build. Denies a package whose very first release is days old, a
#   name that is new and of unknown age, and an update that brings in a new package which is young, scripted or (in a
#   patch release) unattested. A plain, old, new dependency warns. Without a baseline there is one finding for the
#   whole, and the packages that did not exist last week are denied all the same.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     The payload of a hijacked release often sits in a new dependency that nobody has used before. A new name is the one
#     change that a version bump should not bring by itself.
#   fix: Stay on the version before it, or have the new dependency approved.
#   unknown: A new name whose first release is not known denies under every profile; without a baseline it is counted by complete_evidence.
#   severity:
#     young-package: {default: deny, strict: deny, release: deny}
#     first-release-unknown: {default: deny, strict: deny, release: deny}
#     update-brings-new: {default: deny where young or scripted or unknown or unattested in a patch, strict: deny, release: deny}
#     new-package: {default: warn, strict: deny, release: deny}
#     new-edge: {default: warn, strict: deny, release: deny}
#     lookalike: {default: warn, strict: deny, release: deny}
#     no-baseline: {default: note, strict: warn, release: deny}
#   parameters:
#     first_release_days:
#       type: number
#       minimum: 0
#       default: 7
#       stricter: larger
#       description: Days that must lie between the very first release of a package and the decision.
package sbomgate.rules.new_dependencies

import data.sbomgate.lib.edges
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times
import data.sbomgate.lib.versions

# (1) No baseline: one finding, not one for each package.
findings contains f if {
	not packages.accepted
	judged := count(input.packages) - count(packages.own)
	judged > 0
	f := finding.of("new_dependencies", "no-baseline", "release", packages.whole, {
		"message": sprintf("no approved build to compare %d packages with (%s)", [judged, input.baseline.reason]),
		"fix": "once a person has looked at this build, name its evidence as the baseline (`--baseline`)",
		"extra": input.lockfile.sha256,
	})
}

# (2) Packages that the project did not use before; without a baseline, all of them.
arrived(_) if not packages.accepted

arrived(p) if p.name in packages.new_names

findings contains f if {
	some id in times.first_young
	p := packages.by_id[id]
	arrived(p)
	f := finding.of("new_dependencies", "young-package", "always", p, {
		"message": sprintf("%s was first published %s ago%s", [p.name, existed(p), unused]),
		"fix": "do without it until others have looked at it, or have it approved",
	})
}

unused := ", never used here before" if packages.accepted

unused := "" if not packages.accepted

existed(p) := times.span(max([times.now - time.parse_rfc3339_ns(p.publish.first), 0]))

findings contains f if {
	packages.accepted
	some ids in packages.vouched_with
	some id in ids
	packages.entries[id].first_published == null
	p := packages.by_id[id]
	arrived(p)
	f := finding.of("new_dependencies", "first-release-unknown", "always", p, {
		"message": sprintf("%s was never used here before, and nobody knows since when it exists (%s)", [p.name, p.publish.reason]),
		"fix": "run with the registry in reach, or have it approved",
		"unknown": true,
	})
}

findings contains f if {
	some id in packages.changed
	p := packages.by_id[id]
	p.name in packages.new_names
	not p.id in times.first_young
	f := finding.of("new_dependencies", "new-package", "debt", p, {
		"message": sprintf("%s was never used here before", [packages.label(p)]),
		"fix": "have it approved, or do without it",
	})
}

findings contains f if {
	some id in packages.changed
	p := packages.by_id[id]
	p.name in packages.new_names
	p.similar != []
	f := finding.of("new_dependencies", "lookalike", "debt", p, {
		"message": sprintf("%s was never used here before and is one letter away from %s", [p.name, concat(", ", p.similar)]),
		"fix": "make sure that the name is the one that was meant",
	})
}

# (3a) An update of a package that we use brings in a package that we do not.
findings contains f if {
	some [source, id] in edges.added
	source in packages.changed
	input.baseline.held[edges.source_name(source)]
	target := packages.by_id[id]
	target.name in packages.new_names
	p := packages.by_id[source]
	f := finding.of("new_dependencies", "update-brings-new", brings_class(p, target), p, {
		"message": sprintf("brings in %s, %s, never used here before", [packages.label(target), since(target)]),
		"fix": sprintf("stay on the approved version of %s, or have %s approved", [p.name, target.name]),
		"extra": json.marshal([target.name, target.version, target.integrity]),
	})
}

brings_class(p, target) := "debt" if harmless(p, target)

brings_class(p, target) := "always" if not harmless(p, target)

# Old, without a script, and either attested or brought by more than a patch release.
harmless(p, target) if {
	target.publish.first != null
	not target.id in times.first_young
	target.publish.time != null
	not target.id in times.young
	target.scripts.state == "none"
	expected_step(p, target)
}

expected_step(_, target) if target.provenance.state == "verified"

expected_step(p, _) if {
	before := versions.predecessor(p.version, packages.before(p.name))
	versions.step(before.version, p.version) != "patch"
}

since(target) := sprintf("first published %s ago", [existed(target)]) if target.publish.first != null

since(target) := "of unknown age" if target.publish.first == null

# (3b) The edge was not there before, and comes with no new package and no update: both ends were there, or the entry of
# an approved version was given another dependency (an override of the project does that too).
findings contains f if {
	some [source, id] in edges.added
	target := packages.by_id[id]
	is_rewired(source, target)
	not edges.source_name(source) in packages.new_names
	f := finding.of("new_dependencies", "new-edge", "debt", edges.declaring(source), {
		"message": sprintf("%s now depends on %s", [edges.spoken(source), target.name]),
		"fix": "have the change approved",
		"extra": target.name,
	})
}

is_rewired(_, target) if not target.name in packages.new_names

is_rewired(source, target) if {
	target.name in packages.new_names
	source in edges.rewired
	not source in packages.changed
	not source in packages.own
}
