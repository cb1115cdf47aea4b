# METADATA
# title: Code that the package manager runs by itself
# description: |
#   Judges settings and files of the project that make the package manager run code, or run it otherwise, without any
#   install script: they deny when they are new or changed since the last approved build.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     A line in .npmrc is enough to run a program of somebody's choice on every machine that installs.
#   fix: Remove the setting from the repository, or have the change approved.
#   unknown: A setting whose former value is not known (first run) warns under `default`.
#   severity:
#     npmrc-*: {default: deny where new or changed; else warn, strict: deny, release: deny}
package sbomgate.rules.manager_code

import data.sbomgate.lib.lock
import data.sbomgate.lib.packages

codes := {
	"npmrc-ignore-scripts": {"class": "note", "fix": "nothing to do: no script runs on install"},
	"package-manager": {"class": "note", "fix": "nothing to do"},
}

remove_it := "remove the setting from the repository, or have it approved"

# `npmrc-<setting>`: denied unless the approved build had the very same value.
findings contains f if {
	some said in npmrc_said
	f := lock.judge(said, {"class": npmrc_class(trim_prefix(said.code, "npmrc-")), "fix": remove_it})
}

npmrc_said := [said |
	some said in input.lockfile.findings
	said.rule == "manager_code"
	startswith(said.code, "npmrc-")
	not codes[said.code]
]

npmrc_class(_) := "debt" if not packages.accepted

npmrc_class(setting) := "debt" if input.baseline.manager.settings[setting] == input.manager.settings[setting]

npmrc_class(setting) := "always" if {
	packages.accepted
	not input.baseline.manager.settings[setting] == input.manager.settings[setting]
}

findings contains f if some f in lock.judged("manager_code", codes, {said.code | some said in npmrc_said})
