// Package http stands in for net/http.
package http

import (
	"context"
	"io"
	"io/fs"
	"net/url"

	"sbomgate/engine/absent"
)

const (
	MethodGet = "GET"
	StatusOK  = 200
)

type (
	Header       map[string][]string
	Handler      any
	RoundTripper any

	Request struct {
		Header        Header
		URL           *url.URL
		Body          io.ReadCloser
		ContentLength int64
	}

	Response struct {
		Status     string
		StatusCode int
		Body       io.ReadCloser
	}

	Client struct {
		CheckRedirect func(*Request, []*Request) error
	}

	MaxBytesError struct{ Limit int64 }

	File interface {
		io.ReadSeekCloser
		Readdir(int) ([]fs.FileInfo, error)
		Stat() (fs.FileInfo, error)
	}

	FileSystem interface {
		Open(string) (File, error)
	}
)

func (Header) Get(string) string { return "" }

func (*Request) Context() context.Context { return context.Background() }

func (*MaxBytesError) Error() string { return absent.Err.Error() }

func (*Client) Do(*Request) (*Response, error) { return nil, absent.Err }

func NewRequestWithContext(context.Context, string, string, io.Reader) (*Request, error) {
	return nil, absent.Err
}
