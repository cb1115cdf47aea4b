// Package jwk stands in for github.com/lestrrat-go/jwx/v3/jwk.
package jwk

import "sbomgate/engine/absent"

type (
	Option any

	Algorithm interface{ String() string }

	Key interface {
		Algorithm() (Algorithm, bool)
		KeyID() (string, bool)
	}

	Set interface {
		Len() int
		Key(int) (Key, bool)
	}
)

func Configure(...Option) {}

func WithMinRSAPublicExponent(int) Option { return nil }

func WithMinRSAModulusBits(int) Option { return nil }

func Import(any) (Key, error) { return nil, absent.Err }

func Export(Key, any) error { return absent.Err }

func Parse([]byte) (Set, error) { return nil, absent.Err }

func ParseString(string) (Set, error) { return nil, absent.Err }
