# expect: error forbidden
package sbomgate.corpus

a := crypto.x509.parse_certificates("x")
