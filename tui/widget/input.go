package widget

import (
	"unicode"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/tui/theme"
)

// An Input is a one-line editor. It measures with the same rules as the rest
// of the screen (bubbles/textinput counts cells by the language of the
// environment, and a frame would come out too wide under zh_CN).
type Input struct {
	text []rune
	at   int // cursor, 0..len(text)
}

// NewInput starts with text and the cursor behind it.
func NewInput(text string) *Input {
	in := &Input{}
	in.insert([]rune(text))
	return in
}

// Value is what was typed.
func (in *Input) Value() string { return string(in.text) }

func (in *Input) insert(rs []rune) {
	var clean []rune
	for _, r := range rs {
		if unicode.IsPrint(r) {
			clean = append(clean, r)
		}
	}
	tail := append([]rune{}, in.text[in.at:]...)
	in.text = append(append(in.text[:in.at:in.at], clean...), tail...)
	in.at += len(clean)
}

// Key handles a key; false means that it is none of the editor's.
func (in *Input) Key(k tea.KeyMsg) bool {
	switch k.String() {
	case "left", "ctrl+b":
		in.at = max(in.at-1, 0)
	case "right", "ctrl+f":
		in.at = min(in.at+1, len(in.text))
	case "home", "ctrl+a":
		in.at = 0
	case "end", "ctrl+e":
		in.at = len(in.text)
	case "alt+left", "ctrl+left", "alt+b":
		in.at = in.wordLeft()
	case "alt+right", "ctrl+right", "alt+f":
		in.at = in.wordRight()
	case "backspace", "ctrl+h":
		if in.at > 0 {
			in.text = append(in.text[:in.at-1], in.text[in.at:]...)
			in.at--
		}
	case "delete", "ctrl+d":
		if in.at < len(in.text) {
			in.text = append(in.text[:in.at], in.text[in.at+1:]...)
		}
	case "ctrl+w", "alt+backspace":
		from := in.wordLeft()
		in.text = append(in.text[:from], in.text[in.at:]...)
		in.at = from
	case "ctrl+u":
		in.text = append([]rune{}, in.text[in.at:]...)
		in.at = 0
	case "ctrl+k":
		in.text = in.text[:in.at]
	default:
		if k.Type != tea.KeyRunes && k.Type != tea.KeySpace || k.Alt {
			return false
		}
		in.insert(k.Runes)
	}
	return true
}

// word separators are those of URLs and lists.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (in *Input) wordLeft() int {
	i := in.at
	for i > 0 && !isWord(in.text[i-1]) {
		i--
	}
	for i > 0 && isWord(in.text[i-1]) {
		i--
	}
	return i
}

func (in *Input) wordRight() int {
	i := in.at
	for i < len(in.text) && !isWord(in.text[i]) {
		i++
	}
	for i < len(in.text) && isWord(in.text[i]) {
		i++
	}
	return i
}

// Line draws the editor in exactly w cells; the part with the cursor is
// visible. The cursor is a glyph, not a colour.
func (in *Input) Line(th *theme.Theme, w int) Line {
	before, after := string(in.text[:in.at]), string(in.text[in.at:])
	room := w - 1
	if room < 1 {
		return Blank(max(w, 0))
	}
	left := L(S(theme.Strong, before))
	if n := left.Width(); n > room {
		left = left.Cut(n-room, n)
	}
	rest := room - left.Width()
	right := L(S(theme.Strong, after))
	if right.Width() > rest {
		right = right.Cut(0, rest)
	}
	line := append(left, S(theme.Accent, th.Glyphs.Caret))
	return append(line, right...).Fit(w, "")
}
