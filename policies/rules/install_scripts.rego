# METADATA
# title: Install scripts
# description: |
#   Denies a package that runs code when it is installed, unless the trust file approves this script of this version
#   and these bytes. The scripts are those of the tarball itself; where the registry's manifest or the lockfile says
#   otherwise, that disagreement is denied by itself. So is a command that takes the place of a well-known one: `bin`
#   puts it first on the path of every script, and it needs no script of its own to run. Under `default` the script of an old package that did not
#   change since the last approved build (or of the first run) warns.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     An install script is code of a stranger that runs on the build machine, with its secrets, before anybody has looked.
#     Names that were approved once have been taken over: an approval holds for one version and its bytes only.
#   fix: Read the script; approve it in the trust file by name, version, integrity and digest, or stay on the version before it.
#   unknown: Scripts that nobody could read deny for what is new or changed under `default`, and for everything in `strict` and `release`.
#   severity:
#     script-unapproved: {default: deny where new or changed or young; else warn, strict: deny, release: deny}
#     approved-script-changed: {default: deny, strict: deny, release: deny}
#     scripts-disagree: {default: deny, strict: deny, release: deny}
#     command-shadowed: {default: deny where new or changed; else warn, strict: deny, release: deny}
#     scripts-unknown: {default: deny where new or changed, strict: deny, release: deny}
package sbomgate.rules.install_scripts

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages
import data.sbomgate.lib.times

# An approval is bound to the version, the bytes and the text of the script.
approved := {[a.name, a.version, a.integrity, a.digest] | some a in input.trust.approved_scripts}

approved_bytes := {[a.name, a.version, a.integrity] | some a in input.trust.approved_scripts}

approved_names := {a.name | some a in input.trust.approved_scripts}

# Written so that only a known absence of scripts, or an approval, is quiet.
scripted := [p |
	some index, facts in packages.noticed_facts
	not facts.scripts.state in {"none", "unknown"}
	some p in packages.noticeable_with[index]
	not [p.name, p.version, p.integrity, p.scripts.digest] in approved
]

findings contains f if {
	some p in scripted
	[p.name, p.version, p.integrity] in approved_bytes
	f := finding.of("install_scripts", "approved-script-changed", "always", p, {
		"message": sprintf("%s is not the script that was approved for these very bytes", [described(p)]),
		"fix": "read the script and find out why the approval names another digest; then approve it anew",
		"extra": p.scripts.digest,
	})
}

findings contains f if {
	some p in scripted
	not [p.name, p.version, p.integrity] in approved_bytes
	f := finding.of("install_scripts", "script-unapproved", class(p), p, {
		"message": sprintf("%s is not approved%s", [described(p), hint(p)]),
		"fix": sprintf("read it, then approve %s by integrity and digest in the trust file, or stay on the version before it", [packages.label(p)]),
		"extra": p.scripts.digest,
	})
}

class(p) := "always" if p.id in times.young

class(p) := "changed" if not p.id in times.young

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.scripts.disagreements != []
	some p in packages.noticeable_with[index]
	f := finding.of("install_scripts", "scripts-disagree", "always", p, {
		"message": concat("; ", p.scripts.disagreements),
		"fix": "do not install it: what it says of its scripts and what it runs differ",
		"extra": p.scripts.digest,
	})
}

findings contains f if {
	some id, odd in input.manifests
	count(odd.shadows) > 0
	p := packages.by_id[id]
	f := finding.of("install_scripts", "command-shadowed", "changed", p, {
		"message": sprintf("%s brings a command called %s, which scripts would run in place of the real one", [
			packages.label(p), concat(", ", odd.shadows),
		]),
		"fix": "do without it, or have it approved once somebody has read what the command does",
		"extra": concat(",", odd.shadows),
	})
}

findings contains f if {
	some index, ids in packages.noticed_with
	input.facts[index].scripts.state == "unknown"
	denied := finding.unknown_denies(ids)
	count(denied) > 0
	some p in packages.noticeable_with[index]
	p.id in denied
	f := finding.of("install_scripts", "scripts-unknown", "changed", p, {
		"message": sprintf("nobody could read what %s runs when it is installed (%s)", [packages.label(p), p.scripts.reason]),
		"fix": "let sbomgate read the tarball: fill npm's cache (`npm ci --ignore-scripts`) or run with the registry in reach",
		"unknown": true,
	})
}

# `postinstall `node setup.js``, the first that npm would run.
described(p) := sprintf("%s `%s`%s", [name, substring(p.scripts.scripts[name], 0, 200), runs(p)]) if {
	name := [n | some n in ["preinstall", "install", "postinstall", "prepare"]; p.scripts.scripts[n]][0]
} else := "its build through binding.gyp" if {
	p.scripts.gyp
} else := "its install script"

# Which files of the tarball it names, with the beginning of their digests: what has to be read.
default runs(_) := ""

runs(p) := sprintf(" (%s)", [concat(", ", array.slice(files, 0, 3))]) if {
	files := [sprintf("%s sha256:%s…", [path, substring(digest, 0, 12)]) | some path, digest in input.manifests[p.id].script_files]
	count(files) > 0
}

hint(p) := "; other versions of it are, which says nothing about this one" if p.name in approved_names

hint(p) := "" if not p.name in approved_names
