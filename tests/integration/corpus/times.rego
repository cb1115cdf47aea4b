# expect: {"before":true,"ns":1795176000123456789,"offset":true}
package sbomgate.corpus

ns := time.parse_rfc3339_ns("2026-11-20T12:00:00.123456789Z")

before if time.parse_rfc3339_ns(input.now) > time.parse_rfc3339_ns("2026-01-01T00:00:00Z")

offset if time.parse_rfc3339_ns("2026-11-20T14:00:00+02:00") == time.parse_rfc3339_ns("2026-11-20T12:00:00Z")
