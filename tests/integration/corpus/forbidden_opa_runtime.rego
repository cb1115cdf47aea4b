# expect: error forbidden
package sbomgate.corpus

a := opa.runtime()
