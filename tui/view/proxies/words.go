package proxies

import (
	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// state is the health of a row as glyph, word and colour.
func state(g *theme.Glyphs, kind probe.Kind, h monitor.Health, c probe.Class) widget.Span {
	switch {
	case kind == probe.KindOff:
		return widget.S(theme.Idle, g.Idle+" OFF")
	case h == monitor.Up:
		return widget.S(theme.Good, g.Good+" OK")
	case h == monitor.Slow:
		return widget.S(theme.Warn, g.Warn+" SLOW")
	case h == monitor.Suspect:
		return widget.S(theme.Warn, g.Warn+" SUSPECT")
	case h == monitor.Down:
		return widget.S(theme.Bad, g.Bad+" DOWN")
	case c == probe.ClassUnknown || c == "":
		return widget.S(theme.Idle, g.Idle+" PROBING")
	}
	return widget.S(theme.Idle, g.Idle+" UNKNOWN")
}

// severity orders rows by state, worst first.
func severity(h monitor.Health) int {
	switch h {
	case monitor.Down:
		return 0
	case monitor.Suspect:
		return 1
	case monitor.Slow:
		return 2
	case monitor.Up:
		return 4
	}
	return 3
}

// goWord is one word for what the go command does, with its glyph.
func goWord(g *theme.Glyphs, a probe.Action) widget.Span {
	switch a {
	case probe.Serve:
		return widget.S(theme.Good, g.Good+" serves")
	case probe.GoDirect:
		return widget.S(theme.Good, g.Good+" version control")
	case probe.Next:
		return widget.S(theme.Warn, g.Arrow+" next")
	case probe.Stop:
		return widget.S(theme.Bad, g.Bad+" stops")
	case probe.Hang:
		return widget.S(theme.Bad, g.Bad+" hangs")
	case probe.GoOff:
		return widget.S(theme.Bad, g.Bad+" off")
	}
	return widget.S(theme.Idle, g.Idle+" unknown")
}

// goSentence says what the go command will do at this hop and why.
func goSentence(a probe.Action, c probe.Class, sep chain.Separator) string {
	switch a {
	case probe.Serve:
		return "gets the module here."
	case probe.GoDirect:
		return "leaves the proxies here and asks version control (git and others)."
	case probe.GoOff:
		return "stops here: module lookup is disabled by off."
	case probe.Hang:
		return "waits here for ever. No separator helps, only another chain."
	case probe.Next:
		if c == probe.NotFound || c == probe.MissingFile {
			return "asks the next hop: 404 and 410 pass both separators."
		}
		return `asks the next hop: "|" passes every error on.`
	case probe.Stop:
		switch sep {
		case chain.Comma:
			return `stops here, the build fails: "," passes only 404 and 410 on, and this is ` + c.Words() + "."
		case chain.Last:
			return "stops here, the build fails: nothing follows in the chain."
		}
		return "stops here, the build fails."
	}
	return "is not known before the first answer."
}

// decides reports whether the go command's walk along the chain ends at a.
func decides(a probe.Action) bool { return a != probe.Next }
