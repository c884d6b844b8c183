package proxies

import (
	"fmt"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// labelWidth is the column of labels in the detail pane.
const labelWidth = 9

// say makes "label  text" lines, wrapped to w cells.
func say(label string, role theme.Role, text string, w int) []widget.Line {
	return widget.Labeled(label, labelWidth, role, text, w)
}

// words explains a row: what was seen, what it means, what the go command does
// with it, what to do.
func words(th *theme.Theme, r *row, now time.Time, w int) []widget.Line {
	g := &th.Glyphs
	head := widget.L(view.StateSpan(g, r.kind, r.health, r.class))
	add := func(role theme.Role, s string) {
		head = append(head, widget.S(theme.Faint, "  "+g.Dot+"  "), widget.S(role, s))
	}
	st := r.status
	if st != nil && !st.Since.IsZero() {
		head = append(head, widget.S(theme.Text, " for "+widget.Age(now.Sub(st.Since.Time))))
	}
	if r.kind != probe.KindOff && r.class != probe.OK {
		layer := ""
		if st != nil && st.Layer != "" && r.class.Failed() {
			layer = " (" + layerWord(st.Layer) + ")"
		}
		add(theme.Text, r.class.Words()+layer)
	}
	if st != nil && !st.At.IsZero() {
		add(theme.Dim, widget.Age(now.Sub(st.At.Time))+" ago")
	}
	out := []widget.Line{head.Fit(w, g.Ellipsis), nil}
	info := r.class.Info()
	if st != nil && st.Detail != "" && r.class != probe.OK {
		out = append(out, say("Saw", theme.Strong, st.Detail, w)...)
	}
	if r.kind == probe.KindOff {
		out = append(out, say("Means", theme.Text, "The chain ends here: what no earlier hop has is not looked up.", w)...)
	} else {
		out = append(out, say("Means", theme.Text, info.Meaning, w)...)
	}
	switch {
	case r.n > 0:
		role := theme.Text
		if r.goWill == probe.Stop || r.goWill == probe.Hang {
			role = theme.Bad
		}
		text := goSentence(r.goWill, r.class, r.sep) + waits(r)
		if r.cacheOnly() {
			role, text = theme.Text, "builds from what is here, and asks nobody for what is not."
		}
		out = append(out, say("go", role, text, w)...)
	case r.class.Failed() || r.kind == probe.KindSumDB:
		out = append(out, say("go", theme.Text, info.GoDoes, w)...)
	default:
		out = append(out, say("go", theme.Text, "does not use it: it is not in the chain (a adds it).", w)...)
	}
	if r.class.Failed() {
		out = append(out, say("Do", theme.Text, info.Advice, w)...)
	}
	return out
}

// waits says how long the go command takes to notice.
func waits(r *row) string {
	d := r.class.Info().GoWaits
	if d <= 0 || (r.goWill != probe.Stop && r.goWill != probe.Next) {
		return ""
	}
	return fmt.Sprintf(" It first waits %.0f s for every request.", d.Seconds())
}

func layerWord(l probe.Layer) string {
	switch l {
	case probe.LayerDNS, probe.LayerTCP, probe.LayerTLS, probe.LayerHTTP:
		return strings.ToUpper(string(l))
	}
	return string(l)
}

// figures are the times of the last probe, the window, and the checks of the
// last deep probe.
func figures(th *theme.Theme, r *row, deep *probe.Result, now time.Time, w int) []widget.Line {
	st := r.status
	if st == nil {
		return []widget.Line{widget.L(widget.S(theme.Dim, "no probe yet"))}
	}
	g := &th.Glyphs
	out := append(phases(th, st.Phases, w), nil)
	win := st.Window
	line := fmt.Sprintf("%s %s loss %.0f%%", widget.Count(win.Samples, "probe"), g.Dot, win.Lost*100)
	if win.P50 > 0 {
		line += fmt.Sprintf(" %s p50 %s %s p95 %s %s p99 %s", g.Dot, widget.Millis(time.Duration(win.P50)), g.Dot,
			widget.Millis(time.Duration(win.P95)), g.Dot, widget.Millis(time.Duration(win.P99)))
	}
	for _, s := range widget.Wrap(line, w) {
		out = append(out, widget.L(widget.S(theme.Dim, s)))
	}
	for _, s := range widget.Wrap(strings.Join(facts(st), " "+g.Dot+" "), w) {
		out = append(out, widget.L(widget.S(theme.Dim, s)))
	}
	return append(out, checks(th, r, deep, now)...)
}

// phases are the times of one probe as bars.
func phases(th *theme.Theme, p probe.Phases, w int) []widget.Line {
	g := &th.Glyphs
	list := []struct {
		name string
		took time.Duration
	}{
		{"dns", time.Duration(p.DNS)}, {"tcp", time.Duration(p.TCP)}, {"tls", time.Duration(p.TLS)},
		{"answer", time.Duration(p.TTFB)}, {"total", time.Duration(p.Total)},
	}
	most := time.Duration(0)
	for _, ph := range list {
		most = max(most, ph.took)
	}
	bar := min(max(w-16, 0), 32)
	var out []widget.Line
	for _, ph := range list {
		took, role := g.Dash, theme.Faint
		if ph.took > 0 {
			took, role = widget.Millis(ph.took), theme.Text
		}
		l := widget.L(widget.S(theme.Dim, widget.Pad(ph.name, 7, false)), widget.S(role, widget.Pad(took, 7, true)), widget.S(theme.Text, "  "))
		out = append(out, append(l, widget.Bar(th, theme.Accent, ph.took, most, bar)...))
	}
	return out
}

// facts are what the last probe learned beside its times.
func facts(st *monitor.EndpointStatus) []string {
	var out []string
	if st.HTTPStatus > 0 {
		out = append(out, fmt.Sprintf("HTTP %d", st.HTTPStatus))
	}
	if st.RemoteAddr != "" {
		out = append(out, "from "+st.RemoteAddr)
	}
	if !st.TLSExpires.IsZero() {
		out = append(out, "certificate until "+st.TLSExpires.Format("2006-01-02"))
	}
	if st.Module != "" {
		out = append(out, "asked for "+st.Module)
	}
	switch db := st.SumDB; {
	case db == nil:
	case db.Supported && db.Class.Failed():
		out = append(out, "says that it serves "+db.Name+", and fails there: "+db.Class.Words())
	case db.Supported:
		out = append(out, "serves "+db.Name)
	case !db.Class.Failed(): // else it did not say
		out = append(out, "does not serve "+db.Name)
	}
	return out
}

// checks is the table of a deep probe.
func checks(th *theme.Theme, r *row, deep *probe.Result, now time.Time) []widget.Line {
	if deep == nil && r.status != nil && len(r.status.Checks) > 0 {
		deep = &r.status.Result
	}
	if deep == nil || len(deep.Checks) == 0 {
		return nil
	}
	g := &th.Glyphs
	out := []widget.Line{nil, widget.L(widget.S(theme.Dim, "DEEP PROBE  "), widget.S(theme.Dim, deep.At.In(now.Location()).Format("15:04:05")))}
	for _, c := range deep.Checks {
		mark := widget.S(theme.Good, g.Good)
		switch {
		case c.Class.Failed():
			mark = widget.S(theme.Bad, g.Bad)
		case c.Class != probe.OK:
			mark = widget.S(theme.Warn, g.Warn)
		}
		took := g.Dash
		if c.Total > 0 {
			took = widget.Millis(time.Duration(c.Total))
		}
		l := widget.L(mark, widget.S(theme.Text, " "+widget.Pad(string(c.File), 10, false)), widget.S(theme.Text, widget.Pad(took, 6, true)),
			widget.S(theme.Dim, "  "+c.Class.Words()))
		if c.Detail != "" {
			l = append(l, widget.S(theme.Dim, "  "+c.Detail))
		}
		out = append(out, l)
	}
	return out
}

// walk says in one line what the go command does along a chain: every hop up
// to the one that decides.
func walk(th *theme.Theme, rows []row) widget.Line {
	g := &th.Glyphs
	var out widget.Line
	for i := range rows {
		r := &rows[i]
		if r.n == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, widget.S(theme.Faint, "  "+g.Dot+"  "))
		}
		will := view.GoSpan(g, r.goWill)
		if r.cacheOnly() {
			will = widget.S(theme.Idle, g.Idle+" alone")
		}
		out = append(out, widget.S(theme.Text, fmt.Sprintf("%d %s ", r.n, short(r, g.Ellipsis))), will)
		if decides(r.goWill) {
			break
		}
	}
	return out
}

// short is a hop as a sentence can take it: its URL, or its host where that is
// long; a long path without its middle.
func short(r *row, ellipsis string) string {
	const most = 32 // cells
	s := shown(r)
	if host, _, ok := strings.Cut(s, "/"); ok && host != "" && r.kind == probe.KindProxy && widget.Width(s) > most {
		return host
	}
	return widget.Middle(s, most, ellipsis)
}

// chainLine draws a chain with its separators in the accent, where they can be
// told from the commas of a sentence.
func chainLine(c chain.Chain) widget.Line {
	var out widget.Line
	for i, h := range c.Hops {
		out = append(out, widget.S(theme.Strong, h.Redacted()))
		if i < len(c.Hops)-1 {
			out = append(out, widget.S(theme.Accent, " "+string(h.Separator)+" "))
		}
	}
	return out
}

// outlook is the part of the detail pane about the whole chain: what the go
// command will do now, and what to switch to.
func (v *View) outlook(w int) []widget.Line {
	th, s, rec := v.c.Theme, &v.c.Snapshot, v.rec
	label := func(text string) widget.Span { return widget.S(theme.Dim, widget.Pad(text, labelWidth, false)) }
	var out, now []widget.Line
	if s.Chain.Error != "" {
		now = say("Chain", theme.Bad, s.Chain.Error, w)
	} else if l := walk(th, v.now); len(l) > 0 {
		now = append(now, append(widget.L(label("Now")), l...).Fit(w, th.Glyphs.Ellipsis))
	}
	if s.Verdict.State == monitor.StateOK || s.Verdict.State == monitor.StateOffline {
		return now
	}
	switch {
	case rec != nil && rec.Found:
		l := append(widget.L(label("Switch")), chainLine(rec.Chain)...)
		out = append(out, l.Fit(w, th.Glyphs.Ellipsis))
		out = append(out, widget.L(label(""), widget.S(theme.Key, "s"), widget.S(theme.Text, " shows the plan, "), widget.S(theme.Key, "y"),
			widget.S(theme.Text, " applies, "), widget.S(theme.Key, "u"), widget.S(theme.Text, " undoes")).Fit(w, th.Glyphs.Ellipsis))
	case rec != nil && len(rec.Reasons) > 0:
		out = append(out, say("Switch", theme.Text, "No better chain is known: "+redact.Text(strings.Join(rec.Reasons, "; ")), w)...)
		out = append(out, widget.L(label(""), widget.S(theme.Key, "a"), widget.S(theme.Text, " looks for another proxy in the catalog")).Fit(w, th.Glyphs.Ellipsis))
	}
	out = append(out, now...)
	for i, e := range s.Verdict.Evidence {
		label := ""
		if i == 0 {
			label = "Because"
		}
		out = append(out, say(label, theme.Dim, e, w)...)
	}
	for i, f := range s.Verdict.Fixes {
		name := ""
		if i == 0 {
			name = "Or"
		}
		out = append(out, advice(name, f.Title, v.how(f, theme.Dim), w)...)
	}
	return out
}

// advice is a title with how it is done: behind it where there is room, else
// below it.
func advice(label, title string, how widget.Line, w int) []widget.Line {
	if len(how) == 0 {
		return say(label, theme.Dim, title, w)
	}
	lines := say(label, theme.Dim, title+":", w)
	last := len(lines) - 1
	if l := append(append(lines[last], widget.S(theme.Dim, "  ")), how...); l.Width() <= w {
		lines[last] = l
		return lines
	}
	if l := append(widget.L(widget.S(theme.Dim, widget.Pad("", labelWidth, false))), how...); l.Width() <= w {
		return append(lines, l)
	}
	return append(lines, say("", theme.Dim, how.Plain(), w)...)
}
