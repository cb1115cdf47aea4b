package sbomgate.tests.deprecated

import data.sbomgate.rules.deprecated as rule
import data.sbomgate.tests.fixtures as fx

old(message) := fx.pkg("request", "2.88.2", {"deprecated": message})

said(profile, level, baseline) := fx.codes(f) if {
	f := rule.findings with input as object.union(
		fx.document(profile, [old("request has been deprecated")], {"baseline": baseline}),
		{"parameters": {"deprecated": {"level": level}}},
	)
}

new := fx.accepted([], {})

test_level if {
	every profile in ["observe", "default", "strict", "release"] {
		said(profile, "note", new) == {"deprecated:note"}
		said(profile, "warn", new) == {"deprecated:warn"}
		said(profile, "deny", new) == {"deprecated:deny"}
		said(profile, "of tomorrow", new) == {"deprecated:deny"}
	}
}

test_what_is_old_and_unchanged_warns_in_default if {
	held := fx.accepted([old("")], {})
	said("default", "deny", held) == {"deprecated:warn"}
	said("strict", "deny", held) == {"deprecated:deny"}
	said("default", "deny", fx.bootstrap) == {"deprecated:warn"}
}

test_without_the_parameter_it_denies if {
	found := rule.findings with input as json.remove(fx.document("strict", [old("x")], {}), ["/parameters/deprecated"])
	fx.codes(found) == {"deprecated:deny"}
}

test_not_deprecated_passes if {
	rule.findings == set() with input as fx.document("strict", [fx.pkg("a", "1.0.0", {})], {})
}

test_above_the_latest_is_a_note if {
	every profile in ["observe", "default", "strict", "release"] {
		fx.codes(rule.findings) == {"above-latest:note"} with input as fx.document(
			profile, [fx.pkg("a", "2.0.0", {})],
			{"latest": {"node_modules/a": "1.9.0"}},
		)
	}
}

test_own_packages_are_not_judged if {
	own := object.union(old("x"), {"kind": "workspace"})
	rule.findings == set() with input as fx.document("strict", [own], {})
}

test_a_long_message_is_cut_and_an_empty_one_is_said if {
	long := rule.findings with input as fx.document("strict", [old(concat("", [sprintf("%d,", [i]) | some i in numbers.range(1, 999)]))], {})
	every f in long {
		count(f.message) < 300
	}
	empty := rule.findings with input as fx.document("strict", [old("")], {})
	{f.message | some f in empty} == {"its publisher has deprecated it"}
}
