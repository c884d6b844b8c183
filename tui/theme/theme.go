// Package theme holds the colours and glyphs of the screen.
//
// Colours have roles, not names: a view asks for Bad, never for red. There is
// one accent; everything else is calm. A colour is never the only sign: what
// it says is also a glyph or a word ([Glyphs]), so that NO_COLOR and --ascii
// lose nothing.
//
// Nothing here asks the terminal: a query that is not answered costs seconds.
package theme

import (
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// A Role is what a colour is for.
type Role int

// The roles.
const (
	Text      Role = iota // ordinary text
	Strong                // what the eye should find first
	Dim                   // labels, units, what is explained elsewhere
	Faint                 // borders, rules, empty places
	Accent                // the one accent: selection, keys, the active tab
	Good                  // ok
	Warn                  // slow, degraded, pending
	Bad                   // down, outage
	Idle                  // unknown, offline, not probed
	BadgeGood             // the same as blocks: header, banners
	BadgeWarn
	BadgeBad
	BadgeIdle
	BadgeAccent
	Key  // a key in the footer
	Hint // its name
	Title
	roles
)

// A style is the escape sequences around a text.
type style struct{ open, close string }

// Theme paints text.
type Theme struct {
	Glyphs Glyphs
	Dark   bool
	styles [roles]lipgloss.Style
	plain  [roles]style // on the terminal's own background
	lit    [roles]style // on the background of the selected row
	ascii  bool
}

// Options choose a theme.
type Options struct {
	Dark    bool
	NoColor bool
	ASCII   bool
	Profile termenv.Profile // how many colours the terminal has
}

type palette struct {
	text, strong, dim, faint, accent, good, warn, bad, idle string
	inverse, row                                            string
}

// The two palettes. Measured against their backgrounds (#16181d, #fafafa) every
// text colour has a contrast of at least 4.5, dim ones at least 3.
var (
	dark = palette{
		text: "#c8ccd4", strong: "#f2f4f8", dim: "#8b93a3", faint: "#4a5160",
		accent: "#7aa2f7", good: "#8fce72", warn: "#e6b450", bad: "#f7768e", idle: "#8b93a3",
		inverse: "#14161b", row: "#262b38",
	}
	light = palette{
		text: "#2f3542", strong: "#0d1117", dim: "#5f6878", faint: "#b4bac6",
		accent: "#2257c7", good: "#2c7a2c", warn: "#8f5a00", bad: "#c0263d", idle: "#5f6878",
		inverse: "#ffffff", row: "#e4eaf7",
	}
)

// New makes a theme.
func New(o Options) *Theme {
	profile := o.Profile
	if o.NoColor {
		profile = termenv.Ascii
	}
	r := lipgloss.NewRenderer(nil, termenv.WithProfile(profile), termenv.WithTTY(false))
	r.SetColorProfile(profile)
	r.SetHasDarkBackground(o.Dark)
	p := light
	if o.Dark {
		p = dark
	}
	t := &Theme{Glyphs: Unicode, Dark: o.Dark, ascii: o.ASCII}
	if o.ASCII {
		t.Glyphs = ASCII
	}
	fg := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	block := func(c string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.Color(p.inverse)).Background(lipgloss.Color(c)).Bold(true)
	}
	t.styles = [roles]lipgloss.Style{
		Text: fg(p.text), Strong: fg(p.strong).Bold(true), Dim: fg(p.dim), Faint: fg(p.faint),
		Accent: fg(p.accent).Bold(true), Good: fg(p.good), Warn: fg(p.warn), Bad: fg(p.bad), Idle: fg(p.idle),
		BadgeGood: block(p.good), BadgeWarn: block(p.warn), BadgeBad: block(p.bad), BadgeIdle: block(p.idle), BadgeAccent: block(p.accent),
		Key: fg(p.accent).Bold(true), Hint: fg(p.dim), Title: fg(p.strong).Bold(true),
	}
	if profile == termenv.Ascii {
		return t // nothing stands around any text
	}
	for role, s := range t.styles {
		t.plain[role] = around(s)
		t.lit[role] = around(s)
		if role < int(BadgeGood) || role > int(BadgeAccent) {
			t.lit[role] = around(s.Background(lipgloss.Color(p.row)))
		}
	}
	return t
}

// around splits what s draws around a text into what comes before and after.
func around(s lipgloss.Style) style {
	open, end, _ := strings.Cut(s.Render("x"), "x")
	return style{open, end}
}

// Paint returns s in the colour of role, on the background of the selected row
// if lit. s must be one line.
func (t *Theme) Paint(role Role, s string, lit bool) string {
	if s == "" {
		return ""
	}
	st := &t.plain[role]
	if lit {
		st = &t.lit[role]
	}
	if st.open == "" {
		return s
	}
	return st.open + s + st.close
}

// Style is role for what draws itself with Lip Gloss.
func (t *Theme) Style(role Role) lipgloss.Style { return t.styles[role] }

// GuessDark tells from COLORFGBG ("foreground;background", set by rxvt,
// konsole and others) whether the background is dark; without it, yes.
func GuessDark(colorfgbg string) bool {
	parts := strings.Split(colorfgbg, ";")
	bg, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		return true
	}
	return bg < 7 || bg == 8
}

// ProfileFor says how many colours a terminal has, from its environment alone.
func ProfileFor(getenv func(string) string) termenv.Profile {
	switch term, color := getenv("TERM"), strings.ToLower(getenv("COLORTERM")); {
	case term == "dumb" || term == "":
		return termenv.Ascii
	case color == "truecolor" || color == "24bit", strings.Contains(term, "direct"), strings.Contains(term, "kitty"),
		strings.Contains(term, "ghostty"), strings.Contains(term, "alacritty"), strings.Contains(term, "wezterm"), getenv("WT_SESSION") != "":
		return termenv.TrueColor
	case strings.Contains(term, "256color"), color == "yes", color == "true":
		return termenv.ANSI256
	default:
		return termenv.ANSI
	}
}

// ASCII reports whether frames may hold nothing but ASCII.
func (t *Theme) ASCII() bool { return t.ascii }
