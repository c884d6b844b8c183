package view

import (
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// StateSpan is the health of an endpoint as glyph, word and colour.
func StateSpan(g *theme.Glyphs, kind probe.Kind, h monitor.Health, c probe.Class) widget.Span {
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

// GoSpan is one word for what the go command does, with its glyph.
func GoSpan(g *theme.Glyphs, a probe.Action) widget.Span {
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
