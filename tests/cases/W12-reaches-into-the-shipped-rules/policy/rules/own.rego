package sbomgate.rules.own

findings := set()
