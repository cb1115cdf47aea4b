package sbomgate.tests.exotic_sources

import data.sbomgate.rules.exotic_sources as rule
import data.sbomgate.tests.fixtures as fx

said(profile, code, kind, more) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [fx.pkg("good", "1.0.0", {"kind": kind, "integrity": null})], object.union(fx.with_findings([fx.lock_finding("exotic_sources", code, "node_modules/good")]), more))
}

# S01, S03, S05, S07
test_exotic_sources if {
	every pair in [["git", "git"], ["tarball-url", "tarball"], ["file", "file"], ["patch", "patch"]] {
		[code, kind] := pair
		said("default", code, kind, {}) == {sprintf("%s:warn", [code])}
		said("default", code, kind, {"baseline": fx.accepted([], {})}) == {sprintf("%s:deny", [code])}
		said("strict", code, kind, {}) == {sprintf("%s:deny", [code])}
	}
}

test_the_same_version_at_another_commit_is_a_change if {
	before := fx.pkg("good", "1.0.0", {"kind": "git", "integrity": null, "resolved": "git+ssh://h/x.git#a"})
	said("default", "git", "git", {"baseline": fx.accepted([before], {})}) == {"git:deny"}
	same := fx.pkg("good", "1.0.0", {"kind": "git", "integrity": null})
	said("default", "git", "git", {"baseline": fx.accepted([same], {})}) == {"git:warn"}
}

# The reader keeps the patch's digest among the settings, so that another patch is a change.
test_a_package_that_the_project_patches if {
	patch := {"manager": {"settings": {"patched:good@1.0.0": "sha256:a"}}}
	said("default", "patched", "registry", patch) == {"patched:warn"}
	said("strict", "patched", "registry", patch) == {"patched:deny"}
	said("default", "patched", "registry", object.union(patch, {"baseline": fx.accepted([], {})})) == {"patched:deny"}
	same := object.union(fx.accepted([], {}), patch)
	said("default", "patched", "registry", object.union(patch, {"baseline": same})) == {"patched:warn"}
}

# L30, L31
test_links if {
	said("strict", "link", "link", {}) == {"link:note"}
	said("strict", "directory", "file", {}) == {"directory:note"}
	every profile in ["default", "strict", "release"] {
		said(profile, "link-outside", "link", {}) == {"link-outside:deny"}
	}
}

test_an_unknown_code_denies if said("default", "carrier-pigeon", "git", {}) == {"carrier-pigeon:deny"}

test_registry_packages_pass if {
	fx.codes(rule.findings) == set() with input as fx.document("strict", [fx.pkg("good", "1.0.0", {})], {})
}
