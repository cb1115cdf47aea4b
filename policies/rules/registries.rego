# METADATA
# title: Registries
# description: |
#   Denies packages that come from a registry which neither npm's public one nor the trust file names for their scope,
#   an .npmrc that leads elsewhere, credentials in an address, and a first-party package from outside (dependency
#   confusion).
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Whoever chooses the registry chooses the bytes, and for new entries the hashes too.
#   fix: Name the registry in the trust file, for its scope; or restore the address.
#   unknown: An entry without an address is a note where the configured registry is an accepted one, else unknown.
#   severity:
#     resolved-omitted: {default: note, strict: note, release: note}
#     first-party-elsewhere: {default: deny, strict: deny, release: deny}
#     first-party-unaddressed: {default: deny where new or changed; else warn, strict: deny, release: deny}
package sbomgate.rules.registries

import data.sbomgate.lib.finding
import data.sbomgate.lib.lock
import data.sbomgate.lib.packages

name_it := "name the registry in the trust file, for its scope, or restore the address"

codes := {
	"resolved-userinfo": {"class": "always", "fix": "remove the user name or password from the address, and change the password"},
	"resolved-foreign-host": {"class": "changed", "fix": name_it},
	"resolved-http": {"class": "changed", "fix": "use https: anybody on the way can change what plain http brings"},
	"resolved-missing": {"class": "changed", "fix": "write the lockfile with addresses (`omit-lockfile-registry-resolved=false`)", "unknown": true},
	"resolved-trailing-dot": {"class": "changed", "fix": "write the host without the trailing dot"},
	"registries-unseen": {"class": "debt", "fix": "check the lockfile itself: an SBOM says neither which registries are configured nor, often, where from", "unknown": true},
	"npmrc-registry": {"class": "settings", "fix": name_it},
	"npmrc-redirects": {"class": "settings", "fix": "remove the setting from the repository's .npmrc; a proxy or certificate belongs to the machine"},
	"npmrc-weakens": {"class": "settings", "fix": "remove the setting from .npmrc"},
}

# What the table says, where the trust file does not accept the address.
findings contains f if some f in lock.judged("registries", codes, {"resolved-foreign-host", "resolved-missing", "npmrc-registry"})

findings contains f if {
	some said in lock.of_code("registries", "resolved-foreign-host")
	p := packages.named(said.package)
	not accepted_address(p)
	f := lock.judge("registries", said, codes["resolved-foreign-host"])
}

# Where the configured registry is an accepted one, entries without an address are one note for all of them.
unaddressed := [said |
	some said in lock.of_code("registries", "resolved-missing")
	p := packages.named(said.package)
	not configured_accepted(packages.scope(p.name))
]

configured_accepted(scope) if accepted_for(scope, configured(scope))

findings contains f if {
	some said in unaddressed
	f := lock.judge("registries", said, codes["resolved-missing"])
}

findings contains f if {
	fine := count(lock.of_code("registries", "resolved-missing")) - count(unaddressed)
	fine > 0
	f := finding.of("registries", "resolved-omitted", "note", packages.whole, {
		"message": sprintf("%d entries name no address; the registry that is configured for them is an accepted one", [fine]),
		"fix": "nothing to do",
	})
}

# Configured registries: judged from what is configured, so that the reader's finding is only its place.
findings contains f if {
	some scope, url in object.union({"": input.manager.registry}, input.manager.scopes)
	not accepted_for(null_if_empty(scope), url)
	f := finding.of("registries", "npmrc-registry", "settings", packages.whole, {
		"message": sprintf("%s come from %s, which nobody accepted", [spoken(scope), url]),
		"fix": name_it,
		"extra": concat("\n", [scope, url]),
	})
}

null_if_empty(scope) := scope if scope != ""

null_if_empty(scope) := null if scope == ""

spoken("") := "packages"

spoken(scope) := sprintf("packages of %s", [scope]) if scope != ""

# Dependency confusion: nobody asks for the age or the provenance of a first-party package, so it comes from a registry
# that the trust file names, for its scope or else for all. That the public one is accepted by itself does not count.
findings contains f if {
	some id in packages.first_party
	p := packages.by_id[id]
	p.kind in {"registry", "unknown"}
	not from_named_registry(p)
	not address_unseen(p)
	f := finding.of("registries", "first-party-elsewhere", "always", p, {
		"message": sprintf("%s is first-party and does not come from a registry that the trust file names for it (%v)", [
			packages.label(p),
			p.resolved,
		]),
		"fix": "somebody may have taken your package's name on a public registry: restore the address, or name its registry in the trust file",
	})
}

# Of an SBOM without addresses nobody can tell: a workspace of the project looks the same.
findings contains f if {
	some id in packages.first_party
	p := packages.by_id[id]
	address_unseen(p)
	f := finding.of("registries", "first-party-unaddressed", "changed", p, {
		"message": sprintf("%s is first-party, and the SBOM does not say where it comes from", [packages.label(p)]),
		"fix": "check the lockfile itself",
		"unknown": true,
	})
}

address_unseen(p) if {
	input.lockfile.kind == "cyclonedx"
	p.resolved == null
}

from_named_registry(p) if within(address(p), named(packages.scope(p.name)))

address(p) := p.resolved if p.resolved != null

address(p) := configured(packages.scope(p.name)) if p.resolved == null

named(scope) := own_registries(scope) if count(own_registries(scope)) > 0

named(scope) := {r.url | some r in input.trust.registries; r.scope == null} if count(own_registries(scope)) == 0

accepted_address(p) if accepted_for(packages.scope(p.name), p.resolved)

# The registries that hold for a scope: its own where the trust file names any, else those for every scope.
accepted_for(scope, url) if within(url, holding(scope))

within(url, registries) if {
	is_string(url)
	some accepted in registries
	startswith(url, accepted)
	not contains(url, "/../")
	not contains(lower(url), "%2e")
	not contains(lower(url), "%2f..")
}

public := "https://registry.npmjs.org/"

holding(scope) := own_registries(scope) if count(own_registries(scope)) > 0

holding(scope) := {public} | {r.url | some r in input.trust.registries; r.scope == null} if count(own_registries(scope)) == 0

own_registries(scope) := set() if scope == null

own_registries(scope) := {r.url | some r in input.trust.registries; r.scope == scope} if scope != null

# The registry that npm asks for packages of this scope.
configured(scope) := object.get(input.manager.scopes, scope, input.manager.registry)
