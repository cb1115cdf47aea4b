package sbomgate

lib.finding.spared(_, _) := true
