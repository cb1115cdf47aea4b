# METADATA
# title: Own
package sbomgate.rules.own

import data.sbomgate.lib.finding
import data.sbomgate.lib.packages

findings contains f if {
	some id, p in packages.entries
	p.name == "ms"
	f := finding.of("own", "no-ms", "always", packages.by_id[id], {"message": "ms is not wanted", "fix": "remove it"})
}
