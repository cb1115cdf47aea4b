# expect: error rego_unsafe_var_error
package sbomgate.corpus

a if x > 1
