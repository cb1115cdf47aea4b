package sbomgate.rules.onw

findings := set()
