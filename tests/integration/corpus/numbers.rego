# expect: {"big":12345678901234567890123,"exact":9007199254740994,"fraction":1.5,"hundred":100,"same":true,"sum":0.3}
package sbomgate.corpus

hundred := 1e2

big := 12345678901234567890123

exact := 9007199254740993 + 1

fraction := 1.50

sum := 0.1 + 0.2

same if 1 == 1.0
