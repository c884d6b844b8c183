package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"gpx/tui/theme"
)

// streams are the process's standard streams; which of them is a terminal
// decides about colour, questions and the screen.
type streams struct {
	in       io.Reader
	out, err io.Writer

	inTTY, outTTY, errTTY bool
}

func processStreams() streams {
	return streams{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY: isTerminal(os.Stdin), outTTY: isTerminal(os.Stdout), errTTY: isTerminal(os.Stderr),
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// A printer writes for people (lines and tables, with colour where the stream
// is a terminal) and for scripts (one JSON document a line).
type printer struct {
	w     io.Writer
	theme *theme.Theme
	err   error // the first write that failed; later ones are not tried
}

func newPrinter(w io.Writer, color, ascii bool) *printer {
	return &printer{w: w, theme: theme.New(theme.Options{
		Dark:    theme.GuessDark(os.Getenv("COLORFGBG")),
		NoColor: !color, ASCII: ascii,
		Profile: theme.ProfileFor(os.Getenv),
	})}
}

func (p *printer) write(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, s)
	}
}

// line writes a line.
func (p *printer) line(s string) { p.write(s + "\n") }

// document writes v as JSON on one line.
func (p *printer) document(v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		if p.err == nil {
			p.err = err
		}
		return
	}
	p.write(b.String())
}

func (p *printer) good(s string) string   { return p.theme.Paint(theme.Good, s, false) }
func (p *printer) warn(s string) string   { return p.theme.Paint(theme.Warn, s, false) }
func (p *printer) bad(s string) string    { return p.theme.Paint(theme.Bad, s, false) }
func (p *printer) dim(s string) string    { return p.theme.Paint(theme.Dim, s, false) }
func (p *printer) strong(s string) string { return p.theme.Paint(theme.Title, s, false) }

// sign is a word with the glyph of its tone before it: the colour is never the
// only sign.
func (p *printer) sign(t tone, word string) string {
	g := p.theme.Glyphs
	switch t {
	case toneGood:
		return p.good(g.Good + " " + word)
	case toneWarn:
		return p.warn(g.Warn + " " + word)
	case toneBad:
		return p.bad(g.Bad + " " + word)
	default:
		return p.dim(g.Idle + " " + word)
	}
}

// A tone is how good a piece of news is.
type tone int

const (
	toneIdle tone = iota
	toneGood
	toneWarn
	toneBad
)

// table writes rows in columns that line up, two spaces apart, with indent
// before each. Cells may hold colour. The last column is not padded.
func (p *printer) table(indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		p.line(strings.TrimRight(b.String(), " "))
	}
}

// list writes items as indented bullets.
func (p *printer) list(items []string) {
	for _, s := range items {
		p.line("  " + p.dim(p.theme.Glyphs.Bullet) + " " + s)
	}
}

// dash stands for an empty cell.
func (p *printer) dash(s string) string {
	if s == "" {
		return p.dim(p.theme.Glyphs.Dash)
	}
	return s
}
