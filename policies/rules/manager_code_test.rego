package sbomgate.tests.manager_code

import data.sbomgate.rules.manager_code as rule
import data.sbomgate.tests.fixtures as fx

said(profile, code, more) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [fx.pkg("good", "1.0.0", {})], object.union(fx.with_findings([fx.lock_finding("manager_code", code, null)]), more))
}

shell := {"manager": {"settings": {"script-shell": "./evil.sh"}}}

# C03
test_settings_that_run_code if {
	every code in ["npmrc-runs-code", "npmrc-variable-key", "pnpm-runs-code", "bunfig-runs-code", "config-dependency-unlocked"] {
		said("default", code, shell) == {sprintf("%s:warn", [code])}
		said("strict", code, shell) == {sprintf("%s:deny", [code])}
		said("default", code, object.union(shell, {"baseline": fx.accepted([], {})})) == {sprintf("%s:deny", [code])}
		held := object.union(fx.accepted([], {}), {"manager": {"settings": {"script-shell": "./evil.sh"}}})
		said("default", code, object.union(shell, {"baseline": held})) == {sprintf("%s:warn", [code])}
	}
}

# C01: the reader keeps the file's digest among the settings, so that another file is a change.
test_a_hook_file_denies_when_it_is_new_or_changed if {
	hook := {"manager": {"settings": {"pnpmfile:.pnpmfile.cjs": "sha256:a"}}}
	said("default", "pnpmfile", hook) == {"pnpmfile:warn"}
	said("strict", "pnpmfile", hook) == {"pnpmfile:deny"}
	said("release", "pnpmfile", hook) == {"pnpmfile:deny"}
	said("default", "pnpmfile", object.union(hook, {"baseline": fx.accepted([], {})})) == {"pnpmfile:deny"}
	same := object.union(fx.accepted([], {}), hook)
	said("default", "pnpmfile", object.union(hook, {"baseline": same})) == {"pnpmfile:warn"}
	other := object.union(fx.accepted([], {}), {"manager": {"settings": {"pnpmfile:.pnpmfile.cjs": "sha256:b"}}})
	said("default", "pnpmfile", object.union(hook, {"baseline": other})) == {"pnpmfile:deny"}
}

good := fx.pkg("good", "1.0.0", {})

found(profile, held) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [good], object.union(
		fx.with_findings([fx.lock_finding("manager_code", "config-dependency", good.id)]),
		held,
	))
}

test_config_dependencies if {
	found("strict", {}) == {"config-dependency:deny"}
	found("default", {"baseline": fx.accepted([], {})}) == {"config-dependency:deny"}
	found("default", {"baseline": fx.accepted([good], {})}) == {"config-dependency:warn"}
}

# C04
test_package_manager if {
	said("strict", "package-manager-hashed", {}) == {"package-manager-hashed:note"}
	said("strict", "package-manager", {}) == {"package-manager:warn"}
}

# a package that yarn makes by running a script of the project
test_exec if {
	f := rule.findings with input as fx.document("default", [fx.pkg("good", "1.0.0", {"kind": "file"})], object.union(fx.with_findings([fx.lock_finding("manager_code", "exec", "node_modules/good")]), {"baseline": fx.accepted([], {})}))
	fx.codes(f) == {"exec:deny"}
	said("strict", "exec", {}) == {"exec:deny"}
}

test_an_unknown_code_denies if said("default", "carrier-pigeon", {}) == {"carrier-pigeon:deny"}

test_nothing_found_passes if {
	fx.codes(rule.findings) == set() with input as fx.document("strict", [fx.pkg("good", "1.0.0", {})], {})
}
