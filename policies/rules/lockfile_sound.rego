# METADATA
# title: A lockfile with one meaning
# description: |
#   Denies a lockfile that contradicts itself, its neighbours or package.json, and entries whose bytes it does not pin
#   by one sha512. What has no single meaning at all never gets here: that is an error, not a finding.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     The tools that read a lockfile disagree about contradictions, and an attacker picks the reading that the scanner
#     does not see. An entry without a strong hash can be served with other bytes tomorrow.
#   fix: Let the package manager write the lockfile anew from a clean tree (`npm install --package-lock-only`), and review the difference.
#   unknown: An entry whose source the lockfile does not say is itself a finding.
#   severity:
#     unknown-source: {default: deny where new or changed; else warn, strict: deny, release: deny}
#     name-case: {default: note where the registry has it or it is from git; else deny where new or changed, strict: note where the registry has it or it is from git; else deny, release: note where the registry has it or it is from git; else deny}
#     range-unsatisfied: {default: deny for npm; else deny where new or changed; else warn, strict: deny, release: deny}
#     unjudged: {default: deny, strict: deny, release: deny}
#     lockfile-not-judged: {default: by unjudged_lockfiles, strict: by unjudged_lockfiles, release: by unjudged_lockfiles}
#   parameters:
#     unjudged_lockfiles:
#       type: string
#       enum: [note, warn, deny]
#       default: note
#       stricter: [note, warn, deny]
#       description: What another lockfile further down in the tree does, which this decision says nothing about
#     judged_elsewhere:
#       type: array
#       items: {type: string}
#       default: []
#       stricter: subset
#       description: Lockfiles in the tree that another job judges, or nobody installs from. Paths; with a `/` at the end, all that lies below
package sbomgate.rules.lockfile_sound

import data.sbomgate.lib.finding
import data.sbomgate.lib.lock
import data.sbomgate.lib.packages

rewrite := "let the package manager write the lockfile anew (`npm install --package-lock-only`, `pnpm install --lockfile-only`, `bun install --lockfile-only`) and review the difference"

# npm keeps an entry as it is: without a hash, or with a weak one, until it resolves it anew.
rehash := "remove the entry from the lockfile, run `npm install --package-lock-only`, which asks for it anew, and review the difference"

rewrite_yarn := "let yarn write the lockfile anew (`yarn install`, with `checksumBehavior: throw`) and review the difference"

remake := "check the lockfile itself, or have a tool that states every edge make the SBOM"

codes := {
	"shrinkwrap-shadow": {"class": "always", "fix": "keep one of the two lockfiles: npm reads npm-shrinkwrap.json and ignores the other"},
	"sections-disagree": {"class": "always", "fix": rewrite},
	"lockfile-elsewhere": {"class": "always", "fix": "check the lockfile that is installed from; or remove the setting that leads there"},
	"workspace-above": {"class": "settings", "fix": "check the lockfile of the workspace above; or see to it that the build does not look there (`--ignore-workspace`, `--no-workspaces`, an image with this folder alone)"},
	"packages-in-repository": {"class": "settings", "fix": "take the files out of the repository: nobody compares them with what the lockfile pins"},
	"archives-in-repository": {"class": "debt", "fix": "install with `yarn install --immutable --check-cache`, which fetches the archives anew and compares them"},
	"symlinked-lockfile": {"class": "always", "fix": "commit the lockfile itself, not a link to it"},
	"root-differs": {"class": "always", "fix": rewrite},
	"integrity-differs": {"class": "always", "fix": rewrite},
	"shrinkwrap-unlisted": {"class": "always", "fix": "let npm write the lockfile anew: it lists what a shrinkwrap brings in, below the package that has it"},
	"scripts-in-lockfile": {"class": "always", "fix": "find out who wrote them there, npm never does; then remove them from the lockfile"},
	"several-hashes": {"class": "always", "fix": rewrite},
	"malformed-integrity": {"class": "always", "fix": rewrite},
	"patch-differs": {"class": "always", "fix": "let the package manager apply the patch anew (`pnpm patch-commit`, `bun patch --commit`), and review both"},
	"missing-integrity": {"class": "changed", "fix": rehash},
	"weak-integrity": {"class": "changed", "fix": rehash},
	"missing-checksum": {"class": "changed", "fix": rewrite_yarn},
	"flag-mismatch": {"class": "changed", "fix": rewrite},
	"unreachable-entry": {"class": "changed", "fix": "`npm prune --package-lock-only` drops what nothing depends on"},
	"bundle-undeclared": {"class": "changed", "fix": rewrite},
	"bundle-unlisted": {"class": "debt", "fix": "`npm install --package-lock-only` in a tree without node_modules lists what a package bundles; its tarball is judged as it is"},
	"dependency-missing": {"class": "always", "fix": rewrite},
	"range-unsatisfied": {"class": "changed", "fix": rewrite},
	"name-case": {"class": "changed", "fix": "make sure that the old package with this very spelling is meant"},
	"name-case-collision": {"class": "changed", "fix": "write the name as the registry has it"},
	"name-invalid": {"class": "always", "fix": "find out where this entry comes from: npm allows no such name"},
	"npmrc-weakens": {"class": "settings", "fix": "remove the setting from .npmrc"},
	"symlinked-manifest": {"class": "debt", "fix": "commit the file itself, not a link to it"},
	"manifest-missing": {"class": "debt", "fix": "gate the lockfile together with its package.json"},
	"link-target-missing": {"class": "debt", "fix": rewrite},
	"root-renamed": {"class": "debt", "fix": rewrite},
	"workspace-differs": {"class": "debt", "fix": rewrite},
	"other-lockfile": {"class": "debt", "fix": "keep one lockfile: the other tool installs something else"},
	"nested-lockfile": {"class": "debt", "fix": "remove the workspace's own lockfile, or gate it as well"},
	"lockfile-not-judged": {"class": "note", "fix": "`sbomgate check` and `gate` that lockfile too; the trust file's judged_elsewhere names those that others judge"},
	"no-integrity-format": {"class": "debt", "fix": "nothing in this format ties an entry to the registry's bytes: a lockfile of npm, pnpm or yarn 1 does"},
	"peer-unmet": {"class": "note", "fix": "nothing to do for the gate: the peer is not installed"},
	"peer-invalid": {"class": "note", "fix": "nothing to do for the gate: what is installed was judged"},
	"lockfile-v1": {"class": "note", "fix": "npm 7 or later writes a newer lockfile, which says more"},
	"lockfile-unseen": {"class": "debt", "fix": "check the lockfile itself: an SBOM is what its author says of it", "unknown": true},
	"not-judged": {"class": "always", "fix": "judge them with a tool that knows their kind, and check the npm project by its lockfile", "unknown": true},
	"files-not-judged": {"class": "debt", "fix": "nothing here looks into files, data or services that an SBOM lists", "unknown": true},
	"edges-unknown": {"class": "debt", "fix": remake, "unknown": true},
	"packages-unreached": {"class": "debt", "fix": remake, "unknown": true},
	"reference-dangling": {"class": "changed", "fix": remake, "unknown": true},
	"sbom-incomplete": {"class": "debt", "fix": remake, "unknown": true},
	"platform-unchecked": {"class": "note", "fix": "`supportedArchitectures` in .yarnrc.yml makes yarn record the checksums of other platforms"},
}

findings contains f if some f in lock.judged("lockfile_sound", codes, {"root-differs", "name-case", "lockfile-not-judged", "range-unsatisfied"})

# A name in capitals is fine where the registry has these very bytes under it: only old packages do, as JSONStream.
findings contains f if {
	some said in lock.of_code("lockfile_sound", "name-case")
	f := lock.judge("lockfile_sound", said, object.union(codes["name-case"], {"class": case_class(said.package)}))
}

case_class(id) := "note" if registry_has(id)

case_class(id) := "note" if not_asked_by_name(id)

case_class(id) := codes["name-case"].class if {
	not registry_has(id)
	not not_asked_by_name(id)
}

# Of git no registry is asked for the name: there is no other package that it could be taken for.
not_asked_by_name(id) if packages.by_id[id].kind == "git"

registry_has(id) if {
	p := packages.by_id[id]
	p.integrity != null
	p.integrity == p.registry_integrity
}

# The root block of a workspace lags behind whenever a sibling's version is raised; what it leads to is judged by itself.
findings contains f if {
	some said in lock.of_code("lockfile_sound", "root-differs")
	f := lock.judge("lockfile_sound", said, object.union(codes["root-differs"], {"class": root_class(said.package)}))
}

root_class(id) := "debt" if is_workspace(id)

root_class(id) := "always" if not is_workspace(id)

is_workspace(id) if packages.by_id[id].kind == "workspace"

# `npm ci` refuses such a lockfile: nobody has one that works. Others install what it says.
findings contains f if {
	some said in lock.of_code("lockfile_sound", "range-unsatisfied")
	f := lock.judge("lockfile_sound", said, object.union(codes["range-unsatisfied"], {"class": range_class}))
}

range_class := "always" if input.lockfile.kind == "npm"

range_class := codes["range-unsatisfied"].class if input.lockfile.kind != "npm"

# What is installed from another lockfile of the tree is nothing that this decision covers.
findings contains f if {
	some said in lock.of_code("lockfile_sound", "lockfile-not-judged")
	not elsewhere(said.place)
	f := lock.judge("lockfile_sound", said, object.union(codes["lockfile-not-judged"], {"class": unjudged_class}))
}

settings := input.parameters.lockfile_sound

default unjudged_class := "always"

unjudged_class := settings.unjudged_lockfiles if settings.unjudged_lockfiles in {"note", "warn"}

elsewhere(path) if path in settings.judged_elsewhere

elsewhere(path) if {
	some directory in settings.judged_elsewhere
	endswith(directory, "/")
	startswith(path, directory)
}

findings contains f if {
	some index, facts in packages.noticed_facts
	facts.kind == "unknown"
	some p in packages.noticeable_with[index]
	f := finding.of("lockfile_sound", "unknown-source", "changed", p, {
		"message": sprintf("the lockfile does not say where the bytes of %s come from", [packages.label(p)]),
		"fix": rewrite,
		"unknown": true,
	})
}

# A finding of the reader that no rule judges would pass unseen.
judges := {"lockfile_sound", "bound_bytes", "pinned", "registries", "exotic_sources", "manager_code"}

findings contains f if {
	some rule, found in input.lockfile.findings
	not rule in judges
	some said in found
	f := finding.of("lockfile_sound", "unjudged", "always", packages.named(said.package), {
		"message": sprintf("no rule judges %s (%s): %s", [said.code, rule, said.message]),
		"fix": lock.unknown_code.fix,
		"extra": concat("\n", [rule, said.code, said.place]),
	})
}
