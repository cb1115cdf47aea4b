# expect: error eval_conflict_error
package sbomgate.corpus

verdict := "allowed" if true

verdict := "denied" if input.now
