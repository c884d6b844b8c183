package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean turns outside text into one line that cannot drive a terminal or lie
// about its order:
//
//   - escape sequences go whole, introducer and parameters (ECMA-48: CSI, OSC,
//     DCS, SOS, PM, APC, two-byte escapes), also with C1 introducers;
//   - other control characters, invalid UTF-8, bidi controls, zero-width and
//     other invisible characters go;
//   - a run of line breaks and tabs becomes one space.
//
// What it returns is valid UTF-8 of graphic characters only, and cleaning it
// again changes nothing.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	blank := false // the last thing written is a space for line breaks
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			i++ // no character: only the byte goes, what follows may be text
			continue
		}
		if n := sequence(s[i:], r, size); n > 0 {
			i += n
			continue
		}
		i += size
		switch {
		case isBreak(r):
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
		case unicode.IsGraphic(r) && !isInvisible(r):
			b.WriteRune(r)
			blank = false
		}
	}
	return b.String()
}

// isPlain reports whether s is printable ASCII, as nearly all texts are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isBreak reports whether r ends a line or moves to a tab stop.
func isBreak(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}

// isInvisible reports whether r is graphic by its category and yet leaves no
// mark: variation selectors and fillers, good for hiding text only. (Bidi
// controls and zero-width characters are format characters, not graphic.)
func isInvisible(r rune) bool {
	switch r {
	case '\u034F', '\u115F', '\u1160', '\u17B4', '\u17B5', '\u3164', '\uFFA0':
		return true
	}
	return unicode.Is(unicode.Variation_Selector, r)
}

// sequence returns the length of the escape sequence that begins with r, size
// bytes long, at the start of s; 0 when r begins none.
func sequence(s string, r rune, size int) int {
	if r == 0x1b {
		if len(s) < 2 {
			return size
		}
		c := s[1]
		if c >= 0x40 && c <= 0x5f { // the two-byte form of a C1 control
			r, size = rune(c)+0x40, 2
		} else {
			n := 1 // ESC, intermediates, final
			for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f {
				n++
			}
			if n < len(s) && s[n] >= 0x30 && s[n] <= 0x7e {
				n++
			}
			return n
		}
	}
	switch r {
	case 0x9b: // CSI
		n := size
		for n < len(s) && s[n] >= 0x30 && s[n] <= 0x3f {
			n++
		}
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x2f {
			n++
		}
		if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
			n++
		}
		return n
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // DCS, SOS, OSC, PM, APC: strings
		return size + stringLen(s[size:])
	}
	if r == 0x1b || r >= 0x80 && r <= 0x9f && r != 0x85 {
		return size
	}
	return 0
}

// stringLen is the length of a control string with its end: BEL, ST, or a new
// escape. One that never ends is taken to end with its line, so that it cannot
// swallow the rest of a report.
func stringLen(s string) int {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0x07:
			return i + 1
		case c == 0x1b:
			if i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
			return i
		case c == 0xc2 && i+1 < len(s) && s[i+1] == 0x9c: // ST in UTF-8
			return i + 2
		case c == '\n' || c == '\r' || c == 0x18 || c == 0x1a:
			return i
		}
	}
	return len(s)
}
