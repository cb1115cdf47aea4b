# expect: error forbidden
package sbomgate.corpus

a := uuid.rfc4122("x")
