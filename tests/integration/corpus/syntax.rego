# expect: error rego_parse_error
package sbomgate.corpus

a := {
