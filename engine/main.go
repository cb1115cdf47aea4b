// Command engine is Open Policy Agent as one WebAssembly module: a request on stdin, an answer on stdout, nothing else.
//
// It has no network, no file, no environment, no clock and no randomness: what it answers is a function of what it read.
//
// Request: one line of JSON (the header), then the sections that it announces, one after the other, without separators.
//
//	{"op":"evaluate","query":"data.a.b","modules":[{"name":"a.rego","size":12}],"data":2,"schemas":[]}
//
// The input comes last, after a line with its length in bytes. The policy is compiled before that line is read: whoever
// starts the engine early has it ready when the input is.
//
// Answer: {"result": …} with exit code 0, or {"errors": [{"code","message","file","row","col"}]} with exit code 10.
// Exit code 2 is the Go runtime's (out of memory, panic) and is never ours.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"sbomgate/engine/capabilities"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/open-policy-agent/opa/v1/version"
)

const (
	exitRefused = 10

	// Garbage is first collected here: a decision over some thousand packages stays below, and runs a third faster.
	collectAbove = 512 << 20
)

//go:generate sh -c "go run ./capabilities/write > dist/capabilities.json"

type section struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

type header struct {
	Op      string    `json:"op"`
	Query   string    `json:"query"`
	Strict  bool      `json:"strict"`
	Modules []section `json:"modules"`
	Data    int       `json:"data"`
	Schemas []section `json:"schemas"`
}

// problem is one reason for which there is no result.
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Row     int    `json:"row,omitempty"`
	Col     int    `json:"col,omitempty"`
}

func (p problem) Error() string { return p.Code + ": " + p.Message }

type request struct {
	header
	modules map[string]*ast.Module
	data    map[string]any
	schemas *ast.SchemaSet
	caps    *ast.Capabilities
	rest    *bufio.Reader
}

// A reactor: the host calls prepare and then, once, answer. In between no code runs, so that memory and globals are all
// there is: the host may keep them and start from there another time.
func main() {}

// finish does what is left to do when the input is there; prepare sets it.
var finish func() (any, error)

// prepare reads the request and compiles the policy. It returns 0, or exitRefused where answer will say why not.
//
//go:wasmexport prepare
func prepare() int32 {
	var err error
	if finish, err = ready(os.Stdin); err != nil {
		finish = func() (any, error) { return nil, err }
		return exitRefused
	}
	runtime.GC() // what compiling left behind need not be kept
	return 0
}

// answer reads the input, writes the answer and returns the exit code.
//
//go:wasmexport answer
func answer() int32 {
	collectLate()
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	result, err := finish()
	document, code := map[string]any{"result": result}, int32(0)
	if err != nil {
		document, code = map[string]any{"errors": problems(err)}, exitRefused
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return exitRefused
	}
	if err := out.Flush(); err != nil {
		return exitRefused
	}
	return code
}

// collectLate keeps the garbage collector off until collectAbove, and leaves it to its usual pace from then on: with the
// limit alone it would run without end once that much is alive.
func collectLate() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(collectAbove)
	runtime.AddCleanup(new([16]byte), func(struct{}) {
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(100)
	}, struct{}{})
}

func ready(stdin io.Reader) (func() (any, error), error) {
	req, err := read(stdin)
	if err != nil {
		return nil, err
	}
	var result any
	switch req.Op {
	case "version":
		result = version.Version
	case "implemented":
		result = implemented(req.caps)
	case "check":
		if _, err := compile(req, nil); err != nil {
			return nil, err
		}
		result = true
	case "evaluate":
		return evaluation(req)
	default:
		return nil, problem{Code: "request", Message: "unknown op " + req.Op}
	}
	return func() (any, error) { return result, nil }, nil
}

// implemented names the allowed built-ins that are linked, but for those that the compiler rewrites: a test compares. One
// that is not would only be missed by the policy that calls it.
func implemented(caps *ast.Capabilities) []any {
	names := make([]any, 0, len(caps.Builtins))
	for _, b := range caps.Builtins {
		if topdown.GetBuiltin(b.Name) != nil {
			names = append(names, b.Name)
		}
	}
	return names
}

// read takes the request apart, but for the input. Each section is parsed once, by OPA's own decoders.
func read(stdin io.Reader) (*request, error) {
	in := bufio.NewReaderSize(stdin, 1<<16)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, problem{Code: "request", Message: "no header"}
	}
	req := &request{modules: map[string]*ast.Module{}, data: map[string]any{}, caps: capabilities.Allowed(), rest: in}
	if err := json.Unmarshal(line, &req.header); err != nil {
		return nil, problem{Code: "request", Message: err.Error()}
	}
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: req.caps}
	for _, m := range req.Modules {
		text, err := req.take(m.Size)
		if err != nil {
			return nil, err
		}
		module, err := ast.ParseModuleWithOpts(m.Name, string(text), options)
		if err != nil {
			return nil, err
		}
		if module == nil {
			return nil, problem{Code: ast.ParseErr, Message: "empty module", File: m.Name}
		}
		req.modules[m.Name] = module
	}
	if req.Data > 0 {
		text, err := req.take(req.Data)
		if err != nil {
			return nil, err
		}
		if err := util.UnmarshalJSON(text, &req.data); err != nil {
			return nil, problem{Code: "data", Message: err.Error()}
		}
	}
	for _, s := range req.Schemas {
		text, err := req.take(s.Size)
		if err != nil {
			return nil, err
		}
		var raw any
		if err := util.UnmarshalJSON(text, &raw); err != nil {
			return nil, problem{Code: "schema", Message: err.Error(), File: s.Name}
		}
		if req.schemas == nil {
			req.schemas = ast.NewSchemaSet()
		}
		req.schemas.Put(schemaRef(s.Name), raw)
	}
	return req, nil
}

func (r *request) take(size int) ([]byte, error) {
	buf := make([]byte, size)
	if _, err := io.ReadFull(r.rest, buf); err != nil {
		return nil, problem{Code: "request", Message: "a section is cut short"}
	}
	return buf, nil
}

// input is nil where its length is 0: the policy then has none.
func (r *request) input() (ast.Value, error) {
	line, err := r.rest.ReadString('\n')
	if err != nil {
		return nil, problem{Code: "request", Message: "no input"}
	}
	size, err := strconv.ParseUint(strings.TrimSuffix(line, "\n"), 10, 31)
	if err != nil {
		return nil, problem{Code: "request", Message: err.Error()}
	}
	if size == 0 {
		return nil, nil
	}
	text, err := r.take(int(size))
	if err != nil {
		return nil, err
	}
	value, err := decode(text)
	if err != nil {
		return nil, problem{Code: "input", Message: err.Error()}
	}
	return value, nil
}

// schemaRef is the name under which METADATA finds a schema, as `opa check -s FOLDER` gives it: `a/b` is schema.a.b.
func schemaRef(name string) ast.Ref {
	ref := ast.SchemaRootRef.Copy()
	for part := range strings.SplitSeq(name, "/") {
		ref = ref.Append(ast.StringTerm(part))
	}
	return ref
}

// compile also checks the types, the capabilities, what METADATA says of schemas and, where those are given, every path
// into the input.
func compile(req *request, conflicts func([]string) (bool, error)) (*ast.Compiler, error) {
	compiler := ast.NewCompiler().
		WithCapabilities(req.caps).
		WithStrict(req.Strict).
		WithSchemas(req.schemas).
		WithUseTypeCheckAnnotations(true)
	if conflicts != nil {
		compiler = compiler.WithPathConflictsCheck(conflicts)
	}
	if compiler.Compile(req.modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

// evaluation compiles, and returns what evaluates.
func evaluation(req *request) (func() (any, error), error) {
	ctx := context.Background()
	store := inmem.NewFromObjectWithOpts(req.data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	compiler, err := compile(req, storage.NonEmpty(ctx, store, txn))
	if err != nil {
		return nil, err
	}
	ref, err := ast.ParseRef(req.Query)
	if err != nil {
		return nil, err
	}
	term := ast.NewTerm(ref)
	query, err := compiler.QueryCompiler().Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm("result"), term)))
	if err != nil {
		return nil, err
	}
	run := topdown.NewQuery(query).
		WithCompiler(compiler).
		WithStore(store).
		WithTransaction(txn).
		WithTime(time.Unix(0, 0)).
		WithStrictBuiltinErrors(true)
	return func() (any, error) {
		input, err := req.input()
		if err != nil {
			return nil, err
		}
		if input != nil {
			run = run.WithInput(ast.NewTerm(input))
		}
		results, err := run.Run(ctx)
		if err != nil {
			return nil, err
		}
		if len(results) != 1 {
			return nil, problem{Code: "undefined", Message: req.Query + " is undefined"}
		}
		return ast.JSONWithOpt(results[0][ast.Var("result")].Value, ast.JSONOpt{SortSets: true})
	}, nil
}

// problems flattens OPA's errors; a built-in that OPA has and the capabilities have not is named as forbidden.
func problems(err error) []problem {
	var own problem
	var compiled ast.Errors
	var one *ast.Error
	var evaluated *topdown.Error
	switch {
	case errors.As(err, &own):
		return []problem{own}
	case errors.As(err, &compiled):
		out := make([]problem, 0, len(compiled))
		for _, e := range compiled {
			out = append(out, refused(e))
		}
		return out
	case errors.As(err, &one):
		return []problem{refused(one)}
	case errors.As(err, &evaluated):
		return []problem{located(evaluated.Code, evaluated.Message, evaluated.Location)}
	}
	return []problem{{Code: "internal", Message: fmt.Sprint(err)}}
}

func refused(e *ast.Error) problem {
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		if reason := capabilities.Reason(name); reason != "" {
			return located("forbidden", name+" is forbidden ("+reason+")", e.Location)
		}
	}
	return located(e.Code, e.Message, e.Location)
}

func located(code, message string, at *ast.Location) problem {
	p := problem{Code: code, Message: message}
	if at != nil {
		p.File, p.Row, p.Col = at.File, at.Row, at.Col
	}
	return p
}
