// Command test_registry is go-containerregistry's registry, which knows the referrers API, in memory on loopback:
// what the tests attach evidence to. It prints its address and serves until its standard input ends.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	handler := registry.New(quiet, registry.WithReferrersSupport(true))
	// Whoever started it holds the other end: it never outlives a test that was killed.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, handler))
}
