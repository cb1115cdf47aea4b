# expect: error forbidden
package sbomgate.corpus

a := rand.intn("x", 9)
