# METADATA
# title: The decision
# description: |
#   Collects what every rule package says, applies the waivers, and gives the verdict. The result is undefined, which
#   is no decision, unless every rule package under `data.sbomgate.rules` defined its set of findings and every finding
#   is whole. The verdict is "denied" unless nothing that denies is left.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.decision

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times

# METADATA
# title: The evaluation's result
# entrypoint: true
result := {
	"schema": "sbomgate/evaluation/v1",
	"verdict": verdict,
	"profile": input.profile,
	"findings": findings,
	"rules": sort(ran),
	"packages": count(input.packages),
	"waived_by": waived,
	"unused_waivers": sort(unused_waivers),
} if {
	sound
}

# (1) Every rule package there is has run, and there is at least one.
present := object.keys(data.sbomgate.rules)

ran := {id | some id; is_set(data.sbomgate.rules[id].findings)}

# (2) What is judged is what is declared: no packages, although something is depended on, is no input.
default dependencies_without_packages := false

dependencies_without_packages if {
	count(input.packages) == 0
	some source in input.unmet
	some edge in source
	edge.kind in {"prod", "dev", "optional", "peer", "unknown"}
}

dependencies_without_packages if {
	count(input.packages) == 0
	some targets in input.edges
	count(targets) > 0
}

# (3) Every finding is whole: one that lacks a field drops out here, and is missed in the count. Each is taken apart by one
# pattern, as there may be a hundred thousand. Only this package waives.
said := [[rule, about, code, fingerprint, f, level, waivable] |
	known := shapes
	there := subjects
	some id in ran
	some f in data.sbomgate.rules[id].findings
	{
		"rule": rule, "code": code, "level": level, "package": about, "message": message, "fix": fix,
		"unknown": unknown, "waivable": waivable, "waived": is_waived, "fingerprint": fingerprint,
	} := f
	rule == id
	[level, unknown, waivable, is_waived] in known
	is_string(code)
	is_string(message)
	is_string(fix)
	is_string(fingerprint)
	count(fingerprint) == 64
	about in there
]

shapes := {[level, unknown, waivable, false] |
	some level in ["deny", "warn", "note"]
	some unknown in [true, false]
	some waivable in [true, false]
}

# What a finding may be about: a package, or none of them alone.
subjects := object.keys(packages.entries) | {null}

# (4) Everything that a rule may have looked at is there: what lacks a field, or a name whose approved versions are not
# said, would drop out of the rules' loops.
whole_packages if {
	count(packages.entries) == count(input.packages)
	count(packages.facts_used) == count(input.packages)
	count({index | some index in packages.facts_used} - packages.all_facts) == 0
	is_array(input.baseline.gained)
	packages.has_all(((packages.noticed | packages.changed) | packages.own))
	every id in packages.changed {
		packages.before(packages.entries[id].name)
	}
	is_object(input.manifests)
	every id, odd in input.manifests {
		packages.entries[id]
		is_array(odd.disagreements)
		is_array(odd.shadows)
	}
	is_object(input.earlier)
	every id, history in input.earlier {
		packages.entries[id]
		is_string(history.unknown)
		is_array(history.maintainers)
		every release in history.releases {
			is_string(release.version)
			is_boolean(release.advertised)
			is_string(release.provenance.state)
			is_array(release.maintainers)
		}
	}
}

sound if {
	input.schema == "sbomgate/policy-input/v1"
	input.profile in {"observe", "default", "strict", "release"}
	input.baseline.state in {"bootstrap", "accepted"}
	is_number(times.now)
	count(present) > 0
	ran == present
	not dependencies_without_packages
	whole_packages
	count(said) == sum([count(data.sbomgate.rules[id].findings) | some id in ran])
}

# (5) Waivers and approvals. One counts only while its end lies ahead, for this project, and for exactly this finding: an
# approval names findings by their fingerprints; a waiver names one so, or by rule, name, version and integrity.
live := [w |
	some w in array.concat(input.waivers, input.approvals)
	w.project == project
	times.ahead(w.until)
]

# A repository is who the project is; its name, which the tree itself states, only where no repository is known.
project := input.project.repository.value if not is_null(input.project.repository)

project := input.project.name if is_null(input.project.repository)

# (5a) Whoever made the change does not approve it. An author who is not known may be any of the approvers: then one
# more person is needed (P30).
default quorum := 1000000

quorum := input.trust.quorum if input.change.authors_known == true

quorum := input.trust.quorum + 1 if input.change.authors_known == false

authors := {name | some name in input.change.authors}

# (5b) What covers what: by fingerprint, since copies of one package share it, and so does what covers them.
to_waive := {fingerprint | some [_, _, _, fingerprint, _, _, true] in said}

covered := {fingerprint: object.keys(ids) |
	some fingerprint, ids in object.union_n([{fingerprint: {id: true}} | some [fingerprint, id] in covers])
}

covers contains [fingerprint, w.id] if {
	some w in live
	some fingerprint in w.findings
	fingerprint in to_waive
}

covers contains [fingerprint, id] if {
	count(meant) > 0
	some [rule, _, _, fingerprint, _, _, true] in said
	some id in meant[[rule, fingerprint]]
}

covers contains [fingerprint, id] if {
	count(meant) > 0
	some [rule, about, _, fingerprint, _, _, true] in said
	p := packages.entries[about]
	some id in meant[[rule, p.name, p.version, p.integrity]]
}

# What a waiver means → the ids of those that mean it: each finding looks for its own, and not each waiver for each finding.
meant := {means: object.keys(ids) | some means, ids in object.union_n([{meaning(w): {w.id: true}} | some w in live])}

meaning(w) := [w.rule, w.fingerprint] if w.fingerprint != null

meaning(w) := [w.rule, w.name, w.version, w.integrity] if w.fingerprint == null

# (5c) What each finding is waived by: of every person the one that lasts longest, and of the persons those whose
# lasts longest, as many as are needed.
signer := {w.id: w.by | some w in live}

lasts := {w.id: [time.parse_rfc3339_ns(w.until), w.id] | some w in live}

waived := {fingerprint: ids |
	some fingerprint, held in covered
	said_by := {by: max([lasts[other] | some other in held; signer[other] == by]) |
		some id in held
		by := signer[id]
		not by in authors
	}
	count(said_by) >= quorum
	longest := array.reverse(sort([one | some one in said_by]))
	ids := sort([one[1] | some one in array.slice(longest, 0, quorum)])
}

used_waivers := {id | some ids in waived; some id in ids}

unused_waivers := {w.id | some w in array.concat(input.waivers, input.approvals)} - used_waivers

# (5d) What each of the others is good for, so that nobody relies on it: unused, stale or there twice (P31); or one of the
# persons who are needed. These are notes of approved_changes, which alone cannot know what the other rules found.
register contains f if {
	words := data.sbomgate.rules.approved_changes.register
	some w in array.concat(input.waivers, input.approvals)
	not w.id in used_waivers
	[code, why] := idle(w)
	f := finding.of("approved_changes", code, "note", packages.whole, {
		"message": sprintf("the waiver or approval %s by %s %s: %s", [substring(w.id, 0, 12), w.by, words[code], why]),
		"fix": "look at `sbomgate waivers list`, and remove what is not needed",
		"waivable": false,
		"extra": w.id,
	})
}

default idle(_) := ["waiver-waits", "another person must say so as well"]

idle(w) := ["waiver-unused", "it has ended"] if {
	not times.ahead(w.until)
} else := ["waiver-unused", sprintf("it is for another project, %s", [w.project])] if {
	w.project != project
} else := ["waiver-unused", "it covers nothing that was found"] if {
	not w.id in covering
} else := ["waiver-unused", "the same person says the same for longer"] if {
	outlasted(w)
} else := ["waiver-unused", "who signed it made the change"] if {
	w.by in authors
} else := ["waiver-unused", "enough others said so for longer"] if {
	w.id in spare
} else := ["waiver-waits", sprintf("%d people are needed, as %s", [quorum, input.change.reason])] if {
	input.change.authors_known == false
} else := ["waiver-waits", sprintf("%d people are needed", [quorum])]

covering := {id | some ids in covered; some id in ids}

# Covers nothing that still waits for somebody.
spare := covering - {id | some fingerprint, ids in covered; not waived[fingerprint]; some id in ids}

outlasted(w) if longest[[w.by, about(w)]] > lasts[w.id]

longest := {same: max(ends) | some same, ends in lasting}

lasting[[w.by, about(w)]] contains lasts[w.id] if some w in live

about(w) := w.findings

about(w) := [w.rule, w.name, w.version, w.integrity, w.fingerprint] if not w.findings

# (6) Sorted by rule, package (none comes first), code, fingerprint.
findings := [f |
	some [_, _, _, _, f] in sort([[rule, about, code, fingerprint, marked(f, fingerprint, waivable)] |
		some [rule, about, code, fingerprint, f, _, waivable] in all_said
	])
] if {
	count(waived) > 0
}

# Most often nothing is waived, and then each is as it was said.
findings := [f | some [_, _, _, _, f, _, _] in sort(all_said)] if count(waived) == 0

all_said := array.concat(said, [[f.rule, f.package, f.code, f.fingerprint, f, f.level, f.waivable] | some f in register])

marked(f, fingerprint, true) := object.union(f, {"waived": true}) if {
	waived[fingerprint]
} else := f

marked(f, _, false) := f

# (7) The verdict: denied, unless each finding is known not to deny. `observe` records and never denies.
default verdict := "denied"

verdict := "allowed" if input.profile == "observe"

verdict := "allowed" if {
	every level in levels_left {
		level in {"warn", "note"}
	}
	count(findings) == count(said) + count(register)
}

# Of what nothing waives.
levels_left := {level | some [_, _, _, _, _, level, _] in all_said} if count(waived) == 0

levels_left := {level |
	some [_, _, _, fingerprint, _, level, waivable] in all_said
	not forgiven(fingerprint, waivable)
} if {
	count(waived) > 0
}

forgiven(fingerprint, true) if waived[fingerprint]
