# METADATA
# title: Findings
# description: |
#   Builds findings. What a finding does to the verdict is a class, and a class says its level per profile, so that a
#   rule cannot forget a profile. A class nobody knows denies.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.finding

import data.sbomgate.lib.packages
import data.sbomgate.lib.times

# `observe` records the levels of `default`; decision.rego sees to it that it never denies.
profile := "default" if input.profile == "observe"

profile := input.profile if input.profile != "observe"

# changed: under `default` it denies what is new or changed against the accepted baseline, and warns for the rest.
# settings: the same, for what the package manager is told: registries, scopes, settings.
classes := {
	"always": {"default": "deny", "strict": "deny", "release": "deny"},
	"changed": {"default": "deny", "strict": "deny", "release": "deny"},
	"settings": {"default": "deny", "strict": "deny", "release": "deny"},
	"debt": {"default": "warn", "strict": "deny", "release": "deny"},
	"release": {"default": "note", "strict": "warn", "release": "deny"},
	"warn": {"default": "warn", "strict": "warn", "release": "warn"},
	"note": {"default": "note", "strict": "note", "release": "note"},
}

# Class → level in this profile; and the same where that is all there is to it.
levels := {class: by_profile[profile] | some class, by_profile in classes}

plain := levels if {
	not lenient
	count(exclusions) == 0
}

default level(_, _, _, _) := "deny"

# The trust file may exclude one exact version, by its integrity, from a rule: then the finding is a note.
level(rule, class, p, waivable) := usual if {
	usual := plain[class]
} else := "note" if {
	waivable == true
	[rule, p.name, p.version, p.integrity] in exclusions
} else := "warn" if {
	lenient
	spared(class, p.id)
} else := levels[class]

lenient if profile == "default"

spared("changed", id) if not id in packages.changed

spared("settings", _) if not packages.settings_changed

# Of these packages (ids) those about which an unknown denies. About the others complete_evidence says it in one warning.
unknown_denies(ids) := ids if not lenient

unknown_denies(ids) := ids & packages.changed if lenient

# A finding of `rule` about package `p` (or `packages.whole`).
#
# details: `message`, `fix`; `unknown`: evidence is absent, nothing bad was seen; `waivable`: false for what no waiver
# and no exclusion covers; `extra`: what else tells this finding from others of the same code and package. The
# fingerprint holds neither the message nor a line: it stays the same in later runs.
of(rule, code, class, p, details) := {
	"rule": rule,
	"code": code,
	"level": level(rule, class, p, d.waivable),
	"package": p.id,
	"message": d.message,
	"fix": d.fix,
	"unknown": d.unknown,
	"waivable": d.waivable,
	"waived": false,
	"fingerprint": crypto.sha256(json.marshal([rule, code, p.name, p.version, p.integrity, d.extra])),
} if {
	d := object.union({"message": "", "fix": "", "unknown": false, "waivable": true, "extra": ""}, details)
}

exclusions := {[e.rule, e.name, e.version, e.integrity] |
	some e in input.trust.exclusions
	times.ahead(e.until)
}
