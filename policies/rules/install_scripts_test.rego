package sbomgate.tests.install_scripts

import data.sbomgate.rules.install_scripts as rule
import data.sbomgate.tests.fixtures as fx

scripted := fx.pkg("esbuild", "0.20.0", {"scripts": fx.postinstall("node install.js")})

approval(changes) := fx.trusting({"approved_scripts": [object.union(
	{
		"name": "esbuild", "version": "0.20.0", "integrity": fx.integrity("esbuild", "0.20.0"),
		"digest": crypto.sha256("node install.js"), "reason": "read",
	},
	changes,
)]})

said(profile, p, changes) := fx.codes(f) if f := rule.findings with input as fx.document(profile, [p], changes)

# I01, I10
test_an_unapproved_script if {
	said("default", scripted, {}) == {"script-unapproved:warn"}
	said("strict", scripted, {}) == {"script-unapproved:deny"}
	said("release", scripted, {}) == {"script-unapproved:deny"}
	said("strict", object.union(scripted, {"optional": true, "dev": true}), {}) == {"script-unapproved:deny"}
}

test_a_young_one_is_denied_on_the_first_run if {
	young := object.union(scripted, {"publish": fx.published(fx.yesterday)})
	said("default", young, {}) == {"script-unapproved:deny"}
}

test_unchanged_warns_new_or_changed_denies if {
	said("default", scripted, {"baseline": fx.accepted([scripted], {})}) == {"script-unapproved:warn"}
	said("default", scripted, {"baseline": fx.accepted([], {})}) == {"script-unapproved:deny"}

	# I07: 5.x had none; I09: the same text in another version
	said("default", scripted, {"baseline": fx.accepted([fx.pkg("esbuild", "0.19.0", {})], {})}) == {"script-unapproved:deny"}
	before := fx.pkg("esbuild", "0.19.0", {"scripts": fx.postinstall("node install.js")})
	said("default", scripted, {"baseline": fx.accepted([before], {})}) == {"script-unapproved:deny"}
}

test_an_approval_holds_for_its_bytes_only if {
	every profile in ["default", "strict", "release"] {
		said(profile, scripted, approval({})) == set()
	}
	every changes in [{"version": "0.19.0"}, {"integrity": "sha512-other"}, {"name": "harmless"}] {
		said("strict", scripted, approval(changes)) == {"script-unapproved:deny"}
	}
}

# I08
test_an_approved_script_with_another_text_denies if {
	every profile in ["default", "strict", "release"] {
		said(profile, scripted, approval({"digest": crypto.sha256("node setup.js")})) == {"approved-script-changed:deny"}
	}
}

# I11: the approval names what the package really is.
test_an_alias_changes_nothing if {
	aliased := object.union(scripted, {"id": "node_modules/harmless", "alias": "harmless"})
	said("strict", aliased, approval({})) == set()
	said("strict", aliased, approval({"name": "harmless"})) == {"script-unapproved:deny"}
}

# I02, I06
test_a_disagreement_is_denied_everywhere if {
	every profile in ["default", "strict", "release"] {
		liar := fx.pkg("x", "1.0.0", {"scripts": object.union(fx.no_scripts, {"disagreements": ["the lockfile says there is a script"]})})
		said(profile, liar, {}) == {"scripts-disagree:deny"}
	}
	approved_liar := object.union(scripted, {"scripts": {"disagreements": ["the registry says otherwise"]}})
	said("default", approved_liar, approval({})) == {"scripts-disagree:deny"}
}

# I03, L23: binding.gyp, and what lies inside another package
test_gyp_and_bundled_count if {
	gyp := object.union(fx.no_scripts, {"state": "present", "gyp": true, "digest": fx.hex})
	said("strict", fx.pkg("x", "1.0.0", {"scripts": gyp}), {}) == {"script-unapproved:deny"}
	bundled := fx.pkg("x", "1.0.0", {"kind": "bundled", "integrity": null, "registry_integrity": null, "scripts": fx.postinstall("x")})
	said("strict", bundled, {}) == {"script-unapproved:deny"}
}

# L24, and the missing field
test_unknown_scripts if {
	unknown := fx.pkg("x", "1.0.0", {"scripts": fx.unknown_scripts})
	said("default", unknown, {}) == set()
	said("default", unknown, {"baseline": fx.accepted([unknown], {})}) == set()
	said("default", unknown, {"baseline": fx.accepted([], {})}) == {"scripts-unknown:deny"}
	said("strict", unknown, {}) == {"scripts-unknown:deny"}
	said("release", unknown, {}) == {"scripts-unknown:deny"}
}

test_a_state_nobody_knows_is_no_absence if {
	odd := fx.pkg("x", "1.0.0", {"scripts": object.union(fx.no_scripts, {"state": "maybe"})})
	said("strict", odd, {}) == {"script-unapproved:deny"}
}

# I12
test_the_projects_own_scripts_are_its_own if {
	said("strict", object.union(scripted, {"kind": "workspace"}), {}) == set()
}

test_no_scripts_pass if said("strict", fx.pkg("x", "1.0.0", {}), {}) == set()

test_the_message_shows_the_script if {
	found := rule.findings with input as fx.document("strict", [scripted], {})
	[f.message | some f in found] == ["postinstall `node install.js` is not approved"]
}

odd(changes) := {"manifests": {"node_modules/left": object.union({"disagreements": [], "shadows": [], "script_files": {}}, changes)}}

test_a_command_that_takes_the_place_of_another if {
	p := fx.pkg("left", "1.0.0", {})
	told := odd({"shadows": ["node"]})
	held := {"baseline": fx.accepted([p], {})}
	other := {"baseline": fx.accepted([fx.pkg("left", "0.9.0", {})], {})}
	fx.codes(rule.findings) == {"command-shadowed:warn"} with input as fx.document("default", [p], object.union(told, held))
	fx.codes(rule.findings) == {"command-shadowed:deny"} with input as fx.document("strict", [p], object.union(told, held))
	fx.codes(rule.findings) == {"command-shadowed:deny"} with input as fx.document("default", [p], object.union(told, other))
	fx.codes(rule.findings) == set() with input as fx.document("strict", [p], odd({"disagreements": ["x"]}))
}

test_the_files_that_a_script_names_are_shown if {
	p := fx.pkg("left", "1.0.0", {"scripts": fx.postinstall("node setup.js")})
	found := rule.findings with input as fx.document("strict", [p], odd({"script_files": {"setup.js": fx.hex}}))
	[f.message | some f in found] == ["postinstall `node setup.js` (setup.js sha256:e3b0c44298fc…) is not approved"]
}
