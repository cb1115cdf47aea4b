# METADATA
# title: Minimum age of a release
# description: |
#   Denies a version that was published more recently than the project waits. The time is that of the verified publish
#   attestation where there is one, else the registry's unsigned word, and the message says which. A version that was not
#   there when an approved build looked, although it is dated before that look, counts from the first look that had it.
#   How long it waits may differ by name, by scope, and for what the project itself asks for. A version that an exclusion
#   of the trust file names by its integrity, or a waiver, may be younger.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Malicious releases are found within hours or days, by others. Waiting costs nothing, and npm's own setting is ignored
#     by `npm ci`.
#   fix: Stay on the version before it until it is old enough; a security fix passes with a waiver that names the advisory.
#   unknown: An age that is not known denies for what is new or changed under `default`, and for everything in `strict` and `release`; a time in the future always denies.
#   severity:
#     too-young: {default: deny, strict: deny, release: deny}
#     time-in-future: {default: deny, strict: deny, release: deny}
#     dated-back: {default: deny where new or changed, strict: deny, release: deny}
#     times-contradict: {default: deny where new or changed, strict: deny, release: deny}
#     age-unknown: {default: deny where new or changed, strict: deny, release: deny}
#   parameters:
#     minimum_age_hours:
#       type: number
#       minimum: 0
#       default: 72
#       stricter: larger
#       description: Hours that must lie between the publication of a version and the decision.
#     direct_age_hours:
#       type: number
#       minimum: 0
#       default: 0
#       stricter: larger
#       description: The same for what the project itself asks for, where this is more than `minimum_age_hours`.
#     transitive_age_hours:
#       type: number
#       minimum: 0
#       default: 0
#       stricter: larger
#       description: The same for what others bring in, where this is more than `minimum_age_hours`.
#     packages:
#       type: object
#       propertyNames: {pattern: "^[^*]*[*]?$", minLength: 1, maxLength: 215}
#       additionalProperties: {type: number, minimum: 0}
#       default: {}
#       stricter: larger
#       floor: [minimum_age_hours, direct_age_hours, transitive_age_hours]
#       description: 'Hours by name, `"@scope/*"` or `"name-*"`: the longest that fits counts instead of the others, more or less. A project adds to the table of the trust file, and can only lengthen.'
#     mirror_lag_hours:
#       type: number
#       minimum: 0
#       default: 24
#       stricter: smaller
#       description: Hours that a registry's answer may be old. A version that was missing from an answer later than that after its publish time was dated back. Mirrors keep answers for a day; the public registry for minutes.
package sbomgate.rules.release_age

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times

findings contains f if {
	some id in times.young
	times.age[id] >= 0
	p := packages.by_id[id]
	f := finding.of("release_age", "too-young", "always", p, {
		"message": sprintf("published %s ago %s; this project waits %s", [
			times.span(times.age[id]),
			word(p),
			waited(id),
		]),
		"fix": sprintf("stay on the version before %s, or have it approved", [packages.label(p)]),
	})
}

findings contains f if {
	some id, age in times.age
	age < 0
	p := packages.by_id[id]
	f := finding.of("release_age", "time-in-future", "always", p, {
		"message": sprintf("its publish time %s lies %s after this evaluation", [p.publish.time, times.span(0 - age)]),
		"fix": "compare the clock of this machine with the registry's; a release cannot come from the future",
	})
}

findings contains f if {
	some index, ids in packages.vouched_with
	input.facts[index].publish.reason != ""
	entries := packages.entries
	some id in ids
	entries[id].published != null
	not from_the_future(id)
	p := packages.by_id[id]
	f := finding.of("release_age", "times-contradict", "changed", p, {
		"message": p.publish.reason,
		"fix": "the later time was used; ask the registry why it states another",
	})
}

findings contains f if {
	some index, ids in packages.vouched_with
	input.facts[index].publish.source != "withdrawn" # bound_bytes says that
	denied := finding.unknown_denies(ids)
	count(denied) > 0
	some p in packages.noticeable_with[index]
	p.publish.time == null
	p.id in denied
	f := finding.of("release_age", "age-unknown", "changed", p, {
		"message": sprintf("nobody knows when %s was published (%s)", [packages.label(p), p.publish.reason]),
		"fix": "run with the registry in reach; a registry that states no times is named in the trust file (first_party)",
		"unknown": true,
	})
}

findings contains f if {
	some index, ids in packages.vouched_with
	input.facts[index].publish.absent != null
	some id in ids
	p := packages.by_id[id]
	times.dated_back(p.publish.time, p.publish)
	f := finding.of("release_age", "dated-back", "changed", p, {
		"message": sprintf("it is dated %s %s, and was not there on %s, when an approved build looked", [p.publish.time, word_of_source(p), p.publish.absent]),
		"fix": sprintf("ask the registry (not a mirror) when %s was published; its age counts from %s, when it was first seen", [packages.label(p), p.publish.seen]),
	})
}

waited(id) := times.hours(times.waits(id)) if {
	times.waits(id)
} else := times.hours(null)

word(p) := word_of_source(p) if not times.dated_back(p.publish.time, p.publish)

word(p) := "at most, by our own look" if times.dated_back(p.publish.time, p.publish)

word_of_source(p) := object.get(times.word, p.publish.source, "by nobody's word")

from_the_future(id) if times.age[id] < 0
