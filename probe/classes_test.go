package probe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"gpx/envctl/chain"
)

// constants reads the class constants out of class.go, so that none can be left
// out of the table.
func constants(t *testing.T) []Class {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "class.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []Class
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Class" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, Class(value))
		}
		return true
	})
	return list
}

// sentence is one line that ends as a sentence does, or in a command.
var sentence = regexp.MustCompile(`^[A-Z][^\n]*(\.|\?|: gpx [a-z][^\n.]*)$`)

func TestEveryClassHasARow(t *testing.T) {
	t.Parallel()
	all := constants(t)
	if len(all) != len(Classes) {
		t.Errorf("%d classes, %d rows", len(all), len(Classes))
	}
	for _, c := range all {
		info := c.Info()
		if info.Class != c {
			t.Errorf("%s has no row", c)
		}
		if info.Layer == "" || info.Meaning == "" || info.GoDoes == "" || info.Advice == "" {
			t.Errorf("%s: the row is not complete: %+v", c, info)
		}
		for _, text := range []string{info.Meaning, info.GoDoes, info.Advice} {
			if !sentence.MatchString(text) {
				t.Errorf("%s: %q is no sentence", c, text)
			}
		}
		if info.Failed != c.Failed() {
			t.Errorf("%s: failed is %v", c, c.Failed())
		}
		if info.Hangs && info.GoWaits != 0 {
			t.Errorf("%s: hangs, and gives up after %v", c, info.GoWaits)
		}
	}
	if got := Class("nonsense").Info().Class; got != ClassUnknown {
		t.Errorf("the row of no class is that of %s", got)
	}
}

// TestClassWords: the names of classes are for JSON.
func TestClassWords(t *testing.T) {
	t.Parallel()
	for c, want := range map[Class]string{ConnectTimeout: "connect timeout", TLSUntrusted: "TLS untrusted", DNSNotFound: "DNS not found", EOF: "EOF", "": "unknown"} {
		if got := c.Words(); got != want {
			t.Errorf("%q is written %q, want %q", c, got, want)
		}
	}
}

// TestActions is what the go command did, measured; the differential test of
// probe/route asks it again.
func TestActions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		classes           []Class
		comma, pipe, last Action
	}{
		{[]Class{OK}, Serve, Serve, Serve},
		{[]Class{NotFound, MissingFile}, Next, Next, Stop},
		{[]Class{Timeout, Stalled, TooLarge}, Hang, Hang, Hang},
		{[]Class{ClassUnknown, "nonsense"}, ActionUnknown, ActionUnknown, ActionUnknown},
		{[]Class{Refused, ServerError, Forbidden, RateLimited, ConnectTimeout, TLSTimeout, DNSTimeout, DNSNotFound, DNSFailure,
			Unreachable, TLSUntrusted, TLSExpired, TLSHostname, TLSHandshake, Reset, EOF, Truncated, AuthRequired, ClientError,
			RedirectLoop, RedirectInsecure, CaptivePortal, ProtocolInvalid, ChecksumMismatch, SumDBUnavailable, SumDBUntrusted,
			ForwardProxyDown, ConfigInvalid}, Stop, Next, Stop},
	} {
		for _, c := range test.classes {
			if got := []Action{c.Action(chain.Comma), c.Action(chain.Pipe), c.Action(chain.Last)}; !slices.Equal(got, []Action{test.comma, test.pipe, test.last}) {
				t.Errorf("%s: before comma, pipe and at the end %v", c, got)
			}
		}
	}
}
