# expect: error rego_unsafe_var_error
package sbomgate.corpus

# Reached through `with`, too.
a := n if {
	n := floor(1.5) with floor as rand.intn
}
