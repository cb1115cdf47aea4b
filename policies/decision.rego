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

# (3) Every finding is whole: one that lacks a field would drop out of the comprehensions below.
said := {[id, f] | some id in ran; some f in data.sbomgate.rules[id].findings}

default whole(_, _) := false

whole(id, f) if {
	f.rule == id
	[f.level, f.unknown, f.waivable, f.waived] in shapes
	is_string(f.code)
	is_string(f.message)
	is_string(f.fix)
	is_string(f.fingerprint)
	count(f.fingerprint) == 64
	about_something(f.package)
}

# Only this package waives.
shapes := {[level, unknown, waivable, false] |
	some level in ["deny", "warn", "note"]
	some unknown in [true, false]
	some waivable in [true, false]
}

about_something(package_id) if package_id == null

about_something(package_id) if packages.entries[package_id]

# (4) Everything that a rule may have looked at is there: what lacks a field, or a name whose approved versions are not
# said, would drop out of the rules' loops.
whole_packages if {
	count(packages.entries) == count(input.packages)
	count(packages.facts_used) == count(input.packages)
	count({index | some index in packages.facts_used} - packages.all_facts) == 0
	is_array(input.baseline.gained)
	every id in (packages.noticed | packages.changed) | packages.own {
		packages.by_id[id]
	}
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
	every pair in said {
		whole(pair[0], pair[1])
	}
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
waivable := {f.fingerprint | some [_, f] in said; f.waivable == true}

covered[fingerprint] contains w.id if {
	some w in live
	some fingerprint in w.findings
	fingerprint in waivable
}

covered[f.fingerprint] contains id if {
	count(of_fingerprint) > 0
	some [rule, f] in said
	f.waivable == true
	some id in of_fingerprint[[rule, f.fingerprint]]
}

covered[f.fingerprint] contains id if {
	count(of_package) > 0
	some [rule, f] in said
	f.waivable == true
	p := packages.entries[f.package]
	some id in of_package[[rule, p.name, p.version, p.integrity]]
}

# What a waiver means → the ids of those that mean it: each finding looks for its own, and not each waiver for each finding.
of_fingerprint := {means: ids | some means, ids in meaning_one}

meaning_one[[w.rule, w.fingerprint]] contains w.id if {
	some w in live
	w.fingerprint != null
}

of_package := {means: ids | some means, ids in meaning_all}

meaning_all[[w.rule, w.name, w.version, w.integrity]] contains w.id if {
	some w in live
	w.fingerprint == null
}

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
register contains ["approved_changes", f] if {
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

# (6) Sorted by rule, package, code, fingerprint.
findings := [entry[4] |
	some entry in sort([[f.rule, sort_key(f.package), f.code, f.fingerprint, marked(f)] | some [_, f] in (said | register)])
]

marked(f) := object.union(f, {"waived": true}) if {
	is_waived(f)
} else := f

is_waived(f) if {
	f.waivable == true
	waived[f.fingerprint]
}

sort_key(id) := "" if {
	id == null
} else := id

# (7) The verdict: denied, unless each finding is known not to deny. `observe` records and never denies.
default verdict := "denied"

verdict := "allowed" if input.profile == "observe"

verdict := "allowed" if {
	every f in findings {
		harmless(f)
	}
	count(findings) == count(said) + count(register)
}

harmless(f) if f.level in {"warn", "note"}

harmless(f) if {
	f.waivable
	f.waived
}
