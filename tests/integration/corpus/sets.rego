# expect: {"deny":["a","b"],"keys":{"1":"n","true":"b"},"mixed":[null,true,1,"a",[1],{"z":1}],"without":["b"]}
package sbomgate.corpus

deny contains x if some x in ["b", "a", "b"]

mixed := [x | some x in {"a", 1, null, true, [1], {"z": 1}}]

without := {"a", "b"} - {"a"}

keys := {1: "n", true: "b"}
