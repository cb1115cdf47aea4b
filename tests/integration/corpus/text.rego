# expect: {"accents":"é","html":"<a href=\"x\">&</a>","lines":"  ","q":"\"q\" 3.14","shouted":"À"}
package sbomgate.corpus

shouted := upper("à")

accents := "é"

html := "<a href=\"x\">&</a>"

lines := "\u2028\u2029"

q := sprintf("%q %.2f", ["q", 3.14159])
