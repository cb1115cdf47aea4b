# expect: error forbidden
package sbomgate.corpus

a := io.jwt.verify_hs256("eyJhbGciOiJIUzI1NiJ9.e30.x", "secret")
