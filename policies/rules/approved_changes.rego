# METADATA
# title: Approved changes
# description: |
#   Treats a dependency update as the privileged change that it is: every package and every edge that the last approved
#   build did not have, and every changed setting of the package manager, needs a person who approved exactly it
#   (`sbomgate review`, `sbomgate approve`). Recorded under `default`, a warning under `strict`; `release` denies without
#   an approval. An edge that was written into the entry of an unchanged package is one of them, even where both packages
#   were there: no byte of either says so. (An optional peer that is met now is none.)
#   It also says which waivers and approvals count for nothing, and why: nobody who is accepted signed them, they have
#   ended, cover nothing, are there twice, are by whoever made the change, or wait for another person; and which end soon.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Update bots, rebuilds and ranges carried the hijacked releases into builds, and nobody had looked at the change.
#   fix: Look at the change (`sbomgate review`), and approve it (`sbomgate approve`), or go back to the approved lockfile.
#   unknown: Without a baseline nothing is a change; new_dependencies says that there is none.
#   severity:
#     package: {default: note, strict: warn, release: deny}
#     edge: {default: note, strict: warn, release: deny}
#     rewired: {default: note, strict: warn, release: deny}
#     settings: {default: note, strict: warn, release: deny}
#     waiver-refused: {default: warn, strict: warn, release: warn}
#     waiver-ends-soon: {default: note, strict: note, release: note}
#     waiver-unused: {default: note, strict: note, release: note}
#     waiver-waits: {default: note, strict: note, release: note}
#   parameters:
#     ends_soon_days:
#       type: number
#       minimum: 0
#       default: 14
#       stricter: larger
#       description: Days before its end from which a waiver or an approval is reported.
package sbomgate.rules.approved_changes

import data.sbomgate.lib.edges
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times

look := "look at the change (`sbomgate review`) and have it approved (`sbomgate approve`)"

findings contains f if {
	some id in packages.changed
	p := packages.by_id[id]
	f := finding.of("approved_changes", "package", "release", p, {
		"message": sprintf("%s is not in the last approved build", [packages.label(p)]),
		"fix": look,
		"extra": address(p),
	})
}

# A version without integrity is told from another by where it comes from.
address(p) := "" if p.integrity != null

address(p) := sprintf("%v", [p.resolved]) if p.integrity == null

# Edges of what is the project's own. Those of a changed package come with it: its bytes declare them.
findings contains f if {
	some [source, id] in edges.added
	source in ({""} | packages.own)
	name := packages.entries[id].name
	f := finding.of("approved_changes", "edge", "release", edges.declaring(source), {
		"message": sprintf("%s depends on %s, and did not in the last approved build", [edges.spoken(source), name]),
		"fix": look,
		"extra": name,
	})
}

# Edges of what is unchanged: its bytes declare its dependencies, and they are the approved ones.
findings contains f if {
	some [source, id] in edges.added
	source in edges.rewired
	not source in packages.changed
	not source in packages.own
	name := packages.entries[id].name
	f := finding.of("approved_changes", "rewired", "release", edges.declaring(source), {
		"message": sprintf("%s is unchanged, and its entry now depends on %s", [edges.spoken(source), name]),
		"fix": look,
		"extra": name,
	})
}

findings contains f if {
	packages.settings_changed
	f := finding.of("approved_changes", "settings", "release", packages.whole, {
		"message": "the package manager is told something else than in the last approved build",
		"fix": look,
		"extra": json.marshal(packages.told(input.manager)),
	})
}

# What became of waivers and approvals. Of those that were accepted decision.rego says it: it alone knows what the other
# rules found.
register := {
	"waiver-unused": "counts for nothing",
	"waiver-waits": "is not enough",
}

findings contains f if {
	some refused in input.refused_waivers
	f := finding.of("approved_changes", "waiver-refused", "warn", packages.whole, {
		"message": sprintf("%s does not count: %s", [refused.name, refused.reason]),
		"fix": "have it signed by an approver of the trust file, or remove it",
		"waivable": false,
		"extra": refused.name,
	})
}

findings contains f if {
	some w in array.concat(input.waivers, input.approvals)
	times.ahead(w.until)
	left := time.parse_rfc3339_ns(w.until) - times.now
	left < (input.parameters.approved_changes.ends_soon_days * 24) * times.hour
	f := finding.of("approved_changes", "waiver-ends-soon", "note", packages.whole, {
		"message": sprintf("the waiver or approval %s by %s ends in %s", [substring(w.id, 0, 12), w.by, times.span(left)]),
		"fix": "have it looked at again before it ends",
		"waivable": false,
		"extra": w.id,
	})
}
