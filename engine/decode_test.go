package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// Whatever decode accepts, OPA's own way gives the same value for; whatever OPA refuses, decode refuses.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.50,-0,1e3,"x\u00e9\ud83d\ude00\n",true,false,null,{}],"b":{"a":[]}}`, `{}`, `[]`, `""`, `1E+2`, ` { } `,
		`{"a":1,"b":{"a":1},"a":2}`, `{"a":1,}`, `[1,]`, `[,1]`, `01`, `-`, `1.`, `.5`, `1e`, `"\ud800"`, `"\x"`, `tru`, `{"a"}`, "\"\x01\"", "\xff",
		`{"a":1}}`, `12345678901234567890123`, `1e400`, `"\u+123"`, `"\u12 4"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decode([]byte(text))
		if err != nil {
			return
		}
		var raw any
		if err := util.UnmarshalJSON([]byte(text), &raw); err != nil {
			t.Fatalf("accepted what OPA refuses: %q: %v", text, err)
		}
		want, err := ast.InterfaceToValue(raw)
		if err != nil || got.Compare(want) != 0 || got.Hash() != want.Hash() {
			t.Fatalf("%q: got %v, want %v (%v)", text, got, want, err)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty": ``, "key twice": `{"a":1,"b":{"a":1},"a":2}`, "lone high": `"\ud800"`, "lone low": `"\udc00x"`, "two high": `"\ud800\ud800"`,
		"not UTF-8": "\"\xff\"", "control": "\"\n\"", "trailing": `1 2`, "leading zero": `01`, "plus": `+1`, "comma": `[1,]`, "comma in object": `{"a":1,}`,
		"no value": `{"a":}`, "open": `[`, "open object": `{"a":1`, "huge exponent": `1e999999999`, "NaN": `NaN`,
		"deep": strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
	} {
		if got, err := decode([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %v", name, got)
		}
	}
}

func TestDecodeAccepts(t *testing.T) {
	for _, text := range []string{` {"a" : [ 1 , -0.5e-3 ] , "b":{}} `, `"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00"`, `null`} {
		got, err := decode([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var raw any
		_ = json.Unmarshal([]byte(text), &raw)
		if want := ast.MustInterfaceToValue(raw); got.Compare(want) != 0 {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestCapabilitiesAreCurrent(t *testing.T) {
	want, err := exec.Command("go", "run", "./capabilities/write").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("dist/capabilities.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("dist/capabilities.json is not what go generate writes")
	}
}
