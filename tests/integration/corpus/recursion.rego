# expect: error rego_recursion_error
package sbomgate.corpus

a := b

b := a
