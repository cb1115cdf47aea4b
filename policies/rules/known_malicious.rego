# METADATA
# title: Known malicious packages
# description: |
#   Denies a package that a list names as malicious, by its real name and exact version (an alias or another address
#   changes nothing). No waiver and no exclusion covers it. First-party workspaces and links are never matched.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A version on such a list has run an attacker's code in somebody's build. There is no reason to ship it, and
#     whatever has installed it must be treated as compromised.
#   fix: Remove it, or pin the last version before it; treat machines that installed it as compromised and rotate their secrets.
#   unknown: Nothing can be unknown here; what no list names is not thereby harmless.
#   severity:
#     listed: {default: deny, strict: deny, release: deny, waivable: false}
#     other-versions-listed: {default: note, strict: note, release: note}
package sbomgate.rules.known_malicious

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.malicious != []
	some p in packages.noticeable_with[index]
	f := finding.of("known_malicious", "listed", "always", p, {
		"message": sprintf("%s is known to be malicious (%s)", [packages.label(p), concat(", ", p.malicious)]),
		"fix": "remove it or pin the version before it, and treat every machine that installed it as compromised",
		"waivable": false,
	})
}

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.malicious == []
	facts.malicious_name != []
	some p in packages.noticeable_with[index]
	f := finding.of("known_malicious", "other-versions-listed", "note", p, {
		"message": sprintf("other versions of %s are known to be malicious (%s)", [p.name, concat(", ", p.malicious_name)]),
		"fix": "nothing to do for this version; look twice at its next update",
	})
}
