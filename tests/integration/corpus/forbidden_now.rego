# expect: error forbidden
package sbomgate.corpus

a := time.now_ns()
