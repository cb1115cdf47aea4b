package sbomgate.rules.own

findings := {x | x := http.send({"method": "GET", "url": "http://127.0.0.1/"})}
