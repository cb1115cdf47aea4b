# expect: error eval_conflict_error
package sbomgate.corpus

a := {p.name: p.value | some p in [{"name": "x", "value": 1}, {"name": "x", "value": 2}]}
