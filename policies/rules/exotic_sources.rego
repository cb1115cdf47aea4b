# METADATA
# title: Sources that are no registry
# description: |
#   Denies git, tarball and file dependencies that are new or changed, and links that leave the repository. Links and
#   workspaces inside it are the project's own.
# schemas:
#   - input: schema["policy-input"]
# custom:
#   why: |
#     No registry vouches for such bytes: there is no publish time, no signature, no provenance, and a git dependency runs its
#     own prepare script.
#   fix: Publish it to a registry, or have it approved at this commit.
#   unknown: An entry whose kind nobody can tell is judged by lockfile_sound.
package sbomgate.rules.exotic_sources

import data.sbomgate.lib.lock

approve := "use a release from a registry, or have this very commit or file approved"

codes := {
	"git": {"class": "changed", "fix": approve},
	"tarball-url": {"class": "changed", "fix": approve},
	"file": {"class": "changed", "fix": approve},
	"patched": {"class": "settings", "fix": "remove the patch, or have it approved as it is: it changes what the registry serves"},
	"link": {"class": "note", "fix": "nothing to do: it lies in the repository"},
	"directory": {"class": "note", "fix": "nothing to do: it lies in the repository"},
	"patch": {"class": "changed", "fix": "review the patch: it is code of the project's own that runs as the package's"},
	"link-outside": {"class": "always", "fix": "move the package into the repository, or use a release: nobody gates what lies outside"},
}

findings contains f if some f in lock.judged("exotic_sources", codes, set())
