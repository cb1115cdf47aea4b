# METADATA
# title: Deprecated releases
# description: |
#   Says which packages their publishers have deprecated: a note, or, where the organisation wants it, a warning or a denial.
#   A release above the one that the registry's `latest` names is a note: maintainers who take a release back move
#   `latest` to a lower one, and so does who publishes on an older line.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A publisher deprecates what is broken, abandoned, or sometimes taken over. It will get no fix.
#   fix: Update to the release that the message names, or replace the package.
#   unknown: A registry that could not be asked may know of a deprecation that the lockfile does not; release_age and complete_evidence say that it was not reached.
#   severity:
#     deprecated: {default: "as `level` says", strict: "as `level` says", release: "as `level` says"}
#     above-latest: {default: note, strict: note, release: note}
#   parameters:
#     level:
#       type: string
#       enum: [note, warn, deny]
#       default: note
#       stricter: [note, warn, deny]
#       description: What a deprecated package is; `deny` warns under `default` for what is old and unchanged
package sbomgate.rules.deprecated

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

classes := {"note": "note", "warn": "warn", "deny": "changed"}

# Without the parameter it denies.
class := object.get(classes, object.get(input.parameters, ["deprecated", "level"], "deny"), "changed")

longest := 200

deprecated_facts := {index | some index, f in input.facts; f.deprecated != null}

findings contains f if {
	these := deprecated_facts
	count(these) > 0
	index := input.packages[i].facts
	these[index]
	p := packages.by_id[input.packages[i].id]
	not p.id in packages.own
	f := finding.of("deprecated", "deprecated", class, p, {
		"message": said(substring(p.deprecated, 0, longest)),
		"fix": "update it, or replace it: a deprecated release gets no fix",
	})
}

findings contains f if {
	some id, latest in input.latest
	p := packages.by_id[id]
	f := finding.of("deprecated", "above-latest", "note", p, {
		"message": sprintf("the registry's latest is %s, lower than it: the release may have been taken back", [latest]),
		"fix": "find out why it is not the latest; if it was taken back, go to the version that is",
		"extra": latest,
	})
}

said(message) := "its publisher has deprecated it" if trim_space(message) == ""

said(message) := sprintf("its publisher has deprecated it: %s", [message]) if trim_space(message) != ""
