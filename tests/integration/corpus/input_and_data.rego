# expect: {"first":"a","missing":true,"overdue":["w1"],"replaced":3,"three":1}
package sbomgate.corpus

first := input.components[0].name

missing if not input.nope.nope

overdue contains w.id if {
	some w in data.waivers
	time.parse_rfc3339_ns(input.now) >= time.parse_rfc3339_ns(w.expires)
}

three := input.n

replaced := n if { n := three with input as {"n": 3} }
