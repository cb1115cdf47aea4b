# The day zero of the Axios incident under `default`, with an empty list of malicious packages: each signal by itself.
package sbomgate.tests.incident

import data.sbomgate.decision
import data.sbomgate.tests.fixtures as fx

good := fx.pkg("axios", "1.14.0", {"provenance": fx.built, "trusted_publisher": "github"})

evil := fx.pkg("axios", "1.14.1", {"publish": fx.published(fx.two_hours_ago)})

dropper := fx.pkg("plain-crypto-js", "4.2.1", {
	"direct": false,
	"scripts": fx.postinstall("node setup.js"),
	"publish": {"time": fx.yesterday, "source": "registry", "reason": "", "first": fx.yesterday},
})

edges := {"": ["node_modules/axios"], "node_modules/axios": [dropper.id]}

held := fx.accepted([good], {"": ["axios"], "axios": []})

result(packages, changes) := r if r := decision.result with input as fx.document("default", packages, changes)

denying(r, id) := {f.rule | some f in r.findings; f.level == "deny"; f.package == id}

# A01
test_axios_against_an_approved_build if {
	r := result([evil, dropper], {"baseline": held, "edges": edges})
	r.verdict == "denied"
	denying(r, "node_modules/axios") == {"release_age", "trust_drift", "new_dependencies"}
	denying(r, "node_modules/plain-crypto-js") == {"release_age", "install_scripts", "new_dependencies"}
}

test_axios_on_the_first_run if {
	r := result([evil, dropper], {"edges": edges})
	r.verdict == "denied"
	denying(r, "node_modules/axios") == {"release_age"}
	denying(r, "node_modules/plain-crypto-js") == {"release_age", "install_scripts", "new_dependencies"}
}

# A02
test_the_other_line if {
	before := fx.pkg("axios", "0.30.3", {"provenance": fx.built})
	after := fx.pkg("axios", "0.30.4", {"publish": fx.published(fx.two_hours_ago)})
	r := result([after], {"baseline": fx.accepted([before, good], {"": ["axios"]})})
	denying(r, "node_modules/axios") == {"release_age", "trust_drift"}
}

# A04: the clean bait, a day before
test_the_bait if {
	bait := fx.pkg("plain-crypto-js", "4.2.0", {"direct": false, "publish": {"time": fx.yesterday, "source": "registry", "reason": "", "first": fx.yesterday}})
	r := result([good, bait], {"baseline": held})
	denying(r, bait.id) == {"release_age", "new_dependencies"}
}

# I07: a script where there was none, old enough for the age rule
test_a_script_is_new if {
	before := fx.pkg("keyv", "5.0.0", {})
	after := fx.pkg("keyv", "6.0.0", {"scripts": fx.postinstall("node setup.mjs")})
	denying(result([after], {"baseline": fx.accepted([before], {"": ["keyv"]})}), after.id) == {"install_scripts"}
}

# V01, old enough for the age rule
test_provenance_was_lost if {
	denying(result([fx.pkg("axios", "1.14.1", {})], {"baseline": held}), good.id) == {"trust_drift"}
}

# V23: valid provenance of the expected builder, hours old, with a new dependency
test_valid_provenance_does_not_help if {
	hijacked := fx.pkg("axios", "1.14.1", {"provenance": fx.built, "trusted_publisher": "github", "publish": fx.published(fx.two_hours_ago)})
	r := result([hijacked, dropper], {"baseline": held, "edges": edges})
	denying(r, hijacked.id) == {"release_age", "new_dependencies"}
	r.verdict == "denied"
}

# T01
test_two_hours_old if denying(result([evil], {"baseline": fx.accepted([evil], {"": ["axios"]})}), evil.id) == {"release_age"}

# What must be allowed: A07, L30, I12, V03, V04, V21, V25, C09, and an ordinary update.
test_allowed if {
	quiet := [
		fx.pkg("string-width", "4.2.3", {"id": "node_modules/string-width-cjs", "alias": "string-width-cjs"}),
		fx.pkg("own", "1.0.0", {"id": "packages/own", "kind": "workspace", "integrity": null, "scripts": fx.postinstall("build")}),
		fx.pkg("constructor", "1.0.0", {}),
		fx.pkg("axios", "1.14.1", {"provenance": fx.built_with({"repository": "https://github.com/axios-http/axios", "ref": "refs/tags/v1.14.1"}), "trusted_publisher": "github"}),
	]
	result(quiet, {}).verdict == "allowed"
	result(quiet, {"baseline": held}).verdict == "allowed"
	result([fx.pkg("semver", "6.3.1", {})], {"baseline": fx.accepted([fx.pkg("semver", "7.6.0", {"provenance": fx.built})], {})}).verdict == "allowed"
	result([fx.pkg("semver", "7.0.0", {})], {
		"baseline": fx.accepted([fx.pkg("semver", "7.0.0-rc.1", {"provenance": fx.built})], {}),
		"earlier": {"node_modules/semver": fx.preceded_by([fx.release(fx.pkg("semver", "6.3.1", {}))])},
	}).verdict == "allowed"
}

# T09
test_a_security_fix_passes_by_a_waiver if {
	waiver := {
		"id": "w", "rule": "release_age", "name": "axios", "version": "1.14.1", "integrity": evil.integrity, "fingerprint": null,
		"project": "https://example.test/shop", "until": "2026-11-24T00:00:00Z", "reason": "GHSA-1", "by": "ann",
	}
	result([evil], {"waivers": [waiver]}).verdict == "allowed"
}
