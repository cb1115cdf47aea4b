// Command write prints the capabilities as JSON: `go generate` keeps dist/capabilities.json by it.
package main

import (
	"encoding/json"
	"os"

	"sbomgate/engine/capabilities"

	"github.com/open-policy-agent/opa/v1/ast"
)

func main() {
	allowed := capabilities.Allowed()
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	// The type itself leaves out an empty allow_net, and an absent one allows a schema's $ref every host.
	err := out.Encode(struct {
		*ast.Capabilities
		AllowNet []string `json:"allow_net"`
	}{allowed, allowed.AllowNet})
	if err != nil {
		panic(err)
	}
}
