# METADATA
# title: Code that the package manager runs by itself
# description: |
#   Judges settings and files of the project that make the package manager run code, or run it otherwise, without any
#   install script: they deny when they are new or changed since the last approved build.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A line in .npmrc, or a file that the package manager loads, is enough to run a program of somebody's choice on every machine that installs.
#   fix: Remove the setting from the repository, or have the change approved.
#   unknown: A setting whose former value is not known (first run) warns under `default`.
package sbomgate.rules.manager_code

import data.sbomgate.lib.lock

remove_it := "remove the setting from the repository, or have it approved"

codes := {
	"npmrc-runs-code": {"class": "settings", "fix": remove_it},
	"npmrc-variable-key": {"class": "settings", "fix": remove_it},
	"exec": {"class": "changed", "fix": "use a release from a registry: yarn runs this script to make the package"},
	"pnpm-runs-code": {"class": "settings", "fix": remove_it},
	"bunfig-runs-code": {"class": "settings", "fix": remove_it},
	"pnpmfile": {"class": "settings", "fix": "remove the hook file, or have it approved as it is: pnpm runs it on every install"},
	"config-dependency": {"class": "changed", "fix": "remove it from configDependencies, or have this very version approved"},
	"config-dependency-unlocked": {"class": "settings", "fix": "use a pnpm that keeps it in the lockfile (11 or later), or have it approved"},
	"manager-unseen": {"class": "debt", "fix": "check the project itself: its .npmrc and its like are not in an SBOM", "unknown": true},
	"package-manager": {"class": "warn", "fix": "add its hash (`corepack use`): without one corepack runs whatever it is given"},
	"package-manager-hashed": {"class": "note", "fix": "nothing to do"},
}

findings contains f if some f in lock.judged("manager_code", codes, set())
