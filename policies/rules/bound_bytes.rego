# METADATA
# title: The bytes are the package's own
# description: |
#   Denies an entry whose address or hash belongs to another package or version than the one it is listed as, and one
#   whose integrity is not what the registry has for that version, whose tarball is served with other bytes, or whose
#   version the registry has no more. A tarball whose package.json names other dependencies or commands than the
#   registry's manifest or the lockfile does (manifest confusion) is denied where it is new or changed. A version never
#   has two tarballs: copies of it with different hashes, and other bytes than the approved build had, are denied.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     npm installs what `resolved` and `integrity` say, and lists it under the entry's name and version: an edited lock
#     installs one package under the name of another, and scanners report the harmless one.
#   fix: Restore the entry from the registry (remove it and run `npm install --package-lock-only`); find out who changed it.
#   unknown: Where the registry's own integrity is not known nothing is compared; complete_evidence counts the signature that is missing. An SBOM without a hash says bytes-unknown.
#   severity:
#     registry-integrity-differs: {default: deny, strict: deny, release: deny, waivable: false}
#     served-bytes-differ: {default: deny, strict: deny, release: deny, waivable: false}
#     version-withdrawn: {default: deny, strict: deny, release: deny}
#     approved-bytes-differ: {default: deny, strict: deny, release: deny}
#     manifest-differs: {default: deny where new or changed; else warn, strict: deny, release: deny}
package sbomgate.rules.bound_bytes

import data.sbomgate.lib.finding
import data.sbomgate.lib.lock
import data.sbomgate.lib.packages

restore := "remove the entry, let the package manager write it anew, and find out who changed it"

codes := {
	"resolved-name-differs": {"class": "always", "fix": restore, "waivable": false},
	"resolved-version-differs": {"class": "always", "fix": restore, "waivable": false},
	"resolved-not-canonical": {"class": "always", "fix": restore},
	"resolved-malformed": {"class": "always", "fix": restore},
	"version-invalid": {"class": "always", "fix": restore},
	"alias-undeclared": {"class": "always", "fix": restore},
	"source-undeclared": {"class": "always", "fix": restore},
	"bytes-unknown": {"class": "changed", "fix": "check the lockfile itself, or have a tool that states hashes make the SBOM", "unknown": true},
	"purl-differs": {"class": "changed", "fix": "find out which of the two packages is meant: it was judged by the one that the purl names", "unknown": true},
	"purl-version-differs": {"class": "always", "fix": "find out which version is meant, and who edited the SBOM"},
	"purl-case": {"class": "note", "fix": "nothing to do: the address says which spelling is meant"},
	"name-is-alias": {"class": "note", "fix": "nothing to do: the real package was judged"},
	"several-addresses": {"class": "changed", "fix": "find out where the bytes come from", "unknown": true},
	"source-missing": {"class": "always", "fix": restore, "unknown": true},
}

findings contains f if some f in lock.judged("bound_bytes", codes, set())

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.registry_agrees == false
	some p in packages.noticeable_with[index]
	p.integrity != null
	p.integrity != p.registry_integrity
	contradict(p.integrity, p.registry_integrity)
	f := finding.of("bound_bytes", "registry-integrity-differs", "always", p, {
		"message": sprintf("the lockfile's integrity of %s is not the registry's (%s)", [packages.label(p), p.registry_integrity]),
		"fix": "do not install it: the lockfile was edited, or the registry serves other bytes than it did; compare both tarballs",
		"waivable": false,
		"extra": p.registry_integrity,
	})
}

# The tarball itself: what was served under this address is not what the lockfile pins.
findings contains f if {
	some index, facts in packages.noticed_facts
	facts.scripts.source == "other-bytes"
	some p in packages.noticeable_with[index]
	f := finding.of("bound_bytes", "served-bytes-differ", "always", p, {
		"message": sprintf("the tarball that is served for %s is not the one of the lockfile (%s)", [packages.label(p), p.scripts.reason]),
		"fix": "do not install it: the lockfile was edited, or the registry serves other bytes than it did; compare both tarballs",
		"waivable": false,
	})
}

# Versions are withdrawn for a reason, which most often is malware.
findings contains f if {
	some index, facts in packages.noticed_facts
	facts.publish.source == "withdrawn"
	some p in packages.noticeable_with[index]
	f := finding.of("bound_bytes", "version-withdrawn", "always", p, {
		"message": sprintf("the registry that %s came from has it no more (%s)", [packages.label(p), p.publish.reason]),
		"fix": "find out why it was withdrawn; pin a version that is there",
	})
}

# Released versions do not change: other bytes of an approved version come from another registry, or from one that lies.
findings contains f if {
	some id in packages.changed
	p := packages.by_id[id]
	p.version != null
	p.integrity != null
	others := [e.integrity | some e in packages.before(p.name); e.version == p.version; e.integrity != null]
	count(others) > 0
	every other in others {
		contradict(p.integrity, other)
	}
	f := finding.of("bound_bytes", "approved-bytes-differ", "always", p, {
		"message": sprintf("the approved build had other bytes of %s (%s)", [packages.label(p), others[0]]),
		"fix": "do not install it before both tarballs are compared: a released version does not change",
		"extra": others[0],
	})
}

# Manifest confusion: people and scanners read one manifest, and what is installed says another.
findings contains f if {
	some id, odd in input.manifests
	count(odd.disagreements) > 0
	p := packages.by_id[id]
	f := finding.of("bound_bytes", "manifest-differs", "changed", p, {
		"message": concat("; ", odd.disagreements),
		"fix": "find out why its manifests differ before it is installed; the tarball's own package.json is what counts",
	})
}

# Two integrity strings contradict each other where they name the same algorithm and share no hash of it.
contradict(a, b) if {
	some algorithm in ["sha512", "sha384", "sha256", "sha1"]
	ours := hashes(a, algorithm)
	theirs := hashes(b, algorithm)
	count(ours) > 0
	count(theirs) > 0
	count(ours & theirs) == 0
}

hashes(integrity, algorithm) := {token |
	some word in split(integrity, " ")
	token := split(word, "?")[0]
	startswith(token, concat("", [algorithm, "-"]))
}
