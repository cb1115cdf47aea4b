// Package jwsbb stands in for github.com/lestrrat-go/jwx/v3/jws/jwsbb.
package jwsbb

import (
	"encoding/base64"
	"io"

	"sbomgate/engine/absent"
)

type Header any

func HeaderParse([]byte) Header { return nil }

func HeaderGetString(Header, string) (string, error) { return "", absent.Err }

func SignBuffer([]byte, []byte, []byte, *base64.Encoding, bool) []byte { return nil }

func Sign(any, string, []byte, io.Reader) ([]byte, error) { return nil, absent.Err }

func Verify(any, string, []byte, []byte) error { return absent.Err }
