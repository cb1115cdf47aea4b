# METADATA
# title: Complete evidence
# description: |
#   Says what is not known, one finding per kind of evidence, with the number of packages: a decision on partial
#   evidence must say that it is one. Warns under `default`, denies in `strict` and `release`. Of a release it also says
#   how the artefact is tied to the lockfile and who vouches for the time, which `release` wants to be more than a word.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     "Nothing bad was found" is worth as much as what was looked at. Three unknown packages of 900 are a fact, not a rounding error.
#   fix: Run with the registry in reach, or fill npm's cache (`npm ci --ignore-scripts`); name mirrors and first-party scopes in the trust file.
#   unknown: This is the rule that counts them.
#   severity:
#     publish-time: {default: warn, strict: deny, release: deny}
#     first-release: {default: warn, strict: deny, release: deny}
#     scripts: {default: warn, strict: deny, release: deny}
#     provenance: {default: warn, strict: deny, release: deny}
#     signature: {default: warn, strict: deny, release: deny}
#     link-asserted: {default: note, strict: warn, release: deny}
#     time-self-declared: {default: note, strict: warn, release: deny}
package sbomgate.rules.complete_evidence

import data.sbomgate.lib.builder
import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

# Code of each finding → the packages of which it is not known.
missing := {
	"publish-time": {id | entries := packages.entries; some ids in packages.vouched_with; some id in ids; entries[id].published == null},
	"first-release": {id | entries := packages.entries; some ids in packages.vouched_with; some id in ids; entries[id].first_published == null},
	"scripts": union({ids | some index, ids in packages.noticed_with; input.facts[index].scripts.state == "unknown"}),
	"provenance": union({ids | some ids in builder.unknown}),
	"signature": union({ids | some index, ids in packages.vouched_with; input.facts[index].signature.state == "unknown"}),
}

spoken := {
	"publish-time": "publish time",
	"first-release": "date of the first release",
	"scripts": "install scripts",
	"provenance": "provenance",
	"signature": "registry signature",
}

in_reach := "run with the registry in reach"

mirror := concat("", [in_reach, "; one that serves no signatures and attestations is named in the trust file (serves_evidence = false)"])

fixes := {
	"publish-time": concat("", [in_reach, "; a version that it does not have any more has no publish time"]),
	"first-release": in_reach,
	"scripts": concat("", [in_reach, ", or fill npm's cache (`npm ci --ignore-scripts`); without a sha512 in the lockfile no tarball can be read"]),
	"provenance": mirror,
	"signature": mirror,
}

findings contains f if {
	some code, ids in missing
	count(ids) > 0
	f := finding.of("complete_evidence", code, "debt", packages.whole, {
		"message": sprintf("not known: %s of %d of %d packages (%s)", [spoken[code], count(ids), count(input.packages), packages.enumerate(ids)]),
		"fix": fixes[code],
		"unknown": true,
		"extra": packages.identity(ids),
	})
}

# (P13) that this artefact was built from this lockfile is only said, by whoever runs the gate
findings contains f if {
	input.subject != null
	input.link == "asserted"
	f := finding.of("complete_evidence", "link-asserted", "release", packages.whole, {
		"message": "nothing but the release job's word ties the artefact to this lockfile",
		"fix": "compare what is installed (--installed) or what the artefact holds (--contains), or give the build's provenance (--build-provenance)",
	})
}

# (P17) a key alone vouches for no time
findings contains f if {
	input.subject != null
	input.time_source == "self-declared"
	f := finding.of("complete_evidence", "time-self-declared", "release", packages.whole, {
		"message": "nobody but the signer vouches for the time of this decision",
		"fix": "use a profile below release until decisions are timestamped",
	})
}
