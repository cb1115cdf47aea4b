// Command copy_evidence copies a build with everything that refers to it between an OCI layout and a registry on
// loopback, by the oras-go library: another reader and writer of what sbomgate stores.
//
//	copy_evidence push LAYOUT REFERENCE HOST/REPO
//	copy_evidence pull HOST/REPO REFERENCE LAYOUT
//
// It prints the digest of what it copied.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: copy_evidence push LAYOUT REFERENCE HOST/REPO | pull HOST/REPO REFERENCE LAYOUT")
	}
	ctx := context.Background()
	folder, name := os.Args[2], os.Args[4]
	if os.Args[1] == "pull" {
		folder, name = name, folder
	}
	layout, err := oci.New(folder)
	if err != nil {
		log.Fatal(err)
	}
	repository, err := remote.NewRepository(name)
	if err != nil {
		log.Fatal(err)
	}
	repository.PlainHTTP = true
	var from oras.ReadOnlyGraphTarget = layout
	var to oras.Target = repository
	if os.Args[1] == "pull" {
		from, to = repository, layout
	}
	copied, err := oras.ExtendedCopy(ctx, from, os.Args[3], to, "", oras.DefaultExtendedCopyOptions)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(copied.Digest)
}
