# expect: error forbidden
package sbomgate.corpus

a := io.jwt.decode_verify("x", {})
