# METADATA
# title: Edges
# description: |
#   Which dependencies the last approved build did not have, by real names. What is the project's own, new or changed can
#   have some; of the rest what the input says has other edges than it had: whoever edits the entry of an approved version
#   changes no byte of it.
# schemas:
#   - input: schema["policy-input"]
package sbomgate.lib.edges

import data.sbomgate.lib.packages

sources := (({""} | packages.own) | packages.changed) | rewired if packages.accepted

rewired := {p.id |
	gained := {name | some name in input.baseline.gained}
	count(gained) > 0
	some p in input.packages
	p.name in gained
}

# [id of the declaring package, id of the dependency] that the baseline does not hold, by real names.
added := {[source, id] |
	packages.accepted
	some source in sources
	known := {name | some name in object.get(input.baseline.edges, source_name(source), [])}
	some id in input.edges[source]
	not id in packages.own
	not packages.entries[id].name in known
}

source_name(id) := packages.entries[id].name

source_name("") := "" if not packages.entries[""]

# What a finding about an edge is about, and how it is spoken of.
declaring("") := packages.whole

declaring(source) := packages.by_id[source] if source != ""

spoken("") := "the project itself"

spoken(source) := packages.label(packages.by_id[source]) if source != ""
