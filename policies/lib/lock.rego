# METADATA
# title: Lock findings
# description: |
#   What the lockfile reader found, judged by the table of the rule that each names.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.lock

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

# What the reader says for `rule`, except the codes that the rule judges itself.
judged(rule, codes, except) := {f |
	these := found[rule] - except
	some said in input.lockfile.findings[rule]
	said.code in these
	f := judge(rule, said, object.get(codes, said.code, unknown_code))
}

# Rule → the codes that there are.
found := {rule: {one.code | some one in said} | some rule, said in input.lockfile.findings}

# What the reader says for `rule` under that code: most often nothing, and then nothing is looked at.
of_code(rule, code) := [said |
	code in found[rule]
	some said in input.lockfile.findings[rule]
	said.code == code
]

# `how` has the finding's class, and of what `finding.of` takes what is not as usual.
judge(rule, said, how) := finding.of(
	rule, said.code, how.class, packages.by_id[said.package],
	object.union(how, {"message": said.message, "extra": said.place}),
)

# What is about no package needs its place: "no such file" of which file?
judge(rule, said, how) := finding.of(
	rule, said.code, how.class, packages.whole,
	object.union(how, {"message": sprintf("%s: %s", [said.place, said.message]), "extra": said.place}),
) if {
	not packages.entries[said.package]
}

# A code that no table knows denies: nothing passes because the policy is older than the reader.
unknown_code := {
	"class": "always",
	"fix": "this policy does not know the code: use the policy that belongs to this version of sbomgate",
}
