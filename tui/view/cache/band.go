package cache

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"gpx/cachectl/modcache"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// band says how large both caches are, on one scale.
func (v *View) band(w int) []widget.Line {
	var mod, build int64
	if v.inv != nil {
		mod = v.inv.Bytes
	}
	if v.cache != nil {
		build = v.cache.Bytes
	}
	most := max(mod, build)
	bar := 0
	if w >= 96 {
		bar = min(w/5, 32)
	}
	line := func(name string, known bool, n int64, exact bool, role theme.Role, text widget.Line) widget.Line {
		th := v.c.Theme
		figure, figureRole := th.Glyphs.Dash, theme.Faint
		if known {
			figure, figureRole = approximately(n, exact), theme.Strong
		}
		l := widget.L(widget.S(theme.Dim, widget.Pad(name, 11, false)), widget.S(figureRole, widget.Pad(figure, 10, true)), widget.S(theme.Text, " "))
		if bar > 0 {
			l = append(append(l, widget.Bar(th, role, n, most, bar)...), widget.S(theme.Text, " "))
		}
		return append(append(l, widget.S(theme.Text, " ")), text...).Fit(w, th.Glyphs.Ellipsis)
	}
	return []widget.Line{
		line("GOMODCACHE", v.inv != nil, mod, v.inv != nil && v.inv.Exact, theme.Accent, v.modText()),
		line("GOCACHE", v.cache != nil, build, true, theme.Good, v.buildText()),
	}
}

// modText is the module cache in words.
func (v *View) modText() widget.Line {
	g := &v.c.Theme.Glyphs
	var out widget.Line
	say := func(role theme.Role, text string) {
		if len(out) > 0 {
			out = append(out, widget.S(theme.Faint, " "+g.Dot+" "))
		}
		out = append(out, widget.S(role, text))
	}
	switch at := v.mod.at; {
	case v.c.Services.Scan == nil:
		say(theme.Dim, "not available here")
	case v.mod.err != nil && v.inv == nil:
		say(theme.Bad, "could not be read; r tries again")
	case v.mod.err != nil:
		say(theme.Warn, "stopped: this is not all; r reads the rest")
	case v.mod.running && v.inv == nil:
		say(theme.Dim, "reading"+g.Ellipsis)
	case v.mod.running && !v.mod.done && at.Phase == modcache.Listing:
		say(theme.Warn, "so far")
	case v.mod.running && !v.mod.done && !v.inv.Exact:
		say(theme.Warn, "first sizes: "+string(at.Phase)+percent(at.Done, at.Total))
	}
	if v.inv == nil {
		return out
	}
	say(theme.Text, fmt.Sprintf("%s of %s", plural(len(v.inv.Versions), "version"), plural(v.paths, "module")))
	if v.broken > 0 {
		say(theme.Warn, fmt.Sprintf("%d partial or damaged", v.broken))
	}
	for _, p := range v.inv.Parts {
		if p.Bytes > 1<<20 {
			say(theme.Dim, p.Name+" "+size(p.Bytes))
		}
	}
	if n := len(v.inv.Problems); n > 0 {
		say(theme.Warn, plural(n, "folder")+" cannot be read")
	}
	return out
}

// problemsOf counts the versions that the scan found partial or damaged.
func problemsOf(inv *modcache.Inventory) int {
	n := 0
	for i := range inv.Versions {
		if s := inv.Versions[i].State; s == modcache.Partial || s == modcache.Damaged {
			n++
		}
	}
	return n
}

// buildText is the build cache in words.
func (v *View) buildText() widget.Line {
	g := &v.c.Theme.Glyphs
	switch {
	case v.c.Services.ScanBuild == nil:
		return widget.L(widget.S(theme.Dim, "not available here"))
	case v.build.err != nil && v.cache == nil:
		return widget.L(widget.S(theme.Bad, "could not be read; r tries again"))
	case v.cache == nil && v.build.done:
		return widget.L(widget.S(theme.Warn, v.place.Note))
	case v.cache == nil:
		return widget.L(widget.S(theme.Dim, "reading"+g.Ellipsis))
	}
	var out widget.Line
	if v.build.running && !v.build.done {
		out = widget.L(widget.S(theme.Warn, "so far"+percent(int64(v.build.at.Done), int64(v.build.at.Total))), widget.S(theme.Faint, " "+g.Dot+" "))
	}
	out = append(out, widget.S(theme.Text, v.trim()))
	if v.place.Note != "" {
		out = append(out, widget.S(theme.Faint, " "+g.Dot+" "), widget.S(theme.Warn, v.place.Note))
	}
	return out
}

// trim says what the go command's own trim takes, and when.
func (v *View) trim() string {
	unused := int64(0)
	for _, a := range v.cache.ByAge {
		if a.OlderThan == trimLimit {
			unused = a.Bytes
		}
	}
	text := "unused 5 d: " + size(unused)
	wait := v.cache.NextTrim.Sub(v.c.Now())
	switch {
	case v.cache.NextTrim.IsZero():
		return text
	case wait <= 0:
		return text + ", the next build trims " + size(v.cache.TrimTake)
	}
	return text + ", next trim in " + widget.Age(wait) + ": " + size(v.cache.TrimTake)
}

// percent is " 61%", "" while nobody knows.
func percent(done, total int64) string {
	if total <= 0 {
		return ""
	}
	return fmt.Sprintf(" %d%%", min(done, total)*100/total)
}

// plural is n of what, with commas: 2,314 versions.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(int64(n)) + " " + what + "s"
}
