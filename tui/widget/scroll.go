package widget

import (
	"strings"

	"github.com/charmbracelet/bubbles/viewport"
	tea "github.com/charmbracelet/bubbletea"
)

// A Scroll is the visible part of a text that is longer than its place. Keys,
// paging and bounds are those of Bubbles' viewport; the text itself stays
// [Line] values, so that no escape sequence is measured or cut.
type Scroll struct {
	port viewport.Model
	end  bool
}

// ToEnd shows the last lines at the next Show.
func (s *Scroll) ToEnd() { s.end = true }

// Key handles a key.
func (s *Scroll) Key(k tea.KeyMsg) {
	switch k.String() {
	case "g", "home":
		s.port.GotoTop()
	case "G", "end":
		s.port.GotoBottom()
	default:
		s.port, _ = s.port.Update(k)
	}
}

// By scrolls by n lines.
func (s *Scroll) By(n int) { s.port.SetYOffset(s.port.YOffset + n) }

// Show returns the visible ones of lines, at most h.
func (s *Scroll) Show(lines []Line, h int) []Line {
	if len(lines) == 0 || h <= 0 {
		return nil
	}
	if s.port.TotalLineCount() != len(lines) {
		s.port.SetContent(strings.Repeat("\n", len(lines)-1)) // only their number counts
	}
	s.port.Height = h
	if s.end {
		s.port.GotoBottom()
		s.end = false
	}
	s.By(0) // into the bounds
	top := s.port.YOffset
	return lines[top:min(top+h, len(lines))]
}

// Window is Show in exactly h lines of w cells, from the start where scroll is not
// set; below is how many lines come after them.
func (s *Scroll) Window(lines []Line, w, h int, scroll bool, mark string) (out []Line, below int) {
	below = max(len(lines)-h, 0)
	if scroll {
		lines = s.Show(lines, h)
		below = s.Below()
	}
	out = make([]Line, h)
	for i := range out {
		if i < len(lines) {
			out[i] = lines[i].Fit(w, mark)
		} else {
			out[i] = Blank(w)
		}
	}
	return out, below
}

// Below is the number of lines after the visible ones.
func (s *Scroll) Below() int {
	return max(s.port.TotalLineCount()-s.port.YOffset-s.port.Height, 0)
}
