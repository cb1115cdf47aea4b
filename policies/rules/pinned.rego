# METADATA
# title: Pinned versions
# description: |
#   Denies a lockfile that package.json does not agree with, and git dependencies without a commit. Open ranges are
#   counted in mode `locked`, where the lockfile pins them, and denied in mode `exact`; ranges that name no version
#   at all (`*`, `latest`) warn, and deny in `strict`, as prereleases do that package.json asks for; those that
#   dependencies ask for are one note.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     Malicious releases reach builds through ranges, rebuilds and update bots. What is pinned changes only when somebody
#     changes it.
#   fix: Run `npm install` (or pnpm's, yarn's, bun's) and commit both files; write exact versions where the mode asks for them.
#   unknown: A range that cannot be compared (a tag, a URL) is a floating range.
#   severity:
#     prereleases-of-others: {default: note, strict: note, release: note}
#     open-ranges: {default: note, strict: note, release: note}
#     declared-range: {default: deny in mode exact, strict: deny in mode exact, release: deny in mode exact}
#   parameters:
#     mode:
#       type: string
#       enum: [locked, exact]
#       default: locked
#       stricter: [locked, exact]
#       description: "`locked`: the lockfile pins what package.json leaves open; `exact`: package.json must pin as well"
package sbomgate.rules.pinned

import data.sbomgate.lib.finding
import data.sbomgate.lib.lock
import data.sbomgate.lib.packages

default manager := "npm"

manager := input.lockfile.kind if input.lockfile.kind in {"pnpm", "yarn", "bun"}

codes := {
	"lock-drift": {"class": "always", "fix": sprintf("run `%s install` and commit package.json and the lockfile together", [manager])},
	"git-not-commit": {"class": "always", "fix": "pin the git dependency to a full commit id"},
	"declared-floating": {"class": "debt", "fix": "write a version in package.json"},
	"prerelease": {"class": "debt", "fix": "use a stable release, or have this one approved"},
	"ranges-unseen": {"class": "debt", "fix": "check the lockfile itself, with its package.json", "unknown": true},
	"nested-shrinkwrap": {"class": "settings", "fix": "its own lockfile decides what it installs: ask for a release without one, or vendor it"},
	"override": {"class": "note", "fix": "the entry that the override leads to is what was judged"},
}

# Ranges that the lockfile pins: one note for all of them, or one denial each.
open_ranges := {"declared-range"}

findings contains f if some f in lock.judged("pinned", codes, open_ranges | {"lock-drift", "ranges-unseen", "prerelease"})

# A prerelease that package.json asks for is this project's choice. One that a dependency asks for (gensync has been a beta
# for years, below everything that uses Babel) is nothing that anybody here can mend: one note names them all.
findings contains f if {
	some said in lock.of_code("pinned", "prerelease")
	not said.package in prereleases_of_others
	f := lock.judge("pinned", said, codes.prerelease)
}

prereleases_of_others := {id |
	some said in lock.of_code("pinned", "prerelease")
	id := said.package
	not "direct" in packages.entries[id].flags
}

findings contains f if {
	count(prereleases_of_others) > 0
	f := finding.of("pinned", "prereleases-of-others", "note", packages.whole, {
		"message": sprintf(
			"dependencies ask for %d prereleases: %s",
			[count(prereleases_of_others), packages.enumerate(prereleases_of_others)],
		),
		"fix": "nothing to do: the lockfile pins them",
		"extra": packages.identity(prereleases_of_others),
	})
}

findings contains f if {
	some said in lock.of_code("pinned", "lock-drift")
	f := lock.judge("pinned", said, object.union(codes["lock-drift"], {"class": drift_class(said.package)}))
}

# Workspaces that drift apart from each other bring in nobody's code but the project's own.
drift_class(id) := "debt" if among_workspaces(id)

drift_class(id) := "always" if not among_workspaces(id)

among_workspaces(id) if {
	unmet := [e | some e in input.unmet[id]; not met(e)]
	count(unmet) > 0
	every e in unmet {
		packages.by_id[e.target].kind == "workspace"
	}
}

# As npm sees it: a peer, or an optional dependency that is not there, breaks nothing.
met(e) if {
	e.target != null
	e.satisfied != false
}

met(e) if e.kind in {"peer", "peerOptional"}

met(e) if {
	e.kind == "optional"
	e.target == null
}

# Of an SBOM nobody knows what package.json leaves open: mode `exact` cannot be met.
findings contains f if {
	some said in lock.of_code("pinned", "ranges-unseen")
	f := lock.judge("pinned", said, object.union(codes["ranges-unseen"], {"class": unseen_class}))
}

unseen_class := "debt" if locked_mode

unseen_class := "always" if not locked_mode

# Only the word `locked` leaves ranges open.
exact_mode if not locked_mode

locked_mode if input.parameters.pinned.mode == "locked"

open_said := [said |
	some code in open_ranges
	some said in lock.of_code("pinned", code)
]

findings contains f if {
	exact_mode
	some said in open_said
	f := lock.judge("pinned", said, {"class": "always", "fix": "write the exact version in package.json (mode `exact`)"})
}

findings contains f if {
	not exact_mode
	count(open_said) > 0
	f := finding.of("pinned", "open-ranges", "note", packages.whole, {
		"message": sprintf("%d ranges in package.json are open; the lockfile pins them", [count(open_said)]),
		"fix": "install with `npm ci` only: it keeps to the lockfile",
	})
}
