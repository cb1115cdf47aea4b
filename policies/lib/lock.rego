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
	some said in input.lockfile.findings[rule]
	not said.code in except
	f := judge(rule, said, object.get(codes, said.code, unknown_code))
}

judge(rule, said, how) := finding.of(rule, said.code, how.class, packages.named(said.package), {
	"message": placed(said),
	"fix": object.get(how, "fix", ""),
	"unknown": object.get(how, "unknown", false),
	"waivable": object.get(how, "waivable", true),
	"extra": said.place,
})

# What is about no package needs its place: "no such file" of which file?
placed(said) := said.message if packages.named(said.package) != packages.whole

placed(said) := sprintf("%s: %s", [said.place, said.message]) if packages.named(said.package) == packages.whole

# A code that no table knows denies: nothing passes because the policy is older than the reader.
unknown_code := {
	"class": "always",
	"fix": "this policy does not know the code: use the policy that belongs to this version of sbomgate",
}
