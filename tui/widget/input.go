package widget

import (
	"slices"
	"strings"
	"unicode"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
)

// An Input is a one-line editor: the text input of Bubbles, drawn as a [Line].
// The cursor is a glyph, because NO_COLOR takes the reverse video away, and
// the password of a URL is masked while it is typed.
type Input struct{ edit textinput.Model }

// NewInput starts with text and the cursor behind it.
func NewInput(text string) *Input {
	in := &Input{textinput.New()}
	// The screen runs no command: what is pasted comes from the terminal.
	in.edit.KeyMap.Paste.SetEnabled(false)
	in.edit.Focus()
	in.edit.SetValue(string(printable([]rune(text))))
	return in
}

// Value is what was typed.
func (in *Input) Value() string { return in.edit.Value() }

// Key handles a key and reports whether the text was changed.
func (in *Input) Key(k tea.KeyMsg) bool {
	before := in.Value()
	switch k.Runes = printable(k.Runes); k.String() {
	case "alt+left", "ctrl+left", "alt+b":
		in.edit.SetCursor(in.wordLeft())
	case "alt+right", "ctrl+right", "alt+f":
		in.edit.SetCursor(in.wordRight())
	case "ctrl+w", "alt+backspace":
		text, from, to := []rune(before), in.wordLeft(), in.edit.Position()
		in.edit.SetValue(string(slices.Delete(text, from, to)))
		in.edit.SetCursor(from)
	default:
		in.edit, _ = in.edit.Update(k)
	}
	return in.Value() != before
}

// printable drops what the text input would keep: direction marks and others
// that are no control characters and yet are not seen.
func printable(rs []rune) []rune {
	return slices.DeleteFunc(slices.Clone(rs), func(r rune) bool { return !unicode.IsPrint(r) })
}

// isWord holds for words of URLs and lists; Bubbles' own words end at blanks
// only, which a GOPROXY value does not have.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (in *Input) wordLeft() int {
	text, i := []rune(in.Value()), in.edit.Position()
	for i > 0 && !isWord(text[i-1]) {
		i--
	}
	for i > 0 && isWord(text[i-1]) {
		i--
	}
	return i
}

func (in *Input) wordRight() int {
	text, i := []rune(in.Value()), in.edit.Position()
	for i < len(text) && !isWord(text[i]) {
		i++
	}
	for i < len(text) && isWord(text[i]) {
		i++
	}
	return i
}

// Line draws the editor in exactly w cells; the part with the cursor is
// visible.
func (in *Input) Line(th *theme.Theme, w int) Line {
	if w < 2 {
		return Blank(max(w, 0))
	}
	text, at := masked(in.Value(), th.Glyphs.Bullet), in.edit.Position()
	left := L(S(theme.Strong, string(text[:at])))
	if n := left.Width(); n > w-1 {
		left = left.Cut(n-w+1, n)
	}
	line := append(left, S(theme.Accent, th.Glyphs.Caret))
	return append(line, S(theme.Strong, string(text[at:]))).Cut(0, w)
}

// masked is text, rune for rune, with the userinfo of its URLs replaced. Before
// the @ is typed, what follows a colon may be a password or a port; digits are
// taken for a port.
func masked(text, bullet string) []rune {
	out, mark := []rune(text), []rune(bullet)[0]
	for i := 0; i < len(out); i++ {
		if i < 3 || string(out[i-3:i]) != "://" {
			continue
		}
		end, at, colon := i, -1, -1
		for ; end < len(out) && !strings.ContainsRune("/,|", out[end]); end++ {
			switch {
			case out[end] == '@':
				at = end
			case out[end] == ':' && colon < 0:
				colon = end
			}
		}
		from, to := i, at
		if at < 0 && colon >= 0 && out[i] != '[' && slices.ContainsFunc(out[colon+1:end], func(r rune) bool { return !unicode.IsDigit(r) }) {
			from, to = colon+1, end
		}
		for ; from < to; from++ {
			out[from] = mark
		}
	}
	return out
}
