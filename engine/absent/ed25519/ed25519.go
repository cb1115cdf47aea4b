// Package ed25519 stands in for crypto/ed25519.
package ed25519

type PublicKey []byte

func Verify(PublicKey, []byte, []byte) bool { return false }
