package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDepth limits the nesting of the input: a PolicyInput has six levels, and deep recursion would end in a trap.
const maxDepth = 200

// decode reads one JSON document (RFC 8259) straight into OPA's values. It takes half the time of encoding/json
// followed by ast.InterfaceToValue, and it is stricter: an invalid character, a lone surrogate or a key given twice
// is an error, where encoding/json would replace it or take the last.
func decode(document []byte) (ast.Value, error) {
	d := decoder{text: string(document), keys: map[string]*key{}}
	if !utf8.ValidString(d.text) {
		return nil, errors.New("not UTF-8")
	}
	term, err := d.value(0)
	if err == nil {
		if d.space(); d.at < len(d.text) {
			err = errors.New("something follows the document")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", d.at, err)
	}
	return term.Value, nil
}

// key is a member name: one term for all its uses, and the last object that was seen to hold it.
type key struct {
	term *ast.Term
	last int
}

type decoder struct {
	text    string
	at      int
	keys    map[string]*key
	objects int
	pairs   [][2]*ast.Term // of the open objects, innermost last
	names   []*key
	items   []*ast.Term // of the open arrays, innermost last
}

var (
	errSyntax = errors.New("not JSON")
	errEnd    = errors.New("the document is cut short")
)

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\n', '\r', '\t':
			d.at++
		default:
			return
		}
	}
}

// next skips space and returns the byte that follows, which stays unread.
func (d *decoder) next() (byte, error) {
	d.space()
	if d.at == len(d.text) {
		return 0, errEnd
	}
	return d.text[d.at], nil
}

func (d *decoder) value(depth int) (*ast.Term, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	c, err := d.next()
	if err != nil {
		return nil, err
	}
	switch c {
	case '{':
		return d.object(depth)
	case '[':
		return d.array(depth)
	case '"':
		s, err := d.str()
		if err != nil {
			return nil, err
		}
		return ast.InternedTerm(s), nil
	case 't':
		return ast.InternedTerm(true), d.word("true")
	case 'f':
		return ast.InternedTerm(false), d.word("false")
	case 'n':
		return ast.InternedNullTerm, d.word("null")
	}
	return d.number()
}

func (d *decoder) word(w string) error {
	if !strings.HasPrefix(d.text[d.at:], w) {
		return errSyntax
	}
	d.at += len(w)
	return nil
}

func (d *decoder) object(depth int) (*ast.Term, error) {
	d.at++
	start := len(d.pairs)
	c, err := d.next()
	if err != nil {
		return nil, err
	}
	for first := true; c != '}' || !first; first = false {
		if c, err = d.next(); err != nil {
			return nil, err
		}
		if c != '"' {
			return nil, errSyntax
		}
		name, err := d.str()
		if err != nil {
			return nil, err
		}
		k := d.keys[name]
		if k == nil {
			k = &key{term: ast.InternedTerm(name)}
			d.keys[name] = k
		}
		if c, err = d.next(); err != nil {
			return nil, err
		}
		if c != ':' {
			return nil, errSyntax
		}
		d.at++
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.pairs, d.names = append(d.pairs, [2]*ast.Term{k.term, v}), append(d.names, k)
		if c, err = d.next(); err != nil {
			return nil, err
		}
		if c == '}' {
			break
		}
		if c != ',' {
			return nil, errSyntax
		}
		d.at++
	}
	d.at++
	d.objects++
	for _, k := range d.names[start:] {
		if k.last == d.objects {
			return nil, fmt.Errorf("the key %s is given twice", k.term)
		}
		k.last = d.objects
	}
	object := ast.NewObject(d.pairs[start:]...)
	d.pairs, d.names = d.pairs[:start], d.names[:start]
	return ast.NewTerm(object), nil
}

func (d *decoder) array(depth int) (*ast.Term, error) {
	d.at++
	start := len(d.items)
	c, err := d.next()
	if err != nil {
		return nil, err
	}
	for first := true; c != ']' || !first; first = false {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.items = append(d.items, v)
		if c, err = d.next(); err != nil {
			return nil, err
		}
		if c == ']' {
			break
		}
		if c != ',' {
			return nil, errSyntax
		}
		d.at++
	}
	d.at++
	array := ast.NewArray(append([]*ast.Term(nil), d.items[start:]...)...)
	d.items = d.items[:start]
	return ast.NewTerm(array), nil
}

func (d *decoder) digits() bool {
	start := d.at
	for d.at < len(d.text) && d.text[d.at]-'0' < 10 {
		d.at++
	}
	return d.at > start
}

func (d *decoder) number() (*ast.Term, error) {
	start := d.at
	if d.text[d.at] == '-' {
		d.at++
	}
	zero := d.at < len(d.text) && d.text[d.at] == '0'
	first := d.at
	if !d.digits() || zero && d.at > first+1 {
		return nil, errSyntax
	}
	if d.at < len(d.text) && d.text[d.at] == '.' {
		d.at++
		if !d.digits() {
			return nil, errSyntax
		}
	}
	if d.at < len(d.text) && d.text[d.at]|0x20 == 'e' {
		d.at++
		if d.at < len(d.text) && (d.text[d.at] == '+' || d.text[d.at] == '-') {
			d.at++
		}
		if !d.digits() {
			return nil, errSyntax
		}
	}
	text := d.text[start:d.at]
	if term := ast.InternedIntNumberTermFromString(text); term != nil {
		return term, nil
	}
	n, err := ast.NumberChecked(text)
	if err != nil {
		return nil, err
	}
	return ast.NewTerm(n), nil
}

// str reads a string; one without escapes shares the document's memory.
func (d *decoder) str() (string, error) {
	d.at++
	start := d.at
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			d.at++
			return d.text[start : d.at-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			return "", errSyntax
		}
	}
	return "", errEnd
}

func (d *decoder) escaped(start int) (string, error) {
	var out strings.Builder
	for {
		if d.at == len(d.text) {
			return "", errEnd
		}
		c := d.text[d.at]
		if c == '"' {
			out.WriteString(d.text[start:d.at])
			d.at++
			return out.String(), nil
		}
		if c < 0x20 {
			return "", errSyntax
		}
		if c != '\\' {
			d.at++
			continue
		}
		out.WriteString(d.text[start:d.at])
		d.at++
		if d.at == len(d.text) {
			return "", errEnd
		}
		if d.text[d.at] == 'u' {
			r, err := d.unicode()
			if err != nil {
				return "", err
			}
			out.WriteRune(r)
		} else {
			i := strings.IndexByte(`"\/bfnrt`, d.text[d.at])
			if i < 0 {
				return "", errSyntax
			}
			out.WriteByte("\"\\/\b\f\n\r\t"[i])
			d.at++
		}
		start = d.at
	}
}

func (d *decoder) unicode() (rune, error) {
	r, err := d.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(d.text[d.at:], `\u`) {
		d.at++
		low, err := d.hex()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, errors.New("a lone surrogate")
}

// hex reads `uXXXX`.
func (d *decoder) hex() (rune, error) {
	if len(d.text)-d.at < 5 {
		return 0, errEnd
	}
	n, err := strconv.ParseUint(d.text[d.at+1:d.at+5], 16, 16)
	if err != nil {
		return 0, errSyntax
	}
	d.at += 5
	return rune(n), nil
}
