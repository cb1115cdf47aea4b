package sbomgate.tests.registries

import data.sbomgate.rules.registries as rule
import data.sbomgate.tests.fixtures as fx

id := "node_modules/good"

said(profile, code, changes, more) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [fx.pkg("good", "1.0.0", changes)], object.union(fx.with_findings([fx.lock_finding("registries", code, id)]), more))
}

new := {"baseline": fx.accepted([], {})}

# A14
test_userinfo_is_denied_everywhere if {
	every profile in ["default", "strict", "release"] {
		said(profile, "resolved-userinfo", {}, {}) == {"resolved-userinfo:deny"}
	}
}

# A16
test_debts if {
	every code in ["resolved-http", "resolved-trailing-dot", "resolved-foreign-host"] {
		elsewhere := {"resolved": "http://mirror.test/good/-/good-1.0.0.tgz"}
		said("default", code, elsewhere, {}) == {sprintf("%s:warn", [code])}
		said("default", code, elsewhere, new) == {sprintf("%s:deny", [code])}
		said("strict", code, elsewhere, {}) == {sprintf("%s:deny", [code])}
	}
}

names(url, scope) := fx.trusting({"registries": [{"url": url, "scope": scope, "serves_evidence": true}]})

test_the_trust_file_names_registries if {
	mirror := {"resolved": "https://mirror.test/npm/good/-/good-1.0.0.tgz"}
	said("strict", "resolved-foreign-host", mirror, names("https://mirror.test/npm/", null)) == set()
	said("strict", "resolved-foreign-host", mirror, names("https://mirror.test/npm/", "@acme")) == {"resolved-foreign-host:deny"}
	said("strict", "resolved-foreign-host", mirror, names("https://mirror.test/", null)) == set()
	said("strict", "resolved-foreign-host", {"resolved": "https://mirror.test.evil/good/-/good-1.0.0.tgz"}, names("https://mirror.test/", null)) == {"resolved-foreign-host:deny"}

	# A12: a path that leaves the registry again
	every path in ["npm/../evil/-/evil-1.0.0.tgz", "npm/%2e%2e/evil/-/evil-1.0.0.tgz", "npm/%2E./evil.tgz"] {
		said("strict", "resolved-foreign-host", {"resolved": sprintf("https://mirror.test/%s", [path])}, names("https://mirror.test/npm/", null)) == {"resolved-foreign-host:deny"}
	}
}

# A19
test_a_missing_address if {
	none := {"resolved": null}
	said("strict", "resolved-missing", none, {}) == {"resolved-omitted:note"}
	elsewhere := {"manager": {"registry": "https://other.test/"}}
	said("strict", "resolved-missing", none, elsewhere) == {"resolved-missing:deny", "npmrc-registry:deny"}
	said("default", "resolved-missing", none, elsewhere) == {"resolved-missing:warn", "npmrc-registry:warn"}
	said("strict", "resolved-missing", none, object.union(elsewhere, names("https://other.test/", null))) == {"resolved-omitted:note"}
}

configured(profile, manager, more) := fx.codes(f) if {
	f := rule.findings with input as fx.document(profile, [fx.pkg("good", "1.0.0", {})], object.union({"manager": manager}, more))
}

# A20
test_npmrc_leads_elsewhere if {
	evil := {"registry": "https://evil.test/"}
	configured("default", evil, {}) == {"npmrc-registry:warn"}
	configured("strict", evil, {}) == {"npmrc-registry:deny"}
	configured("default", evil, new) == {"npmrc-registry:deny"}
	configured("default", {"scopes": {"@acme": "https://evil.test/"}}, new) == {"npmrc-registry:deny"}
	configured("default", evil, {"baseline": object.union(fx.accepted([], {}), {"manager": evil})}) == {"npmrc-registry:warn"}
	configured("strict", {"scopes": {"@acme": "https://npm.acme.test/"}}, names("https://npm.acme.test/", "@acme")) == set()
	configured("strict", {"scopes": {"@acme": "https://registry.npmjs.org/"}}, names("https://npm.acme.test/", "@acme")) == {"npmrc-registry:deny"}
}

# Dependency confusion
first_party(url) := fx.codes(f) if {
	f := rule.findings with input as fx.document("default", [fx.pkg("@acme/a", "1.0.0", {"resolved": url})], object.union(
		fx.trusting({"first_party": ["@acme"], "registries": [{"url": "https://npm.acme.test/", "scope": "@acme", "serves_evidence": false}]}),
		{"manager": {"scopes": {"@acme": "https://npm.acme.test/"}}},
	))
}

test_dependency_confusion if {
	first_party("https://npm.acme.test/@acme/a/-/a-1.0.0.tgz") == set()
	first_party("https://registry.npmjs.org/@acme/a/-/a-1.0.0.tgz") == {"first-party-elsewhere:deny"}
	first_party(null) == set()
}

# A first-party name without a registry that is named for it: the public one is where a stranger would publish it.
confused(name, url, registries) := fx.codes(f) if {
	f := rule.findings with input as fx.document("default", [fx.pkg(name, "1.0.0", {"resolved": url})], object.union(
		fx.trusting({"first_party": ["@acme", "acme-lib"], "registries": [object.union({"scope": null, "serves_evidence": true}, r) | some r in registries]}),
		{"baseline": fx.accepted([fx.pkg(name, "1.0.0", {"resolved": url})], {})},
	))
}

test_dependency_confusion_without_a_registry_of_its_own if {
	url := "https://registry.npmjs.org/@acme/a/-/a-1.0.0.tgz"
	confused("@acme/a", url, []) == {"first-party-elsewhere:deny"}
	confused("@acme/a", null, []) == {"first-party-elsewhere:deny"}
	confused("acme-lib", "https://registry.npmjs.org/acme-lib/-/acme-lib-1.0.0.tgz", []) == {"first-party-elsewhere:deny"}
	confused("@acme/a", url, [{"url": "https://registry.npmjs.org/", "scope": "@acme"}]) == set()
	confused("acme-lib", "https://npm.acme.test/acme-lib/-/acme-lib-1.0.0.tgz", [{"url": "https://npm.acme.test/"}]) == set()
	confused("@acme/a", url, [{"url": "https://npm.acme.test/"}]) == {"first-party-elsewhere:deny"}
	confused("@other/a", url, []) == set()
}

test_an_unknown_code_denies if said("default", "code-of-tomorrow", {}, {}) == {"code-of-tomorrow:deny"}

test_the_public_registry_passes if {
	fx.codes(rule.findings) == set() with input as fx.document("strict", [fx.pkg("good", "1.0.0", {})], {})
}

test_redirects_and_weakened_checks if {
	every code in ["npmrc-redirects", "npmrc-weakens"] {
		said("default", code, {}, {}) == {sprintf("%s:warn", [code])}
		said("strict", code, {}, {}) == {sprintf("%s:deny", [code])}
		said("default", code, {}, {"manager": {"settings": {"strict-ssl": "false"}}, "baseline": fx.accepted([], {})}) == {sprintf("%s:deny", [code])}
	}
}

# Of an SBOM without addresses nobody can tell a workspace from a stranger's package.
of_an_sbom(profile, resolved) := fx.codes(f) if {
	f := rule.findings with input as object.union(
		fx.document(
			profile, [fx.pkg("@acme/a", "1.0.0", {"resolved": resolved})],
			fx.trusting({"first_party": ["@acme"], "registries": []}),
		),
		{"lockfile": {"path": "bom.json", "kind": "cyclonedx", "version": "1.6", "sha256": fx.hex, "findings": {}}},
	)
}

test_first_party_of_an_sbom if {
	of_an_sbom("default", null) == {"first-party-unaddressed:warn"}
	of_an_sbom("strict", null) == {"first-party-unaddressed:deny"}
	of_an_sbom("default", "https://registry.npmjs.org/@acme/a/-/a-1.0.0.tgz") == {"first-party-elsewhere:deny"}
}
