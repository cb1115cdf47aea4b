package sbomgate.rules.own

finding := set()
