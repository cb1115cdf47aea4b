package sbomgate.rules.own

findings := set() if value == 1

value := count(input.packages)

value := 1
