# expect: error eval_builtin_error
package sbomgate.corpus

a := 1 / 0
