// Package ecdsa stands in for crypto/ecdsa.
package ecdsa

import "math/big"

type PublicKey struct{}

func Verify(*PublicKey, []byte, *big.Int, *big.Int) bool { return false }
