// Command timestamp_server is sigstore's timestamp authority, with a key that it makes itself and the clock of this
// machine, and without the metrics that its own command serves on port 2112, whatever it is told: two of those cannot
// run on one machine. Nothing is kept.
//
// usage: timestamp_server HOST PORT
package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const policy = "1.3.6.1.4.1.57264.2" // sigstore's own, the default of its command

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: timestamp_server HOST PORT")
	}
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("default-policy-oid", policy)
	viper.Set("accepted-policy-oids", []string{policy})
	viper.Set("max-request-body-size", 1<<20)
	authority := server.NewRestAPIServer(os.Args[1], port, []string{"http"}, false, 30*time.Second, 30*time.Second)
	authority.CleanupTimeout = time.Second
	if err := authority.Serve(); err != nil {
		log.Fatal(err)
	}
}
