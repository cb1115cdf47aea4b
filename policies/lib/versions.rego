# METADATA
# title: Versions
# description: |
#   Release lines and what came before a version. No built-in here can fail on a version that is not semver: such a
#   version is compared with whatever the baseline holds.
package sbomgate.lib.versions

# A major version; for 0.x, where a minor release may break, a minor one (that is how a caret range reads it).
line(version) := concat(".", array.slice(split(version, "."), 0, 2)) if startswith(version, "0.")

line(version) := split(version, ".")[0] if not startswith(version, "0.")

is_prerelease(version) if contains(split(version, "+")[0], "-")

is_stable(version) := false if is_prerelease(version)

is_stable(version) if not is_prerelease(version)

# The newest approved prerelease of the same line that is not newer than `version`, where no stable entry can be compared.
candidate(version, entries) := nearest(version, same) if {
	semver.is_valid(version)
	same := [e |
		some e in entries
		semver.is_valid(e.version)
		line(e.version) == line(version)
		semver.compare(e.version, version) <= 0
	]
	count(same) > 0
}

# The approved entry that `version` must bear comparison with, or undefined where there is none:
#   of the same line, else of the nearest older one;
#   a stable release is compared with stable ones, a prerelease with prereleases, else with stable ones;
#   of these the newest that is not newer than `version`, else the oldest.
predecessor(version, entries) := found if {
	semver.is_valid(version)
	valid := [e | some e in entries; semver.is_valid(e.version)]
	comparable := alike(version, valid)
	found := nearest(version, in_line(version, comparable))
}

predecessor(version, entries) := entries[0] if not semver.is_valid(version)

# The baseline holds nothing that can be compared: the first entry stands for it.
predecessor(version, entries) := entries[0] if {
	semver.is_valid(version)
	every e in entries {
		not semver.is_valid(e.version)
	}
}

alike(version, entries) := [e | some e in entries; not is_prerelease(e.version)] if not is_prerelease(version)

alike(version, entries) := same if {
	is_prerelease(version)
	same := [e | some e in entries; is_prerelease(e.version); line(e.version) == line(version)]
	count(same) > 0
} else := [e | some e in entries; not is_prerelease(e.version)] if is_prerelease(version)

in_line(version, entries) := same if {
	same := [e | some e in entries; line(e.version) == line(version)]
	count(same) > 0
} else := [e | some e in entries; semver.compare(e.version, version) < 0]

nearest(version, entries) := found if {
	older := [e | some e in entries; semver.compare(e.version, version) <= 0]
	found := [e | some e in older; every other in older { semver.compare(other.version, e.version) <= 0 }][0]
} else := [e | some e in entries; every other in entries { semver.compare(other.version, e.version) >= 0 }][0]

# How far an update goes: `patch`, `minor` or `major`, from the nearest approved version.
step(before, version) := "patch" if {
	array.slice(split(before, "."), 0, 2) == array.slice(split(version, "."), 0, 2)
} else := "minor" if {
	split(before, ".")[0] == split(version, ".")[0]
} else := "major"
