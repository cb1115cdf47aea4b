// Package capabilities says what a policy may call: everything that the linked OPA knows, minus what reads the world
// or debugs. ../dist/capabilities.json is the same list for `opa check`, written by `go generate` and compared by a test.
package capabilities

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// forbidden says why each is missing. A name that ends with a dot or a "_" stands for all that begin with it. What some of
// them need is not linked either (../prune.py).
var forbidden = map[string]string{
	"http.send":                 "network",
	"net.":                      "network: lookup_ip_addr asks a resolver; no rule has a use for the others",
	"opa.runtime":               "returns the environment of the process",
	"time.now_ns":               "clock: the time of a decision is in its input",
	"rand.":                     "randomness",
	"uuid.":                     "randomness",
	"json.match_schema":         "network: an OPA server fetches a $ref in the schema",
	"json.verify_schema":        "network: an OPA server fetches a $ref in the schema",
	"io.jwt.decode_verify":      "clock, where no time is given",
	"io.jwt.encode_sign":        "randomness: ECDSA and PSS signatures differ each time; and a policy holds no key",
	"io.jwt.encode_sign_raw":    "randomness: ECDSA and PSS signatures differ each time; and a policy holds no key",
	"io.jwt.verify_":            "a policy sees verified claims: it verifies no signature and holds no key",
	"crypto.x509.":              "a policy sees verified claims: it verifies no signature and holds no key",
	"crypto.parse_private_keys": "a policy holds no key",
	"graphql.":                  "no rule about packages has a use for it, and the embedded engine is built without it",
	"providers.aws.sign_req":    "a policy holds no key",
	"strings.render_template":   "`sprintf` says the same, and the embedded engine is built without templates",
	"print":                     "debugging: erased by a server, evaluated by `opa eval`, so a failing argument would differ",
	"trace":                     "debugging",
}

// Allowed is OPA's own list without what is forbidden, what OPA itself calls non-deterministic, and every host.
func Allowed() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic || Reason(b.Name) != ""
	})
	caps.WasmABIVersions = nil
	caps.AllowNet = []string{}
	return caps
}

// Reason says why a built-in is forbidden, or "" where it is not.
func Reason(builtin string) string {
	for name, reason := range forbidden {
		if builtin == name || strings.HasSuffix(name, ".") && strings.HasPrefix(builtin, name) ||
			strings.HasSuffix(name, "_") && strings.HasPrefix(builtin, name) {
			return reason
		}
	}
	return ""
}
