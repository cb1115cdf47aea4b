# expect: {"chain":["rule","package"],"id":"X"}
# METADATA
# title: A package
package sbomgate.corpus

# METADATA
# custom:
#   id: X
id := rego.metadata.rule().custom.id

# METADATA
# title: A rule
chain := [link.annotations.scope | some link in rego.metadata.chain()]
