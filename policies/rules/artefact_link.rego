# METADATA
# title: The artefact is what the lockfile says
# description: |
#   Judges what was compared to tie the artefact to the lockfile: the installed tree (`gate --installed`), the artefact's
#   own content (`gate --contains`), the build's provenance (`gate --build-provenance`). A package that is extra, missing
#   or altered denies, and so does provenance that does not hold; that only names and versions could be compared is said.
#   Without any of these nothing is judged here: complete_evidence says that the link is only asserted.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A lockfile can be clean and the build not: a script, a cache or a person put something else into node_modules after it was resolved. Then everything else is judged about packages that do not ship.
#   fix: Install again from the lockfile (`npm ci`), in a clean folder; where the difference comes back, find out what makes it.
#   unknown: Packages whose tarball is neither fetched nor in a cache of this machine are compared by name and version only, and counted (names-only, bytes-partly).
#   severity:
#     names-only: {default: note, strict: warn, release: deny}
#     bytes-partly: {default: note, strict: warn, release: warn}
#     provenance-invalid: {default: deny, strict: deny, release: deny, waivable: false}
#     provenance-unverifiable: {default: deny, strict: deny, release: deny}
package sbomgate.rules.artefact_link

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

reinstall := "install from the lockfile in a clean folder (`npm ci`); where it comes back, find out what puts it there"

look := "find out what it is and who put it there; what a build tool keeps there belongs outside node_modules"

# What `sbomgate.link` says of a tree. One that is not listed here denies.
codes := {
	"altered": {"class": "always", "fix": "do not ship it: install from the lockfile in a clean folder, and find out what changed it", "waivable": false},
	"extra": {"class": "always", "fix": reinstall},
	"missing": {"class": "always", "fix": reinstall},
	"link-elsewhere": {"class": "always", "fix": reinstall},
	"special": {"class": "always", "fix": reinstall},
	"script-changed": {"class": "debt", "fix": "install with `--ignore-scripts`, or compare what the script writes over the package's own files"},
	"script-made": {"class": "note", "fix": "install with `--ignore-scripts` where nothing needs what the script makes"},
	"bundled-unlisted": {"class": "debt", "fix": "run with the registry in reach, or fill npm's cache, so that the tarball around it can be compared"},
	"development": {"class": "warn", "fix": "leave development dependencies out of the artefact (`npm ci --omit=dev`)"},
	"entry": {"class": "debt", "fix": look},
	"stray": {"class": "debt", "fix": look},
	"outside": {"class": "warn", "fix": "name a folder that holds them too, or gate that part by its own lockfile"},
	"shim": {"class": "note", "fix": "nothing to do: the package manager's own"},
	"loader": {"class": "warn", "fix": "let yarn write it in the job that ships it"},
}

spoken := {"installed": "the installed tree", "contained": "the artefact"}

unlisted := {"class": "always", "fix": reinstall}

trees := [tree |
	some name in ["installed", "contained"]
	tree := input.ties[name]
	tree != null
]

findings contains f if {
	some tree in trees
	some code, number in tree.counts
	said := object.get(codes, code, unlisted)
	shown := [problem | some problem in tree.problems; problem.code == code]
	f := finding.of("artefact_link", code, said.class, packages.whole, {
		"message": sprintf("%s: %s (%d): %s", [spoken[tree.link], code, number, enumerate(shown, number)]),
		"fix": said.fix,
		"waivable": object.get(said, "waivable", true),
		"extra": crypto.sha256(json.marshal([tree.link, number, shown, [tree.material | number > count(shown)]])),
	})
}

# The two levels: names and versions, or every byte.
findings contains f if {
	some tree in trees
	tree.packages > 0
	tree.bytes == 0
	f := finding.of("artefact_link", "names-only", "release", packages.whole, {
		"message": sprintf("%s: names and versions of %d packages were compared, and no bytes: their tarballs were not at hand", [spoken[tree.link], tree.packages]),
		"fix": "run with the registry in reach, or where npm's cache holds the tarballs (`npm ci --ignore-scripts` fills it)",
		"unknown": true,
		"extra": tree.link,
	})
}

findings contains f if {
	some tree in trees
	tree.bytes > 0
	tree.bytes < tree.packages
	f := finding.of("artefact_link", "bytes-partly", partly, packages.whole, {
		"message": sprintf("%s: of %d packages the bytes of %d were compared, of the others names and versions only", [spoken[tree.link], tree.packages, tree.bytes]),
		"fix": "run with the registry in reach, or fill npm's cache; git dependencies and entries without a sha512 have no tarball",
		"unknown": true,
		"extra": tree.link,
	})
}

partly := "note" if finding.profile == "default"

partly := "warn" if finding.profile != "default"

findings contains f if {
	build := input.ties.provenance
	build.state == "invalid"
	f := finding.of("artefact_link", "provenance-invalid", "always", packages.whole, {
		"message": sprintf("the build's provenance does not hold: %s", [build.reason]),
		"fix": "do not ship it: find out who made the artefact, and the provenance",
		"waivable": false,
		"extra": build.material,
	})
}

findings contains f if {
	build := input.ties.provenance
	not build.state in {"invalid", "verified"}
	f := finding.of("artefact_link", "provenance-unverifiable", "always", packages.whole, {
		"message": sprintf("the build's provenance cannot be verified: %s", [build.reason]),
		"fix": "give the bundle that the build wrote, in a version that is known here",
		"unknown": true,
		"extra": build.material,
	})
}

enumerate(problems, number) := text if {
	number <= 5
	text := concat("; ", [line(p) | some p in problems])
}

enumerate(problems, number) := text if {
	number > 5
	text := sprintf("%s; and %d more", [concat("; ", [line(p) | some p in array.slice(problems, 0, 5)]), number - 5])
}

line(p) := sprintf("%s: %s", [p.place, p.message])
