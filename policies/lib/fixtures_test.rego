# A whole, quiet input, and the parts that tests change: every test states only what it is about.
package sbomgate.tests.fixtures

now := "2026-11-20T12:00:00Z"

old := "2025-06-01T00:00:00Z"

two_hours_ago := "2026-11-20T10:00:00Z"

yesterday := "2026-11-19T17:00:00Z"

hex := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

absent := {"state": "unattested", "reason": "the registry has none", "log_proof": null, "log_time": null, "claims": null}

attestation(state) := object.union(absent, {"state": state, "reason": sprintf("it is %s", [state])})

claims := {
	"issuer": "https://token.actions.githubusercontent.com",
	"identity": "https://github.com/axios/axios/.github/workflows/publish.yml@refs/tags/v1.14.0",
	"repository": "https://github.com/axios/axios",
	"repository_id": "23088740",
	"owner": "https://github.com/axios",
	"owner_id": "32372333",
	"workflow": ".github/workflows/publish.yml",
	"ref": "refs/tags/v1.14.0",
	"commit": "0000000000000000000000000000000000000000",
	"trigger": "push",
	"runner": "github-hosted",
	"builder": "https://github.com/actions/runner/github-hosted",
}

built_with(changes) := {
	"state": "verified", "reason": "", "log_proof": "inclusion+SET", "log_time": old,
	"claims": object.union(claims, changes),
}

built := built_with({})

no_scripts := {
	"state": "none", "source": "tarball", "reason": "", "scripts": {}, "gyp": false, "digest": null, "disagreements": [],
}

postinstall(text) := object.union(no_scripts, {
	"state": "present",
	"scripts": {"postinstall": text},
	"digest": crypto.sha256(text),
})

unknown_scripts := object.union(no_scripts, {"state": "unknown", "source": "unknown", "reason": "no tarball in reach"})

published(at) := {
	"time": at, "source": "registry", "reason": "", "first": "2020-01-01T00:00:00Z", "absent": null, "seen": null,
}

unknown_time := {
	"time": null, "source": "unknown", "reason": "registry unreachable", "first": null, "absent": null, "seen": null,
}

# An old, plain package of the public registry; `changes` win.
pkg(name, version, changes) := object.union(
	{
		"id": sprintf("node_modules/%s", [name]),
		"name": name,
		"version": version,
		"kind": "registry",
		"flags": ["direct"],
		"resolved": sprintf("https://registry.npmjs.org/%s/-/%s-%s.tgz", [name, name, version]),
		"integrity": integrity(name, version),
		"registry": "https://registry.npmjs.org/",
		"registry_integrity": integrity(name, version),
		"publish": published(old),
		"scripts": no_scripts,
		"signature": {"state": "verified", "reason": ""},
		"publish_attestation": absent,
		"provenance": absent,
		"publisher": "jasonsaayman",
		"trusted_publisher": null,
		"licence": "MIT",
		"deprecated": null,
		"malicious": [],
		"malicious_name": [],
		"similar": [],
	},
	changes,
)

# The input says of a package what is its own, and states the facts that packages share once. (Here each has its own.)
of_its_own(p, index) := object.union(
	object.filter(p, ["id", "name", "version", "flags", "resolved", "integrity", "publisher"]),
	object.union(
		{"published": p.publish.time, "first_published": p.publish.first, "facts": index},
		{key: value | key := "registry_integrity"; value := p[key]; agrees(p) == false},
	),
)

agrees(p) := null if p.registry_integrity == null

agrees(p) := p.registry_integrity == p.integrity if p.registry_integrity != null

shared(p, held) := object.union(
	object.filter(p, [
		"kind", "registry", "scripts", "signature", "publish_attestation", "provenance", "trusted_publisher", "licence",
		"deprecated", "malicious", "malicious_name", "similar",
	]),
	{
		"publish": object.filter(p.publish, ["source", "reason", "absent", "seen"]),
		"published_until": p.publish.time,
		"first_published_until": p.publish.first,
		"registry_agrees": agrees(p),
		"held": held,
	},
)

integrity(name, version) := sprintf("sha512-%s-%s", [name, version])

unmet(target, name, range) := {"target": target, "name": name, "kind": "prod", "range": range, "satisfied": false}

bootstrap := {
	"state": "bootstrap", "reason": "none was given", "evidence": null, "decided_at": null,
	"manager": null, "held": {}, "packages": {}, "edges": {}, "gained": [],
}

told := {"registry": "https://registry.npmjs.org/", "scopes": {}, "settings": {}}

# What the registry's history says of a package that had no release before.
first_release := {"unknown": "", "maintainers": [], "releases": []}

preceded_by(releases) := object.union(first_release, {"releases": releases})

# An earlier release, from what `pkg` makes of it.
release(p) := {
	"version": p.version,
	"advertised": p.provenance.state != "unattested",
	"provenance": p.provenance,
	"publisher": p.publisher,
	"trusted_publisher": p.trusted_publisher,
	"maintainers": [],
}

# A baseline that held exactly these packages and edges (name → names). `document` says which of its own it held.
accepted(packages, edges) := {
	"state": "accepted",
	"reason": "",
	"evidence": hex,
	"decided_at": "2026-11-01T00:00:00Z",
	"manager": told,
	"packages": {name: entries |
		some one in packages
		name := one.name
		entries := [held(p) | some p in packages; p.name == name]
	},
	"edges": edges,
}

same(p) := [p.version, p.integrity] if p.integrity != null

same(p) := [p.version, null, p.resolved] if p.integrity == null

is_held(p, baseline) if {
	some one in object.get(baseline.packages, p.name, [])
	same(one) == same(p)
}

is_outside(p) if not p.kind in {"workspace", "link"}

held(p) := {
	"version": p.version,
	"integrity": p.integrity,
	"resolved": p.resolved,
	"scripts_digest": p.scripts.digest,
	"scripts_state": p.scripts.state,
	"provenance": p.provenance,
	"publisher": p.publisher,
	"trusted_publisher": p.trusted_publisher,
	"maintainers": [],
}

nobody := {
	"sha256": null, "registries": [], "first_party": [], "approved_scripts": [], "exclusions": [],
	"expected_provenance": [], "issuers": [], "quorum": 1,
}

document(profile, packages, changes) := document_against(object.get(changes, "baseline", bootstrap), profile, packages, changes)

document_against(baseline, profile, packages, changes) := object.union(
	{
		"schema": "sbomgate/policy-input/v1",
		"evaluated_at": now,
		"profile": profile,
		"environment": null,
		"project": {
			"name": "shop", "version": "3.2.0",
			"repository": {"value": "https://example.test/shop", "source": "flag"},
			"commit": null, "lockfile_path": "package-lock.json", "workspace": null,
		},
		"subject": null,
		"link": null,
		"ties": null,
		"time_source": null,
		"parameters": {
			"release_age": {"minimum_age_hours": 72, "direct_age_hours": 0, "transitive_age_hours": 0, "packages": {}, "mirror_lag_hours": 24},
			"new_dependencies": {"first_release_days": 7},
			"pinned": {"mode": "locked"},
			"licences": {"allow": ["*"], "deny": [], "dev_allow": ["*"], "dev_deny": [], "texts": [], "unknown": "note"},
			"deprecated": {"level": "note"},
			"trust_drift": {"history_days": 30},
			"provenance": {"promise_only_before": "2024-01-01", "trust_root_days": 365},
			"lockfile_sound": {"unjudged_lockfiles": "note", "judged_elsewhere": []},
		},
		"lockfile": {"path": "package-lock.json", "kind": "npm", "version": "3", "sha256": hex, "findings": {}},
		"manager": object.union(told, {"name": "npm", "files": {}}),
		"malicious_lists": [],
		"packages": [of_its_own(p, index) | some index, p in packages],
		"facts": [shared(p, held) | some p in packages; held := p.id in ids],
		"licences": {"MIT": [[["MIT"]]]},
		"manifests": {},
		"earlier": {p.id: first_release | some p in packages},
		"edges": {"": [p.id | some p in packages; "direct" in p.flags]},
		"unmet": {},
		"baseline": object.union(bootstrap, {
			"held": {p.name: name_held |
				baseline.state == "accepted"
				some p in packages
				name_held := is_array(object.get(baseline.packages, p.name, null))
			},
			"gained": sort({p.name |
				some p in packages
				some target in packages
				target.id in object.get(changes, ["edges", p.id], [])
				not target.name in object.get(baseline.edges, p.name, [])
			}),
		}),
		"trust": nobody,
		"change": {"authors": ["dora"], "authors_known": true, "reason": ""},
		"trust_root": {"trusted_root": hex, "registry_keys": hex, "updated": "2026-11-01T00:00:00Z"},
		"approvals": [],
		"refused_waivers": [],
		"waivers": [],
	},
	changes,
) if {
	ids := {p.id | some p in packages; is_outside(p); is_held(p, baseline)}
}

lock_finding(rule, code, package_id) := {
	"code": code, "rule": rule, "package": package_id, "place": "packages", "message": sprintf("%s was found", [code]),
}

with_findings(found) := {"lockfile": {"findings": {rule: of_rule |
	some one in found
	rule := one.rule
	of_rule := [object.remove(f, ["rule"]) | some f in found; f.rule == rule]
}}}

trusting(changes) := {"trust": object.union(object.union(nobody, {"sha256": hex}), changes)}

# `code:level` of each finding of a rule: what most tests compare.
codes(findings) := {sprintf("%s:%s", [f.code, f.level]) | some f in findings}

about(findings, id) := {sprintf("%s:%s", [f.code, f.level]) | some f in findings; f.package == id}
