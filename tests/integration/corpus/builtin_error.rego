# expect: error eval_builtin_error
package sbomgate.corpus

# Not strict, this finding would silently vanish.
deny contains "expired" if time.parse_rfc3339_ns("not a time") < 1
