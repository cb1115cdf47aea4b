# expect: error forbidden
package sbomgate.corpus

a := print("x")
