// Package template stands in for OPA's copy of text/template where errors about a schema are worded: their texts have
// fields in them (`{{.field}}`) and nothing else.
package template

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

type FuncMap map[string]any

type Template struct{ text string }

func New(string) *Template { return &Template{} }

func (*Template) New(string) *Template { return &Template{} }

func (*Template) Lookup(string) *Template { return nil }

func (t *Template) Funcs(FuncMap) *Template { return t }

func (t *Template) Parse(text string) (*Template, error) {
	t.text = text
	return t, nil
}

// Execute writes the text with the values of data, a map by the names of fields.
func (t *Template) Execute(w io.Writer, data any) error {
	pairs := []string{}
	for fields := reflect.ValueOf(data).MapRange(); fields.Next(); {
		pairs = append(pairs, "{{."+fields.Key().String()+"}}", fmt.Sprint(fields.Value().Interface()))
	}
	_, err := strings.NewReplacer(pairs...).WriteString(w, t.text)
	return err
}
