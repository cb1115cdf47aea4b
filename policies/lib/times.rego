# METADATA
# title: Times
# description: |
#   Ages at the time of evaluation, which is an input: no rule reads a clock. Nanoseconds throughout.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.times

import data.sbomgate.lib.packages

now := time.parse_rfc3339_ns(input.evaluated_at)

hour := 3600000000000

# Age of each version that may be young; negative for a time in the future. Times are written alike (RFC 3339 in UTC),
# so comparing their first 19 characters sorts out the many that are old, and only the rest are parsed. Without the
# parameter nothing is old.
age := {id: since |
	entries := packages.entries
	some index, ids in packages.vouched_with
	some id in ids
	entries[id].published != null
	at := dated(entries[id].published, input.facts[index].publish)
	not at < oldest_young
	since := now - time.parse_rfc3339_ns(at)
}

# When it counts as published: a version that was not there when we looked is no older than the first look that had it.
dated(published, publish) := published if not dated_back(published, publish)

dated(published, publish) := publish.seen if dated_back(published, publish)

# The publish time lies before a look that did not have the version, by more than an answer of a mirror may be old.
dated_back(published, publish) if {
	publish.absent != null
	not as_old_as_a_mirror(time.parse_rfc3339_ns(publish.absent) - time.parse_rfc3339_ns(published))
}

as_old_as_a_mirror(ns) if ns <= input.parameters.release_age.mirror_lag_hours * hour

# Written so that a missing parameter makes everything young. (A function, because what is undefined inside a negated
# comparison makes the whole expression undefined, and not true.)
young := {id |
	some id, a in age
	not old_enough(id, a)
}

old_enough(id, a) if a >= waits(id) * hour

settings := input.parameters.release_age

# Hours that the version of a package waits: what the pattern says that fits its name best; else the general age, or the
# one of what the project itself asks for, or of what others bring in, where that is longer.
waits(id) := hours_by_name(packages.entries[id].name) if fitting(packages.entries[id].name) != []

waits(id) := max([settings.minimum_age_hours, hours_by_distance(id)]) if fitting(packages.entries[id].name) == []

hours_by_distance(id) := settings.direct_age_hours if "direct" in packages.entries[id].flags

hours_by_distance(id) := settings.transitive_age_hours if not "direct" in packages.entries[id].flags

# An exact name comes before any pattern, a longer pattern before a shorter one.
hours_by_name(name) := settings.packages[name] if {
	settings.packages[name]
} else := settings.packages[max([[count(pattern), pattern] | some pattern in fitting(name)])[1]]

# Undefined where the parameter is missing: then nothing is old enough.
fitting(name) := [pattern | some pattern, _ in settings.packages; speaks_of(pattern, name)] if is_object(settings.packages)

speaks_of(pattern, name) if pattern == name

speaks_of(pattern, name) if {
	endswith(pattern, "*")
	startswith(name, trim_suffix(pattern, "*"))
}

longest := max(array.concat(
	[settings.minimum_age_hours, settings.direct_age_hours, settings.transitive_age_hours],
	[hours_of | some hours_of in settings.packages],
)) if is_object(settings.packages)

oldest_young := before(longest * hour) if longest

else := ""

# The same for the very first release of a package.
first_age := {id: since |
	entries := packages.entries
	some ids in packages.vouched_with
	some id in ids
	first := entries[id].first_published
	first != null
	not first < oldest_first
	since := now - time.parse_rfc3339_ns(first)
}

first_young := {id |
	some id, a in first_age
	not existed_long_enough(a)
}

existed_long_enough(a) if a >= first_minimum

first_minimum := (input.parameters.new_dependencies.first_release_days * 24) * hour

oldest_first := before(first_minimum) if first_minimum

else := ""

# The second that lies `ns` back, and one more: `2026-11-20T12:00:00`
before(ns) := substring(time.format([now - (ns + 1000000000), "UTC", "2006-01-02T15:04:05"]), 0, 19)

# Whether a time that may be absent (no end) still lies ahead. It has passed from the very instant that it names.
ahead(until) if until == null

ahead(until) if {
	until != null
	time.parse_rfc3339_ns(until) > now
}

# `40 min`, `19 h`, `5 days`
span(ns) := sprintf("%d min", [floor(ns / (hour / 60))]) if ns < hour

span(ns) := sprintf("%d h", [floor(ns / hour)]) if {
	ns >= hour
	ns < 72 * hour
}

span(ns) := sprintf("%d days", [floor(ns / (24 * hour))]) if ns >= 72 * hour

# A number of hours given as a parameter: `36 h`, `3 days`
hours(n) := sprintf("%d days", [floor(n / 24)]) if {
	is_number(n)
	n >= 48
	floor(n / 24) * 24 == n
} else := sprintf("%v h", [n]) if {
	is_number(n)
} else := "for ever: no minimum age is set"

# Who says when a version was published.
word := {
	"attestation": "by its publish attestation",
	"registry": "by the registry's word",
	"recorded": "by the registry's recorded word",
}
