package deps

import (
	"strings"

	"gpx/cachectl/deps"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// labelWidth is the column of labels in the detail pane.
const labelWidth = 11

func say(label string, role theme.Role, text string, w int) []widget.Line {
	return widget.Labeled(label, labelWidth, role, text, w)
}

// detail explains the selected row: the title of the pane, and its lines.
func (v *View) detail(w int) (title widget.Line, lines []widget.Line) {
	if v.proof != nil {
		return v.proofDetail(w)
	}
	r := v.selected()
	if r == nil {
		return widget.L(widget.S(theme.Dim, "nothing is selected")), v.fileTroubles(w)
	}
	m := r.m
	title = widget.L(widget.S(theme.Title, redact.Clean(m.Path)+"@"+redact.Clean(m.Version.Version)), widget.S(theme.Dim, "  "+kindWord(m)))
	lines = append(lines, v.fileTroubles(w)...)
	lines = append(lines, v.verdict(m, w)...)
	lines = append(lines, v.why(m, w)...)
	lines = append(lines, v.needs(m, w)...)
	lines = append(lines, v.whereElse(m, w)...)
	return title, append(lines, v.press(m, w)...)
}

// fileTroubles are what is no module's fault: broken files, a toolchain.
func (v *View) fileTroubles(w int) (out []widget.Line) {
	if v.report == nil {
		return nil
	}
	for _, t := range v.report.Build.Troubles {
		if t.Module.Path == "" {
			out = append(out, say("Project", theme.Bad, v.short(t.Text), w)...)
			if t.Fix != "" {
				out = append(out, say("", theme.Accent, t.Fix, w)...)
			}
		}
	}
	return out
}

// verdict says what it means.
func (v *View) verdict(m *deps.Module, w int) (out []widget.Line) {
	g := &v.c.Theme.Glyphs
	switch m.Verdict {
	case deps.Missing:
		for i, t := range m.Troubles {
			label := ""
			if i == 0 {
				label = "Missing"
			}
			out = append(out, say(label, theme.Bad, g.Bad+" "+t.Text, w)...)
		}
		return out
	case deps.AtRisk:
		return say("At risk", theme.Warn, g.Warn+" "+m.Why, w)
	case deps.Replaced, deps.Vendored:
		return say("Ready", theme.Good, g.Good+" "+m.Why, w)
	}
	switch {
	case m.Unknown:
		return say("Not known", theme.Text, g.Idle+" "+m.Why, w)
	case m.Why != "":
		return say("Ready", theme.Dim, g.Good+" "+m.Why, w)
	}
	return say("Ready", theme.Good, g.Good+" all that builds and tests need of it is here", w)
}

// why is who needs it.
func (v *View) why(m *deps.Module, w int) []widget.Line {
	if len(m.By) == 0 {
		if m.Direct {
			return say("Why", theme.Text, "required by go.mod", w)
		}
		return say("Why", theme.Dim, "required by go.mod for the sake of others (indirect)", w)
	}
	const most = 6
	chain := make([]string, 0, len(m.By))
	for i := len(m.By) - 1; i >= 0; i-- {
		chain = append(chain, redact.Clean(m.By[i]))
	}
	if len(chain) > most { // both ends tell most
		chain = append(append(chain[:3:3], v.c.Theme.Glyphs.Ellipsis), chain[len(chain)-2:]...)
	}
	return say("Why", theme.Text, strings.Join(chain, " "+v.c.Theme.Glyphs.Arrow+" "), w)
}

// needs are its parts.
func (v *View) needs(m *deps.Module, w int) []widget.Line {
	if m.Replacement.Path != "" && m.Replacement.Version == "" {
		return say("Replaced", theme.Text, "by the directory "+redact.Clean(view.Tilde(v.c.Env, m.Replacement.Path)), w)
	}
	g := &v.c.Theme.Glyphs
	var parts []string
	for _, p := range []struct {
		name string
		has  bool
	}{{".info", m.Cache.Info}, {".mod", m.Cache.Mod}, {".zip", m.Cache.Zip}, {"tree", m.Cache.Dir}} {
		sign := g.Bad
		if p.has {
			sign = g.Good
		}
		parts = append(parts, p.name+" "+sign)
	}
	text := strings.Join(parts, "   ")
	switch m.Sum {
	case deps.SumOK:
		text += "   go.sum " + g.Good
	case deps.SumModOnly:
		text += "   go.sum: for go.mod alone"
	case deps.SumNone:
		text += "   go.sum " + g.Bad + " no line"
	case deps.SumWrong:
		text += "   go.sum " + g.Bad + " another hash"
	}
	out := say("Needs", theme.Text, text, w)
	if m.Replacement.Path != "" {
		out = append(out, say("Replaced", theme.Text, "by "+redact.Clean(m.Replacement.String()), w)...)
	}
	if n := len(m.Older); n > 0 {
		const most = 6
		older := m.Older[max(n-most, 0):]
		names := make([]string, len(older))
		for i, o := range older {
			names[i] = redact.Clean(o)
		}
		out = append(out, say("In cache", theme.Dim, "other versions: "+strings.Join(names, ", "), w)...)
	}
	return out
}

// whereElse says who can give it, or why nobody was asked.
func (v *View) whereElse(m *deps.Module, w int) (out []widget.Line) {
	a, known := v.answers[m.Actual()]
	if !known || m.Verdict != deps.Missing && m.Verdict != deps.AtRisk {
		return nil
	}
	for _, s := range a.Sources {
		role, sign := theme.Dim, v.c.Theme.Glyphs.Bad
		if s.Class == probe.OK {
			role, sign = theme.Good, v.c.Theme.Glyphs.Good
		}
		label := ""
		if len(out) == 0 {
			label = "Reachable"
		}
		out = append(out, say(label, role, sign+" "+redact.Clean(s.Hop)+"  "+saysOf(s.Class), w)...)
	}
	if a.Why != "" {
		out = append(out, say("Not asked", theme.Dim, redact.Text(a.Why), w)...)
	}
	return out
}

func saysOf(c probe.Class) string {
	if c == probe.OK {
		return "has it"
	}
	return redact.Clean(c.Words())
}

// press says which keys help.
func (v *View) press(m *deps.Module, w int) (out []widget.Line) {
	key := func(id, what string) {
		if k := v.c.Press(id); k != "" {
			label := ""
			if len(out) == 0 {
				label = "Press"
			}
			out = append(out, say(label, theme.Accent, k+"  "+what, w)...)
		}
	}
	if m.Verdict == deps.Missing || m.Verdict == deps.AtRisk {
		key("deps.fetch", "fetches all that is missing from whatever answers")
		key("deps.salvage", "looks for it on this machine")
		if m.Fix != "" {
			out = append(out, say("", theme.Dim, "by hand: "+m.Fix, w)...)
		}
	}
	return out
}

// proofDetail shows what the go command said.
func (v *View) proofDetail(w int) (title widget.Line, lines []widget.Line) {
	g := &v.c.Theme.Glyphs
	how := "by settings alone: this system gives no network namespace"
	if v.proof.Sealed {
		how = "in a network namespace with nothing in it"
	}
	title = widget.L(widget.S(theme.Title, "proof"), widget.S(theme.Dim, "  without a network, "+how+"; esc closes"))
	for _, r := range v.proof.Runs {
		role, sign := theme.Good, g.Good+" works"
		if !r.OK {
			role, sign = theme.Bad, g.Bad+" fails"
		}
		lines = append(lines, say("go "+r.Command[1], role, sign, w)...)
		if !r.OK {
			for _, l := range r.Output {
				lines = append(lines, widget.L(widget.S(theme.Text, "  "+redact.Text(l))))
			}
		}
	}
	return title, lines
}
