# METADATA
# title: Licences
# description: |
#   Denies a package whose licence the organisation does not accept: one that is on a list of refused licences, or not on
#   the list of accepted ones. Nothing is refused until a list says so. What is only used to build (`dev`) has lists of
#   its own. `A OR B` is accepted where one of them is, `A AND B` where both are. A list that names a licence also
#   speaks of it with an exception, and of "or later"; a `*` at the end of a name stands for any ending.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A licence that nobody wanted is cheap to refuse on the day it comes in, and dear to remove once the product stands on it.
#   fix: Use another package, or have this version accepted by a waiver; the organisation's lists are in the trust file.
#   unknown: A package without a licence, or with a text that is no SPDX expression, is what the parameter `unknown` says; `texts` and the refused licences may name such a text as it stands.
#   severity:
#     licence-refused: {default: "deny where new or changed, else warn", strict: deny, release: deny}
#     licence-unknown: {default: "as `unknown` says", strict: "as `unknown` says", release: "as `unknown` says"}
#   parameters:
#     allow:
#       type: array
#       items: {type: string, minLength: 1, maxLength: 200}
#       default: ["*"]
#       stricter: narrower
#       description: Accepted licences of what ships; `*` accepts all that are not refused
#     deny:
#       type: array
#       items: {type: string, minLength: 1, maxLength: 200}
#       default: []
#       stricter: superset
#       description: Refused licences of what ships, whatever `allow` says
#     dev_allow:
#       type: array
#       items: {type: string, minLength: 1, maxLength: 200}
#       default: ["*"]
#       stricter: narrower
#       description: Accepted licences of what is only used to build
#     dev_deny:
#       type: array
#       items: {type: string, minLength: 1, maxLength: 200}
#       default: []
#       stricter: superset
#       description: Refused licences of what is only used to build
#     texts:
#       type: array
#       items: {type: string, minLength: 1, maxLength: 200}
#       default: []
#       stricter: subset
#       description: Texts that are no SPDX expression and are accepted as they stand, as `SEE LICENSE IN LICENSE.md`
#     unknown:
#       type: string
#       enum: [note, warn, deny]
#       default: note
#       stricter: [note, warn, deny]
#       description: "What is said of an unknown licence: a note or a warning for all of them, or a denial each (where new or changed, under `default`)"
package sbomgate.rules.licences

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

# Without parameters nothing is accepted.
default lists := {"prod": {"allow": [], "deny": []}, "dev": {"allow": [], "deny": []}}

lists := {"prod": {"allow": p.allow, "deny": p.deny}, "dev": {"allow": p.dev_allow, "deny": p.dev_deny}} if {
	p := input.parameters.licences
}

default unknown := "deny"

unknown := input.parameters.licences.unknown

# Scopes of use for which somebody asked for anything.
asked contains scope if {
	some scope, list in lists
	list != {"allow": ["*"], "deny": []}
}

asked contains scope if {
	some scope in ["prod", "dev"]
	unknown != "note"
}

# Judged once for all packages that share facts: scope → index of the facts → accepted, refused or unknown.
verdicts[scope] := {index: judged(lists[scope], f.licence) | some index, f in input.facts} if some scope in asked

default judged(_, _) := "unknown"

judged(list, text) := "accepted" if acceptable(list, text)

judged(list, text) := "refused" if {
	some _ in input.licences[text]
	not acceptable(list, text)
}

# A text that is no expression is compared as it stands; where there is none at all, there is nothing to compare.
judged(list, text) := "refused" if {
	is_string(text)
	not input.licences[text]
	matches(list.deny, text)
}

judged(list, text) := "accepted" if {
	is_string(text)
	not input.licences[text]
	not matches(list.deny, text)
	text in input.parameters.licences.texts
}

acceptable(list, text) if {
	some way in input.licences[text]
	accepted(list, way)
}

# Every licence that holds together is on the one list, and none on the other, by one of its names.
accepted(list, way) if {
	every names in way {
		speaks_of(list.allow, names)
		not speaks_of(list.deny, names)
	}
}

speaks_of(patterns, names) if {
	some name in names
	matches(patterns, name)
}

matches(patterns, name) if {
	some pattern in patterns
	not endswith(pattern, "*")
	lower(pattern) == lower(name)
}

matches(patterns, name) if {
	some pattern in patterns
	endswith(pattern, "*")
	startswith(lower(name), trim_suffix(lower(pattern), "*"))
}

scope_of(p) := "dev" if "dev" in p.flags

scope_of(p) := "prod" if not "dev" in p.flags

# Most projects have nobody: then no package is looked at.
of_verdict(verdict) := {p.id |
	these := {[scope, index] | some scope, all in verdicts; some index, said in all; said == verdict}
	indices := {index | some [_, index] in these}
	count(indices) > 0
	index := input.packages[i].facts
	indices[index]
	p := input.packages[i]
	[scope_of(p), index] in these
	not p.id in packages.own
	not p.id in packages.first_party
}

findings contains f if {
	some id in of_verdict("refused")
	p := packages.by_id[id]
	f := finding.of("licences", "licence-refused", "changed", p, {
		"message": sprintf("its licence is %s, which is not accepted here", [p.licence]),
		"fix": "use another package, or have this one accepted by a waiver",
	})
}

findings contains f if {
	not unknown in {"note", "warn"}
	some id in of_verdict("unknown")
	p := packages.by_id[id]
	f := finding.of("licences", "licence-unknown", "changed", p, {
		"message": stated(p.licence),
		"fix": "find out its licence, and name the text in `texts`, or have this version accepted by a waiver",
		"unknown": true,
	})
}

findings contains f if {
	unknown in {"note", "warn"}
	ids := of_verdict("unknown")
	count(ids) > 0
	f := finding.of("licences", "licence-unknown", unknown, packages.whole, {
		"message": sprintf("the licence of %d packages is not known: %s", [count(ids), packages.enumerate(ids)]),
		"fix": "find out their licences; the parameter `texts` names those that are accepted as they stand",
		"unknown": true,
		"extra": packages.identity(ids),
	})
}

stated(text) := "it states no licence" if not is_string(text)

stated(text) := sprintf("its licence, %s, is no SPDX expression", [text]) if is_string(text)
