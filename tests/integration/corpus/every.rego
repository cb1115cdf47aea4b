# expect: {"empty":true,"none":true,"some_fail":["qz"]}
package sbomgate.corpus

empty if every r in [] { startswith("xz", r) }

none if every r in ["x", "y"] { not startswith("z", r) }

some_fail contains c if {
	some c in ["xz", "qz"]
	every r in data.policy.registries { not startswith(c, r) }
}
