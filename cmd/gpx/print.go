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
	width int   // of the terminal, in cells; 0 where there is none, and nothing is broken into lines
	err   error // the first write that failed; later ones are not tried
}

func newPrinter(w io.Writer, color, ascii bool) *printer {
	return &printer{w: w, width: widthOf(w), theme: theme.New(theme.Options{
		Dark:    theme.GuessDark(os.Getenv("COLORFGBG")),
		NoColor: !color, ASCII: ascii,
		Profile: theme.ProfileFor(os.Getenv),
	})}
}

// widthOf is the width of the terminal behind w, 0 where there is none.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func (p *printer) write(s string) {
	if p.err != nil {
		return
	}
	if _, err := io.WriteString(p.w, s); err != nil {
		p.err = failed("output", "", err)
	}
}

// line writes a line.
func (p *printer) line(s string) { p.write(s + "\n") }

// text writes a sentence below indent; what a terminal has no room for goes on
// in the next line, a little further in.
func (p *printer) text(indent, s string) { p.cell(indent, len(indent)+2, s) }

// leastRoom is the narrowest column that reads well; a longer cell goes below
// its row instead.
const leastRoom = 30

// cell writes the last cell of a row behind head; its further lines stand at
// column hang.
func (p *printer) cell(head string, hang int, s string) {
	if p.width == 0 || ansi.StringWidth(head)+ansi.StringWidth(s) <= p.width {
		p.line(strings.TrimRight(head+s, " "))
		return
	}
	if p.width-hang < leastRoom {
		p.line(strings.TrimRight(head, " "))
		hang = min(4, p.width/2)
		head = strings.Repeat(" ", hang)
	}
	room := p.width - max(hang, ansi.StringWidth(head))
	for _, part := range strings.Split(ansi.Wrap(s, max(1, room), ""), "\n") {
		p.line(strings.TrimRight(head+part, " "))
		head = strings.Repeat(" ", hang)
	}
}

// document writes v as JSON on one line.
func (p *printer) document(v any) {
	text, err := documentText(v)
	if err != nil {
		if p.err == nil {
			p.err = failed("output", "", err)
		}
		return
	}
	p.write(text)
}

// documentText is a document with the end of its line.
func documentText(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.String(), err
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
// before each. Cells may hold colour. The last column is not padded, and goes
// on below itself where a terminal is too narrow.
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
		var head strings.Builder
		head.WriteString(indent)
		last := len(row) - 1
		for i, cell := range row[:last] {
			head.WriteString(cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
		}
		p.cell(head.String(), ansi.StringWidth(head.String()), row[last])
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
