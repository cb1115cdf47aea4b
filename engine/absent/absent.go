// Package absent stands in for what the embedded engine does without: network, certificates, keys and signatures. In the
// build of the engine (not in Go's own tests) OPA's packages import the folders beside this file in place of the real
// packages, see ../prune.py. Each declares what OPA's source names, and nothing in it does anything: the built-ins that
// would use it are forbidden (../capabilities), which the compiler refuses before anything runs.
package absent

import "errors"

// Err is what every function here returns.
var Err = errors.New("the embedded engine is built without it")
