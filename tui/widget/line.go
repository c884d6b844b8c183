// Package widget holds the building blocks of the screen: lines of painted
// text, the virtual table, a line editor and small charts.
//
// Everything is drawn as [Line] values: plain text with roles. Widths are
// measured and cut on the plain text, and colour is added last, so no escape
// sequence is ever measured or torn.
package widget

import (
	"regexp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"gpx/tui/theme"
)

// A Span is text in one role. Its text holds no control characters.
type Span struct {
	Role theme.Role
	Text string
}

// A Line is one line of the screen.
type Line []Span

// S makes a span.
func S(role theme.Role, text string) Span { return Span{role, text} }

// L makes a line of spans.
func L(spans ...Span) Line { return spans }

// T makes a line of ordinary text.
func T(text string) Line { return Line{{theme.Text, text}} }

// Width is the number of cells that s takes. It never depends on the language
// of the environment.
func Width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] < 0x20 {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// Width is the number of cells that l takes.
func (l Line) Width() int {
	w := 0
	for _, s := range l {
		w += Width(s.Text)
	}
	return w
}

// Plain is the text of l.
func (l Line) Plain() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Truncate cuts s to at most w cells; a cut text ends in mark.
func Truncate(s string, w int, mark string) string {
	switch {
	case w <= 0:
		return ""
	case Width(s) <= w:
		return s
	case Width(mark) >= w:
		return ansi.Truncate(s, w, "")
	}
	return ansi.Truncate(s, w, mark)
}

// Clause cuts a sentence to at most w cells where one of its parts ends, so that
// what is left is a shorter sentence; "" where no part is short enough.
func Clause(s string, w int) string {
	best := ""
	for _, end := range []string{" and ", ": ", "; ", ", then ", ", go ", " (", " from "} {
		for at := 0; ; {
			i := strings.Index(s[at:], end)
			if i < 0 {
				break
			}
			at += i
			if part := strings.TrimRight(s[:at], ","); Width(part) <= w && len(part) > len(best) {
				best = part
			}
			at += len(end)
		}
	}
	return best
}

// Middle cuts s to at most w cells by taking out of its middle, so that both
// ends of a path or URL stay readable.
func Middle(s string, w int, mark string) string {
	n := Width(s)
	m := Width(mark)
	if n <= w || w <= 2*m+4 {
		return Truncate(s, w, mark)
	}
	head := (w - m) * 2 / 3
	tail := w - m - head
	return ansi.Truncate(s, head, "") + mark + ansi.TruncateLeft(s, n-tail, "")
}

// Pad fills s with blanks up to w cells, on the left when right is set.
func Pad(s string, w int, right bool) string {
	n := w - Width(s)
	switch {
	case n <= 0:
		return s
	case right:
		return blanks(n) + s
	default:
		return s + blanks(n)
	}
}

const blank = "                                                                                                                                "

func blanks(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(blank) {
		return blank[:n]
	}
	return strings.Repeat(" ", n)
}

// Blank is an empty line of w cells.
func Blank(w int) Line { return Line{{theme.Text, blanks(w)}} }

// Cut returns the cells from (inclusive) to to (exclusive) of l, exactly to-from
// wide; a wide rune that the edge would tear becomes a blank.
func (l Line) Cut(from, to int) Line {
	var out Line
	at := 0
	for _, s := range l {
		w := Width(s.Text)
		lo, hi := max(from-at, 0), min(to-at, w)
		if lo < hi {
			text := s.Text
			if lo > 0 || hi < w {
				text = cells(text, lo, hi)
			}
			out = append(out, Span{s.Role, text})
		}
		at += w
	}
	if w := out.Width(); w < to-from {
		out = append(out, Span{theme.Text, blanks(to - from - w)})
	}
	return out
}

// cells cuts the cells lo..hi out of s, with blanks for torn wide runes.
func cells(s string, lo, hi int) string {
	var b strings.Builder
	at := 0
	for len(s) > 0 && at < hi {
		cluster, w := first(s)
		switch {
		case at >= lo && at+w <= hi:
			b.WriteString(cluster)
		case at < hi && at+w > lo: // torn
			b.WriteString(blanks(min(at+w, hi) - max(at, lo)))
		}
		at += w
		s = s[len(cluster):]
	}
	return b.String()
}

// first returns the first user-perceived character of s and its width.
func first(s string) (cluster string, width int) {
	cluster, width = ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if cluster == "" {
		return s[:1], 0
	}
	return cluster, width
}

// Fit returns l exactly w cells wide: cut with mark, or filled with blanks.
func (l Line) Fit(w int, mark string) Line {
	n := l.Width()
	switch {
	case w <= 0:
		return nil
	case n == w:
		return l
	case n < w:
		return append(l[:len(l):len(l)], Span{theme.Text, blanks(w - n)})
	}
	m := Width(mark)
	if m >= w {
		return l.Cut(0, w)
	}
	out := l.Cut(0, w-m)
	role := theme.Dim
	if k := len(out); k > 0 {
		role = out[k-1].Role
	}
	return append(out, Span{role, mark})
}

// Spread puts left and right at the two ends of w cells. Right is dropped when
// there is no room for both and left is cut last.
func Spread(left, right Line, w int, mark string) Line {
	r := right.Width()
	if left.Width()+1+r > w {
		return left.Fit(w, mark)
	}
	return append(left.Fit(w-r, mark), right...)
}

// Render paints l.
func (l Line) Render(t *theme.Theme) string {
	var b strings.Builder
	l.write(&b, t)
	return b.String()
}

func (l Line) write(b *strings.Builder, t *theme.Theme) {
	for i := 0; i < len(l); i++ {
		text := l[i].Text
		for i+1 < len(l) && l[i+1].Role == l[i].Role { // one sequence for neighbours
			i++
			text += l[i].Text
		}
		if t.ASCII() {
			text = toASCII(text)
		}
		b.WriteString(t.Paint(l[i].Role&^lit, text, l[i].Role&lit != 0))
	}
}

// plain are signs of sentences with an ASCII form of the same width.
var plain = map[string]string{"·": "-", "–": "-", "—": "-", "…": "~", "→": ">", "‘": "'", "’": "'", "“": "\"", "”": "\"", "×": "x", "•": "-"}

// toASCII replaces what is not ASCII by question marks of the same width.
func toASCII(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		cluster, w := first(s)
		if len(cluster) == 1 {
			b.WriteString(cluster)
		} else if p, ok := plain[cluster]; ok {
			b.WriteString(p)
		} else {
			b.WriteString(strings.Repeat("?", w))
		}
		s = s[len(cluster):]
	}
	return b.String()
}

// Wrap breaks text into lines of at most w cells at blanks.
func Wrap(text string, w int) []string {
	if w < 1 {
		return nil
	}
	// ansi.Wrap breaks behind every hyphen. Those that a flag begins with stay
	// with it: "gpx probe -" is no command.
	const hyphen = "\u2011"
	keep := !strings.Contains(text, hyphen)
	if keep {
		text = flags.ReplaceAllStringFunc(text, func(s string) string { return strings.ReplaceAll(s, "-", hyphen) })
	}
	var out []string
	for _, para := range strings.Split(text, "\n") {
		out = append(out, wrapped(para, w)...)
	}
	for i, s := range out {
		if keep {
			s = strings.ReplaceAll(s, hyphen, "-")
		}
		out[i] = strings.TrimRight(s, " ")
	}
	return out
}

// wrapped breaks one paragraph. ansi.Wrap puts a comma or slash at which it breaks
// beyond the limit where the line is full already.
func wrapped(para string, w int) (lines []string) {
	for limit := w; limit > 0; limit-- {
		lines = strings.Split(ansi.Wrap(para, limit, " ,/"), "\n")
		if !slices.ContainsFunc(lines, func(s string) bool { return Width(strings.TrimRight(s, " ")) > w }) {
			break
		}
	}
	return lines
}

// flags are the hyphens that flags begin with.
var flags = regexp.MustCompile(`(?:^|\s)--?`)

// Labeled wraps text to w cells behind a column with its label.
func Labeled(label string, column int, role theme.Role, text string, w int) []Line {
	var out []Line
	for i, s := range Wrap(text, max(w-column, 8)) {
		name := ""
		if i == 0 {
			name = label
		}
		out = append(out, L(S(theme.Dim, Pad(name, column, false)), S(role, s)))
	}
	return out
}

// Beside puts two blocks beside each other; the left one is lw wide.
func Beside(left, right []Line, lw, w int) []Line {
	out := make([]Line, max(len(left), len(right)))
	for i := range out {
		var l Line
		if i < len(left) {
			l = left[i]
		}
		l = l.Fit(lw, "")
		if i < len(right) {
			l = append(l, right[i]...)
		}
		out[i] = l.Fit(w, "")
	}
	return out
}

// Overlay puts box over base with its top left corner at (x, y). Both keep
// their widths.
func Overlay(base, box []Line, x, y, width int) []Line {
	for i, l := range box {
		if y+i < 0 || y+i >= len(base) {
			continue
		}
		w := l.Width()
		line := base[y+i].Cut(0, x)
		line = append(line, l...)
		base[y+i] = append(line, base[y+i].Cut(x+w, width)...)
	}
	return base
}

// Dimmed is l with every role faded: what is behind a dialog.
func (l Line) Dimmed() Line {
	return Line{{theme.Faint, l.Plain()}}
}

// lit is added to the roles of a selected row.
const lit = theme.Role(1 << 16)

// Selected is l on the background of the selected row. The background is an
// extra: the cursor glyph says the same.
func (l Line) Selected() Line {
	out := make(Line, len(l))
	for i, s := range l {
		out[i] = Span{s.Role | lit, s.Text}
	}
	return out
}
