package sbomgate.tests.licences

import data.sbomgate.rules.licences as rule
import data.sbomgate.tests.fixtures as fx

mit := ["MIT"]

gpl := ["GPL-2.0-or-later", "GPL-2.0+", "GPL-2.0-only", "GPL-2.0"]

classpath := ["GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", "GPL-2.0"]

known := {
	"MIT": [[mit]],
	"GPL-2.0-or-later": [[gpl]],
	"MIT OR GPL-2.0-or-later": [[gpl], [mit]],
	"MIT AND GPL-2.0-or-later": [[gpl, mit]],
	"GPL-2.0 WITH Classpath-exception-2.0": [[classpath]],
}

plain := {"allow": ["*"], "deny": [], "dev_allow": ["*"], "dev_deny": [], "texts": [], "unknown": "note"}

said(profile, parameters, changes) := fx.codes(f) if {
	f := rule.findings with input as object.union(
		fx.document(profile, [fx.pkg("a", "1.0.0", changes)], {"licences": known}),
		{"parameters": {"licences": object.union(plain, parameters)}, "baseline": fx.accepted([], {})},
	)
}

of(licence, parameters) := said("default", parameters, {"licence": licence})

refused := {"licence-refused:deny"}

test_nothing_is_said_until_somebody_asks if {
	of("GPL-2.0-or-later", {}) == set()
	of(null, {}) == set()
	of("whatever", {}) == set()
}

test_allow if {
	every licence in ["MIT", "MIT OR GPL-2.0-or-later"] {
		of(licence, {"allow": ["mit", "ISC"]}) == set()
	}
	every licence in ["GPL-2.0-or-later", "MIT AND GPL-2.0-or-later"] {
		of(licence, {"allow": ["MIT", "ISC"]}) == refused
	}
	of("MIT", {"allow": []}) == refused
}

test_deny if {
	every denied in ["GPL-2.0-only", "gpl-2.0+", "GPL-*", "*"] {
		of("GPL-2.0-or-later", {"deny": [denied]}) == refused
		of("MIT AND GPL-2.0-or-later", {"deny": [denied], "allow": ["*"]}) == refused
	}
	of("MIT OR GPL-2.0-or-later", {"deny": ["GPL-*"]}) == set()
	of("GPL-2.0 WITH Classpath-exception-2.0", {"deny": ["GPL-2.0-only"]}) == refused
	of("GPL-2.0 WITH Classpath-exception-2.0", {"allow": ["GPL-2.0-only"]}) == set()
	of("GPL-2.0-or-later", {"allow": ["GPL-2.0-only"]}) == set()
	of("GPL-2.0 WITH Classpath-exception-2.0", {"allow": ["GPL-2.0-only WITH Classpath-exception-2.0"]}) == set()
	of("MIT", {"allow": ["MIT"], "deny": ["MIT"]}) == refused
	of("MIT", {"deny": ["MI", "MIT-0", "LGPL-*"]}) == set()
}

test_scopes_of_use if {
	dev := {"licence": "GPL-2.0-or-later", "flags": ["direct", "dev"]}
	said("default", {"deny": ["GPL-*"]}, dev) == set()
	said("default", {"dev_deny": ["GPL-*"]}, dev) == refused
	said("default", {"dev_allow": ["MIT"]}, dev) == refused
	of("GPL-2.0-or-later", {"dev_deny": ["GPL-*"]}) == set()
}

test_old_and_unchanged_warns_in_default_only if {
	p := fx.pkg("a", "1.0.0", {"licence": "GPL-2.0-or-later"})
	every pair in [["default", "warn"], ["observe", "warn"], ["strict", "deny"], ["release", "deny"]] {
		found := rule.findings with input as object.union(
			fx.document(pair[0], [p], {"licences": known, "baseline": fx.accepted([p], {})}),
			{"parameters": {"licences": object.union(plain, {"deny": ["GPL-*"]})}},
		)
		fx.codes(found) == {sprintf("licence-refused:%s", [pair[1]])}
	}
}

test_missing_and_unreadable if {
	every licence in [null, "SEE LICENSE IN LICENSE", ""] {
		of(licence, {"allow": ["MIT"]}) == {"licence-unknown:note"}
		of(licence, {"deny": ["GPL-*", "AGPL-3.0-only"]}) == {"licence-unknown:note"}
		of(licence, {"unknown": "warn"}) == {"licence-unknown:warn"}
		of(licence, {"unknown": "deny"}) == {"licence-unknown:deny"}
		of(licence, {"unknown": "of tomorrow"}) == {"licence-unknown:deny"}
		of(licence, {"unknown": "deny", "allow": ["SEE LICENSE IN LICENSE", ""]}) == {"licence-unknown:deny"}
	}
	of("SEE LICENSE IN LICENSE", {"unknown": "deny", "texts": ["SEE LICENSE IN LICENSE"]}) == set()
	of("UNLICENSED", {"deny": ["UNLICENSED"]}) == refused
	of("UNLICENSED", {"deny": ["UNLICENSED"], "texts": ["UNLICENSED"]}) == refused
}

test_without_parameters_everything_is_refused if {
	found := rule.findings with input as json.remove(fx.document("strict", [fx.pkg("a", "1.0.0", {})], {}), ["/parameters/licences"])
	fx.codes(found) == refused
}

test_own_packages_are_not_judged if {
	said("strict", {"allow": []}, {"kind": "workspace"}) == set()
	found := rule.findings with input as object.union(
		fx.document("strict", [fx.pkg("@acme/a", "1.0.0", {})], fx.trusting({"first_party": ["@acme"]})),
		{"parameters": {"licences": object.union(plain, {"allow": []})}},
	)
	found == set()
}
