package deps

import (
	"fmt"
	"path/filepath"
	"strings"

	"gpx/cachectl/deps"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// The columns by place.
const (
	colModule = iota
	colVersion
	colKind
	colCache
	colSum
	colVend
	colReach
	colVerdict
)

func columns() []widget.Column {
	return []widget.Column{
		colModule:  {Title: "MODULE", Min: 28, Grow: 6, Max: 64, Tight: true, Middle: true},
		colVersion: {Title: "VERSION", Min: 9, Grow: 2, Max: 34, Middle: true},
		colKind:    {Title: "KIND", Min: 8, Drop: 3},
		colCache:   {Title: "CACHE", Min: 5, Max: 12, Grow: 1, Tight: true},
		colSum:     {Title: "SUM", Min: 3, Drop: 4},
		colVend:    {Title: "VEND", Min: 4, Drop: 5},
		colReach:   {Title: "REACHABLE AT", Min: 12, Grow: 4, Max: 34, Middle: true, Drop: 2},
		colVerdict: {Title: "VERDICT", Min: 12},
	}
}

// Render implements view.View.
func (v *View) Render(w, h int) view.Body {
	e := v.c.Theme.Glyphs.Ellipsis
	b := view.Body{Splits: map[int]widget.Line{}}
	if h <= 0 {
		return b
	}
	b.Lines = v.band(w)
	if h >= 24 {
		b.Lines = append(b.Lines, widget.Blank(w))
	}
	v.top = len(b.Lines)
	title, pane := v.detail(w)
	b.Lines = append(b.Lines, v.list(w, v.tableHeight(h-v.top, len(pane)))...)
	b.Lines = b.Lines[:min(len(b.Lines), h)]
	b.Status = v.status()
	if rest := h - len(b.Lines); rest > 1 {
		b.Splits[len(b.Lines)] = title
		v.paneHeight = rest - 1
		lines, below := v.scroll.Window(pane, w, rest-1, v.open, e)
		b.Lines = append(append(b.Lines, nil), lines...)
		if below > 0 {
			b.Foot = widget.L(widget.S(theme.Dim, widget.Count(below, "more line")+" below"))
		}
	}
	for i := range b.Lines {
		b.Lines[i] = b.Lines[i].Fit(w, e)
	}
	return b
}

// tableHeight is how many of h lines the table gets: what the detail pane does
// not need, and more than half of them in any case.
func (v *View) tableHeight(h, pane int) int {
	if v.open {
		return min(2, h)
	}
	rows := max(h-1-pane, h*55/100)
	rows = min(rows, max(len(v.rows)+1, 3))
	if h-rows < 4 {
		rows = h
	}
	return max(rows, 0)
}

func (v *View) list(w, h int) []widget.Line {
	th := v.c.Theme
	if len(v.rows) == 0 {
		out := []widget.Line{widget.L(widget.S(theme.Dim, "  "+v.empty())).Fit(w, th.Glyphs.Ellipsis)}
		for len(out) < h {
			out = append(out, widget.Blank(w))
		}
		return out[:max(min(len(out), h), 0)]
	}
	return v.table.Render(th, w, h, len(v.rows), func(i int, _ []int) []widget.Line { return v.cells(v.rows[i]) })
}

// empty says why there are no rows.
func (v *View) empty() string {
	switch {
	case v.c.Services.ReadDeps == nil:
		return "what a project needs cannot be read here"
	case v.filter != "" && len(v.all) > 0:
		return "nothing matches the filter; esc clears it"
	case v.err != nil:
		return redact.Text(v.err.Error())
	case v.read && v.report == nil:
		return "this folder is in no Go project"
	case v.read:
		return "the project needs no modules"
	}
	return "reading" + v.c.Theme.Glyphs.Ellipsis
}

// band answers the question in one line, and below it says what stops.
func (v *View) band(w int) []widget.Line {
	r := v.report
	if r == nil {
		return []widget.Line{widget.L(widget.S(theme.Dim, " "+v.empty()))}
	}
	g := &v.c.Theme.Glyphs
	s := r.Readiness()
	file := r.Project.GoMod
	if r.Project.GoWork != "" {
		file = r.Project.GoWork
	}
	answer, role := g.Good+" YES", theme.Good
	switch s.State {
	case deps.StateNotReady:
		answer, role = g.Bad+" NO", theme.Bad
	case deps.StateAtRisk:
		answer, role = g.Warn+" YES", theme.Warn
	}
	left := widget.L(widget.S(theme.Text, " "+redact.Clean(view.Tilde(v.c.Env, file))), widget.S(theme.Dim, "  go "+redact.Clean(r.Project.Go)))
	if r.Mode != "readonly" {
		left = append(left, widget.S(theme.Dim, "  -mod="+r.Mode))
	}
	figures := []string{fmt.Sprintf("%d ready", s.Ready), fmt.Sprintf("%d at risk", s.AtRisk), fmt.Sprintf("%d missing", s.Missing)}
	if s.Unknown > 0 {
		figures = append(figures, fmt.Sprintf("%d not known", s.Unknown))
	}
	mid := widget.L(widget.S(theme.Text, "  OFFLINE BUILD: "), widget.S(role, answer),
		widget.S(theme.Dim, "  "+strings.Join(figures, " "+g.Dot+" ")+" "))
	if n := len(r.Modules); n > 0 {
		have := s.Ready + s.AtRisk
		if room := w - left.Width() - mid.Width() - 6; room >= 10 {
			mid = append(mid, widget.Bar(v.c.Theme, role, int64(have), int64(n), min(room, 26))...)
			mid = append(mid, widget.S(theme.Dim, fmt.Sprintf(" %d%%", 100*have/n)))
		}
	}
	if left.Width()+mid.Width() > w {
		left = nil
	}
	out := []widget.Line{append(left, mid...)}
	if t := r.Toolchain; !t.Cached && t.Want != "" {
		out = append(out, widget.L(widget.S(theme.Bad, "   toolchain "+redact.Clean(t.Want)+" is not on this machine")))
	}
	for _, x := range []struct {
		what string
		deps.Answer
	}{{"go build ./...", r.Build}, {"go test ./...", r.Test}, {"go tool", r.Tools}} {
		if x.Ready || len(x.Troubles) == 0 {
			continue
		}
		text := "   " + x.what + " stops: " + v.short(x.Troubles[0].Text)
		if n := len(x.Troubles) - 1; n > 0 {
			text += fmt.Sprintf(" (and %d more)", n)
		}
		out = append(out, widget.L(widget.S(theme.Bad, text)))
		if x.what == "go build ./..." && sameTroubles(x.Answer, r.Test) {
			break // what stops the build stops the tests
		}
	}
	return out
}

// short leaves out the project's folder, which stands in the first line.
func (v *View) short(text string) string {
	root := redact.Clean(v.report.Project.Root)
	if len(root) < 2 {
		return text
	}
	return strings.ReplaceAll(text, root+string(filepath.Separator), "")
}

func sameTroubles(a, b deps.Answer) bool {
	return len(b.Troubles) > 0 && a.Troubles[0].Text == b.Troubles[0].Text
}

// status is the right end of the tab line, once the table was drawn.
func (v *View) status() widget.Line {
	g := &v.c.Theme.Glyphs
	parts := []string{"order " + v.order.String()}
	if v.filter != "" {
		parts = append(parts, "filter "+v.filter)
	}
	parts = append(parts, widget.Count(len(v.rows), "module"))
	if unseen := v.table.Unseen(); unseen != "" && len(v.rows) > 0 {
		parts = append(parts, unseen)
	}
	return widget.L(widget.S(theme.Dim, strings.Join(parts, " "+g.Dot+" ")))
}

// cells draws one row.
func (v *View) cells(r *row) []widget.Line {
	g := &v.c.Theme.Glyphs
	one := func(role theme.Role, s string) widget.Line {
		if s == "" {
			return widget.L(widget.S(theme.Faint, g.Dash))
		}
		return widget.L(widget.S(role, s))
	}
	out := make([]widget.Line, colVerdict+1)
	name := theme.Text
	if r.m.Direct {
		name = theme.Strong
	}
	out[colModule], out[colVersion], out[colKind] = one(name, r.name), one(theme.Text, r.version), one(theme.Dim, kindShort(r.m))
	out[colCache] = one(theme.Text, cacheWord(r.m))
	sum, role := sumWord(r.m.Sum)
	out[colSum], out[colReach] = one(role, sum), v.reachable(r)
	vendored := ""
	if r.m.Verdict == deps.Vendored {
		vendored = "yes"
	}
	out[colVend] = one(theme.Text, vendored)
	switch r.m.Verdict {
	case deps.Missing:
		out[colVerdict] = one(theme.Bad, g.Bad+" "+verdictWord(r.m))
	case deps.AtRisk:
		out[colVerdict] = one(theme.Warn, g.Warn+" "+verdictWord(r.m))
	default:
		role, sign := theme.Good, g.Good
		switch {
		case r.m.Unknown:
			role, sign = theme.Text, g.Idle
		case r.m.Verdict == deps.Ready && !r.m.Needed:
			role = theme.Dim
		}
		out[colVerdict] = one(role, sign+" "+verdictWord(r.m))
	}
	return out
}

// cacheWord names what the module cache has of it.
func cacheWord(m *deps.Module) string {
	if m.Replacement.Path != "" && m.Replacement.Version == "" {
		return "local"
	}
	c := m.Cache
	switch {
	case c.Info && c.Mod && c.Zip && c.Dir:
		return "all"
	case c.Zip:
		return "zip"
	case c.Dir:
		return "tree"
	case c.Mod:
		return "mod"
	case c.Info:
		return "info"
	}
	return ""
}

func sumWord(s deps.Sum) (string, theme.Role) {
	switch s {
	case deps.SumOK:
		return "yes", theme.Text
	case deps.SumModOnly:
		return "mod", theme.Dim
	case deps.SumWrong:
		return "BAD", theme.Bad
	case deps.SumNone:
		return "no", theme.Warn
	}
	return "", theme.Dim
}

// reachable is who can give the row, as short as a column is.
func (v *View) reachable(r *row) widget.Line {
	g := &v.c.Theme.Glyphs
	m := r.m.Actual()
	a, known := v.answers[m]
	switch {
	case v.asking[m]:
		return widget.L(widget.S(theme.Dim, "asking"+g.Ellipsis))
	case !known:
		return widget.L(widget.S(theme.Faint, g.Dash))
	}
	var names []string
	for _, s := range a.Sources {
		if s.Class == probe.OK {
			names = append(names, view.HopName(s.Hop))
		}
	}
	switch {
	case len(names) > 0:
		return widget.L(widget.S(theme.Good, strings.Join(names, " ")))
	case a.Asked:
		return widget.L(widget.S(theme.Bad, "nowhere"))
	}
	return widget.L(widget.S(theme.Dim, "not asked"))
}
