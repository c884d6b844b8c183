package main

import (
	"strings"
	"testing"
)

// On a terminal nothing is wider than it, and columns stay columns; without
// one, a row is a line, for grep.
func TestTable(t *testing.T) {
	rows := [][]string{
		{"1", "https://proxy.example.com", "the go command stops here, because a comma is no pipe"},
		{"2", "direct", "works"},
	}
	for _, c := range []struct {
		name  string
		width int
		want  string
	}{
		{"no terminal", 0, `
  1  https://proxy.example.com  the go command stops here, because a comma is no pipe
  2  direct                     works
`},
		{"wide enough", 100, `
  1  https://proxy.example.com  the go command stops here, because a comma is no pipe
  2  direct                     works
`},
		{"goes on in its column", 66, `
  1  https://proxy.example.com  the go command stops here, because
                                a comma is no pipe
  2  direct                     works
`},
		{"no room for a column", 44, `
  1  https://proxy.example.com
    the go command stops here, because a
    comma is no pipe
  2  direct                     works
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			p := newPrinter(&b, false, false)
			p.width = c.width
			p.table("  ", rows)
			if got := "\n" + b.String(); got != c.want {
				t.Errorf("got%swant%s", got, c.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	p := newPrinter(&b, false, false)
	p.width = 42
	p.text("  ", "checksum database sum.example.com: ok, through hop 1 of the chain")
	want := `  checksum database sum.example.com: ok,
    through hop 1 of the chain
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
