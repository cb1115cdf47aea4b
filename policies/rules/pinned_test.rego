package sbomgate.tests.pinned

import data.sbomgate.rules.pinned as rule
import data.sbomgate.tests.fixtures as fx

p := fx.pkg("good", "1.0.0", {})

said(profile, code, changes) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [p], object.union(fx.with_findings([fx.lock_finding("pinned", code, "")]), changes))
}

exact := {"parameters": {"pinned": {"mode": "exact"}}}

# L17, S02
test_drift_and_moving_commits_are_denied if {
	every code in ["lock-drift", "git-not-commit"] {
		every profile in ["default", "strict", "release"] {
			said(profile, code, {}) == {sprintf("%s:deny", [code])}
		}
	}
}

# Whoever installs with pnpm is not sent to npm.
test_drift_is_mended_by_the_projects_own_manager if {
	every kind, named in {"npm": "npm", "pnpm": "pnpm", "yarn": "yarn", "bun": "bun", "cyclonedx": "npm"} {
		found := rule.findings with input as fx.document("default", [p], object.union(fx.with_findings([fx.lock_finding("pinned", "lock-drift", "")]), {"lockfile": {"kind": kind}}))
		{f.fix | some f in found} == {sprintf("run `%s install` and commit package.json and the lockfile together", [named])}
	}
}

# S08, S10
test_floating_ranges_and_prereleases_are_debts if {
	every code in ["declared-floating", "prerelease"] {
		said("default", code, {}) == {sprintf("%s:warn", [code])}
		said("strict", code, {}) == {sprintf("%s:deny", [code])}
	}
}

# S09
test_open_ranges_by_mode if {
	every profile in ["default", "strict", "release"] {
		said(profile, "declared-range", {}) == {"open-ranges:note"}
		said(profile, "declared-range", exact) == {"declared-range:deny"}
	}
}

test_no_mode_is_the_strict_one if {
	doc := json.patch(
		fx.document("default", [p], fx.with_findings([fx.lock_finding("pinned", "declared-range", "")])),
		[{"op": "remove", "path": "/parameters/pinned"}],
	)
	fx.codes(rule.findings) == {"declared-range:deny"} with input as doc
}

# L26, L19
test_nested_shrinkwrap_and_overrides if {
	said("default", "nested-shrinkwrap", {}) == {"nested-shrinkwrap:warn"}
	said("strict", "nested-shrinkwrap", {}) == {"nested-shrinkwrap:deny"}
	said("strict", "override", {}) == {"override:note"}
}

own(name, changes) := fx.pkg(name, "1.0.0", object.union({"id": sprintf("packages/%s", [name]), "kind": "workspace"}, changes))

drift(edges) := fx.codes(f) if {
	f := rule.findings with input as fx.document("default", [own("a", {}), own("b", {}), p], object.union(fx.with_findings([fx.lock_finding("pinned", "lock-drift", "packages/a")]), {"unmet": {"packages/a": edges}}))
}

test_drift_among_workspaces_is_a_debt if {
	sibling := fx.unmet("packages/b", "b", "^2.0.0")
	drift([sibling]) == {"lock-drift:warn"}
	drift([sibling, fx.unmet("node_modules/good", "good", "^2.0.0")]) == {"lock-drift:deny"}
	drift([sibling, object.union(fx.unmet(null, "gone", "^2.0.0"), {"satisfied": null})]) == {"lock-drift:deny"}
	drift([]) == {"lock-drift:deny"}
}

test_an_unknown_code_denies if said("default", "range-of-tomorrow", {}) == {"range-of-tomorrow:deny"}

test_nothing_found_passes if fx.codes(rule.findings) == set() with input as fx.document("strict", [p], {})

test_a_missing_optional_dependency_is_no_drift_and_an_unmet_one_is if {
	sibling := fx.unmet("packages/b", "b", "^2.0.0")
	missing := object.union(fx.unmet(null, "fsevents", "^2.0.0"), {"kind": "optional", "satisfied": null})
	unmet := object.union(fx.unmet("node_modules/good", "good", "^2.0.0"), {"kind": "optional"})
	drift([sibling, missing]) == {"lock-drift:warn"}
	drift([sibling, unmet]) == {"lock-drift:deny"}
}

# An SBOM states no ranges: mode `exact` cannot be met.
test_unseen_ranges if {
	said("default", "ranges-unseen", {}) == {"ranges-unseen:warn"}
	said("strict", "ranges-unseen", {}) == {"ranges-unseen:deny"}
	said("default", "ranges-unseen", exact) == {"ranges-unseen:deny"}
}

# gensync 1.0.0-beta.2: nobody in this project can mend what a dependency asks for.
test_prereleases if {
	direct := object.union(p, {"flags": ["direct"]})
	indirect := object.union(p, {"flags": []})
	every profile in ["strict", "release"] {
		prerelease(profile, direct) == {"prerelease:deny"}
		prerelease(profile, indirect) == {"prereleases-of-others:note"}
	}
	prerelease("default", direct) == {"prerelease:warn"}
	prerelease("default", indirect) == {"prereleases-of-others:note"}
}

prerelease(profile, one) := fx.codes(f) if {
	found := fx.with_findings([fx.lock_finding("pinned", "prerelease", one.id)])
	f := rule.findings with input as fx.document(profile, [one], found)
}
