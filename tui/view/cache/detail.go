package cache

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"gpx/cachectl/modcache"
	"gpx/envctl/redact"
	"gpx/probe"
	"gpx/tui/theme"
	"gpx/tui/widget"
)

// labelWidth is the column of labels in the detail pane.
const labelWidth = 11

func say(label string, role theme.Role, text string, w int) []widget.Line {
	return widget.Labeled(label, labelWidth, role, text, w)
}

// detail explains the selected row: the title of the pane, and its lines.
func (v *View) detail(w int) (title widget.Line, lines []widget.Line) {
	if v.level == building {
		return v.buildDetail(w)
	}
	r := v.selected()
	if r == nil {
		return widget.L(widget.S(theme.Dim, "nothing is selected")), nil
	}
	if r.version == "" {
		title = widget.L(widget.S(theme.Title, r.name), widget.S(theme.Dim, "  "+plural(len(r.vs), "version")))
	} else {
		title = widget.L(widget.S(theme.Title, redact.Clean(r.path)+"@"+r.name), widget.S(theme.Dim, "  "+stateWords(r.vs[0].State)))
	}
	lines = append(lines, v.damages(r, w)...)
	if r.version == "" {
		lines = append(lines, v.holds(r, w)...)
	} else {
		lines = append(lines, v.partsOf(&r.vs[0], w)...)
	}
	lines = append(lines, v.who(r, w)...)
	lines = append(lines, v.whereElse(r, w)...)
	return title, append(lines, v.wouldPrune(r, w)...)
}

// damages are what verify found, each with the one command that mends it.
func (v *View) damages(r *row, w int) []widget.Line {
	const most = 6 // more say nothing new
	var out []widget.Line
	for i := range r.bad[:min(len(r.bad), most)] {
		b := &r.bad[i]
		text := b.What.Words()
		if r.version == "" {
			text = b.Version + ": " + text
		}
		if b.Detail != "" {
			text += ": " + b.Detail
		}
		out = append(out, say("Damage", theme.Bad, text, w)...)
		if b.Want != "" || b.Got != "" {
			out = append(out, say("", theme.Dim, "want "+cmp.Or(b.Want, v.c.Theme.Glyphs.Dash)+", got "+cmp.Or(b.Got, v.c.Theme.Glyphs.Dash), w)...)
		}
		if b.Mend != "" {
			out = append(out, say("Mend", theme.Accent, b.Mend, w)...)
		}
		if b.Effect != "" {
			out = append(out, say("", theme.Dim, b.Effect, w)...)
		}
	}
	if more := len(r.bad) - most; more > 0 {
		out = append(out, say("", theme.Bad, fmt.Sprintf("and %d more", more), w)...)
	}
	if len(r.bad) == 0 && r.checked {
		out = append(out, say("Verified", theme.Good, v.c.Theme.Glyphs.Good+" whole: what is there is what its hashes say", w)...)
	}
	return out
}

// holds sums up a module: its largest versions.
func (v *View) holds(r *row, w int) []widget.Line {
	const most = 4
	var vs []*modcache.Version
	for i := range r.vs {
		if sources(&r.vs[i]) {
			vs = append(vs, &r.vs[i])
		}
	}
	slices.SortStableFunc(vs, func(a, b *modcache.Version) int { return cmp.Compare(b.Bytes(), a.Bytes()) })
	var names []string
	for _, m := range vs[:min(len(vs), most)] {
		names = append(names, redact.Clean(m.Version.Version)+" "+approximately(m.Bytes(), m.Exact))
	}
	text := strings.Join(names, ", ")
	if more := len(vs) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if mods := len(r.vs) - r.sources; mods > 0 {
		only := plural(mods, "version") + " of which only the go.mod is here, for module graphs"
		if text == "" {
			text = only
		} else {
			text += "; " + only
		}
	}
	out := say("Holds", theme.Text, text, w)
	if !r.fetched.IsZero() {
		out = append(out, say("Fetched", theme.Text, "the newest "+widget.Ago(v.c.Now(), r.fetched), w)...)
	}
	for i := range r.vs {
		if s := r.vs[i].State; s == modcache.Partial || s == modcache.Damaged {
			out = append(out, say("State", theme.Warn, redact.Clean(r.vs[i].Version.Version)+" is "+stateWords(s)+": "+stateMeans(s), w)...)
			break
		}
	}
	return out
}

// stateMeans is a state in words.
func stateMeans(s modcache.State) string {
	switch s {
	case modcache.Whole:
		return "zip, hash and extracted tree are there; builds and exports work."
	case modcache.Unextracted:
		return "zip and hash are there; the go command extracts the tree when it needs it."
	case modcache.TreeOnly:
		return "the tree is there without its zip: builds work, verifying and exporting do not."
	case modcache.ModOnly:
		return "only its go.mod is there, which module graphs read. A build of it has to download it."
	case modcache.Partial:
		return "a download or an extraction was cut short; the go command begins anew. P can take what is left of it."
	case modcache.Damaged:
		return "a part of it cannot be read, or is no such file; v says which."
	}
	return redact.Clean(string(s))
}

// partsOf says which parts of a version are there.
func (v *View) partsOf(m *modcache.Version, w int) []widget.Line {
	role := theme.Text
	if m.State == modcache.Partial || m.State == modcache.Damaged {
		role = theme.Warn
	}
	out := say("State", role, stateMeans(m.State), w)
	var parts, missing []string
	for _, p := range []struct {
		name  string
		there bool
		bytes int64
	}{{"zip", m.Zip, m.ZipBytes}, {"tree", m.Dir, m.DirBytes}, {".ziphash", m.ZipHash, 0}, {".info", m.Info, 0}, {".mod", m.Mod, 0}} {
		switch {
		case !p.there:
			missing = append(missing, p.name)
		case p.bytes > 0:
			parts = append(parts, p.name+" "+approximately(p.bytes, p.name == "zip" || m.Exact))
		default:
			parts = append(parts, p.name)
		}
	}
	text := strings.Join(parts, ", ")
	if m.Dir && m.Exact {
		text += "; " + plural(int(m.Files), "file")
	}
	if len(missing) > 0 {
		text += "; no " + strings.Join(missing, ", no ")
	}
	if m.LeftBytes > 0 {
		text += "; " + size(m.LeftBytes) + " left of interrupted work"
	}
	out = append(out, say("Parts", theme.Text, text, w)...)
	if !m.FetchedAt.IsZero() {
		out = append(out, say("Fetched", theme.Text, m.FetchedAt.In(v.c.Now().Location()).Format("2006-01-02 15:04")+", "+widget.Ago(v.c.Now(), m.FetchedAt), w)...)
	}
	return out
}

// who says who needs the row.
func (v *View) who(r *row, w int) []widget.Line {
	switch {
	case r.running:
		return say("Needed by", theme.Warn, strings.Join(r.by, ", ")+": it is being built with right now", w)
	case len(r.by) > 0:
		return say("Needed by", theme.Text, strings.Join(r.by, ", ")+": it stays when the cache is pruned", w)
	case v.home.Needs == nil:
		return say("Needed by", theme.Dim, "not known yet", w)
	}
	text := "no known project: those that gpx was started in, and running go commands"
	if n := len(v.home.Problems); n > 0 {
		text += ". " + plural(n, "project") + " could not be read: " + redact.Text(v.home.Problems[0])
	}
	return say("Needed by", theme.Dim, text, w)
}

// whereElse says hop by hop who can give the row back.
func (v *View) whereElse(r *row, w int) []widget.Line {
	wh := &r.where
	switch {
	case wh.total == 0:
		return nil
	case v.c.Services.Where == nil || v.c.ReadOnly != "":
		return say("Elsewhere", theme.Dim, "not asked here", w)
	case wh.asking:
		return say("Elsewhere", theme.Dim, "asking the hops of the chain"+v.c.Theme.Glyphs.Ellipsis, w)
	}
	if a := wh.last; a != nil {
		var said []string
		for _, s := range a.Sources {
			said = append(said, sourceWords(redact.Text(s.Hop), s.Class))
		}
		role, text := theme.Text, strings.Join(said, "; ")
		switch {
		case !a.Asked && !a.Reachable():
			role, text = theme.Dim, "nobody could be asked: "+redact.Text(a.Why)
		case !a.Reachable():
			role, text = theme.Bad, "NOBODY who answers now: "+text
		}
		return say("Elsewhere", role, text, w)
	}
	switch {
	case wh.none > 0:
		return say("Elsewhere", theme.Bad, fmt.Sprintf("nobody who answers now has %d of %s", wh.none, plural(wh.asked, "version")+" asked for; enter lists them"), w)
	case wh.asked == 0:
		return say("Elsewhere", theme.Dim, "not asked yet", w)
	case wh.asked < wh.total:
		return say("Elsewhere", theme.Text, fmt.Sprintf("%s: %d of %s asked for; enter asks for the rest", strings.Join(wh.hops, ", "), wh.asked, plural(wh.total, "version")), w)
	}
	return say("Elsewhere", theme.Text, strings.Join(wh.hops, ", ")+": all "+plural(wh.total, "version"), w)
}

// sourceWords is one hop's answer.
func sourceWords(hop string, c probe.Class) string {
	switch c {
	case probe.OK:
		return hop + " has it"
	case probe.NotFound:
		return hop + " has it not"
	case probe.ClassUnknown:
		return hop + " was not asked"
	}
	return hop + ": " + strings.ReplaceAll(redact.Clean(string(c)), "_", " ")
}

// wouldPrune says what P would do with the row.
func (v *View) wouldPrune(r *row, w int) []widget.Line {
	text, role := "", theme.Text
	switch {
	case r.running:
		text, role = "keeps it: a running go command needs it.", theme.Text
	case r.risk == damaged:
		text = "takes what is damaged, so that the next build downloads it anew, as long as a hop has it."
	case r.risk == only && r.version != "":
		text, role = "warns: it is the ONLY COPY. With its module it is kept; named alone it goes.", theme.Bad
	case r.risk == only:
		text, role = "keeps the ONLY COPIES. What nobody needs of the others goes.", theme.Bad
	case r.risk == keep && r.version != "":
		text, role = "keeps it with its module. Named alone it goes as long as a hop has it, and the next build downloads it.", theme.Text
	case r.risk == keep:
		text, role = "keeps what is needed of it.", theme.Text
	case r.sources == 0:
		text, role = "takes nothing: .info and .mod stay, unless they are chosen too.", theme.Dim
	case r.risk == unknown:
		text, role = "asks the chain first, and keeps what nobody can give back.", theme.Dim
	default:
		text = "takes " + approximately(r.bytes, r.exact) + "; .info and .mod stay. To the trash for 24 h, where u brings it back, or for good."
	}
	return say("Prune", role, text, w)
}

// buildDetail explains a line about the build cache.
func (v *View) buildDetail(w int) (title widget.Line, lines []widget.Line) {
	title = widget.L(widget.S(theme.Title, "build cache"))
	if v.cache == nil {
		return title, nil
	}
	title = append(title, widget.S(theme.Dim, "  "+redact.Clean(v.cache.Dir)))
	i := v.lists[building].table.Cursor()
	if i < len(v.parts) {
		p := &v.parts[i]
		what := "What no build has used for " + period(p.olderThan) + ". The go command notes a use to within an hour."
		if p.kind != "" {
			what = strings.ToUpper(p.title[:1]) + p.title[1:] + ": " + p.note + "."
		}
		lines = append(lines, say("This", theme.Text, what, w)...)
	}
	lines = append(lines, say("Holds", theme.Text, size(v.cache.Bytes)+" in "+humanize.Comma(v.cache.Entries)+" entries and "+plural(int(v.cache.Files), "file"), w)...)
	lines = append(lines, say("Trim", theme.Text, v.trim()+". It takes what was not used for 5 d, at most once a day.", w)...)
	lines = append(lines, say("Prune", theme.Dim, "P takes what is older than a time, the oldest down to a size, test results, or all; never what was used within the last hour, nor fuzz corpora. The next build makes it again.", w)...)
	if v.place.Note != "" {
		lines = append(lines, say("Note", theme.Warn, v.place.Note, w)...)
	}
	for _, p := range v.cache.Problems {
		lines = append(lines, say("Note", theme.Warn, redact.Text(p), w)...)
	}
	return title, lines
}

// bytesOf is what versions occupy together.
func bytesOf(vs []modcache.Version) (n int64) {
	for i := range vs {
		n += vs[i].Bytes()
	}
	return n
}
