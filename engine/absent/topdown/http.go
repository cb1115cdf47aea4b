// Package topdown is, in the build of the engine, part of OPA's own of that name: what is left of the files that
// ../../prune.py takes out of it.
package topdown

// CustomizeRoundTripper would change how http.send connects.
type CustomizeRoundTripper any
