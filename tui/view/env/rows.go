package env

import (
	"sort"
	"strings"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/redact"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// A row is one variable as the table shows it. Texts are redacted.
type row struct {
	name    string
	value   string
	origin  env.Origin
	was     string // the value that the effective one replaces, or the pending one
	wasFrom string
	hidden  bool // the OS environment hides a value of the user file
	pending *change.Assignment
	v       env.Var
}

// first are the variables that decide about downloads, in the order in which
// people look for them; the others follow by name.
var first = []string{
	"GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH",
	"GOFLAGS", "GOTOOLCHAIN", "GOMODCACHE", "GOCACHE", "GOENV", "GOMOD", "GOWORK",
}

func rank(name string) int {
	for i, n := range first {
		if n == name {
			return i
		}
	}
	return len(first)
}

// fixed are variables that go env -w refuses (cmd/go/internal/envcmd,
// checkEnvWrite).
var fixed = map[string]string{
	"GOEXE": "", "GOGCCFLAGS": "", "GOHOSTARCH": "", "GOHOSTOS": "", "GOMOD": "", "GOWORK": "", "GOTOOLDIR": "",
	"GOVERSION": "", "GOTELEMETRY": "", "GOTELEMETRYDIR": "",
	"GOENV": "the OS environment", "GODEBUG": "the OS environment",
}

// cannotSet says why a variable cannot be written, "" when it can.
func cannotSet(name string) string {
	where, no := fixed[name]
	switch {
	case !no:
		return ""
	case where != "":
		return name + " can only be set in the OS environment"
	}
	return name + " is computed by the go command and cannot be set"
}

// buildRows makes the rows of e with the pending assignments.
func buildRows(e *env.Env, pending map[string]change.Assignment) []row {
	if e == nil {
		return nil
	}
	rows := make([]row, 0, len(e.Vars))
	for _, v := range e.Vars {
		r := row{name: redact.Text(v.Name), value: redact.Value(v.Name, v.Value), origin: v.Origin, v: v}
		for _, s := range v.Shadowed {
			if v.Origin == env.OS && s.Origin == env.User && s.Value != v.Value {
				r.hidden = true
			}
		}
		if len(v.Shadowed) > 0 {
			s := v.Shadowed[0]
			r.was, r.wasFrom = redact.Value(v.Name, s.Value), view.OriginWord(s.Origin)
		}
		if a, ok := pending[v.Name]; ok {
			a := a
			r.pending = &a
			r.was, r.wasFrom = r.value, view.OriginWord(v.Origin)
		}
		rows = append(rows, r)
	}
	return rows
}

// after is the value that a pending assignment would give, as far as it can be
// told without the toolchain.
func (r *row) after() string {
	switch {
	case r.pending == nil:
		return r.value
	case r.pending.Unset:
		for _, s := range r.v.Shadowed {
			if s.Origin == env.GOROOT || s.Origin == env.Default || s.Origin == env.Derived {
				return redact.Value(r.name, s.Value)
			}
		}
		return ""
	}
	return redact.Value(r.name, r.pending.Value)
}

// An order is a way to sort the rows.
type order int

// The orders, in the sequence in which o steps through them.
const (
	byUse order = iota
	byName
	byOrigin
	orders
)

func (o order) String() string { return [...]string{"use", "name", "origin"}[o] }

// column is the column that o sorts by, and the direction.
func (o order) column(g *theme.Glyphs) (int, string) {
	switch o {
	case byName:
		return 0, g.Up
	case byOrigin:
		return 3, g.Up
	}
	return 0, ""
}

// origins in the order of their precedence.
var precedence = map[env.Origin]int{env.OS: 0, env.User: 1, env.Derived: 2, env.GOROOT: 3, env.Default: 4}

func sortRows(rows []row, o order) {
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j]
		switch o {
		case byUse:
			if x, y := rank(a.name), rank(b.name); x != y {
				return x < y
			}
		case byOrigin:
			if x, y := precedence[a.origin], precedence[b.origin]; x != y {
				return x < y
			}
		}
		return a.name < b.name
	})
}

func filterRows(rows []row, query string) []row {
	words := strings.Fields(strings.ToLower(query))
	var out []row
next:
	for _, r := range rows {
		text := strings.ToLower(r.name + " " + r.after() + " " + originWord(&r))
		for _, w := range words {
			if !strings.Contains(text, w) {
				continue next
			}
		}
		out = append(out, r)
	}
	return out
}

// originWord says where the value comes from.
func originWord(r *row) string {
	switch {
	case r.pending != nil:
		return "pending"
	case r.origin == env.Derived && (r.name == "GONOPROXY" || r.name == "GONOSUMDB"):
		return "from GOPRIVATE"
	}
	return view.OriginWord(r.origin)
}

// columns of the table.
var columns = []widget.Column{
	{Title: "VARIABLE", Min: 14, Max: 18, Grow: 1},
	{Title: " ", Min: 1, Tight: true},
	{Title: "VALUE", Min: 21, Grow: 5, Tight: true, Middle: true},
	{Title: "ORIGIN", Min: 14},
	{Title: "INSTEAD OF", Min: 26, Grow: 4, Max: 60, Drop: 1, Middle: true},
}

// cells draws one row.
func cells(th *theme.Theme, r *row) []widget.Line {
	g := &th.Glyphs
	one := func(role theme.Role, s string) widget.Line { return widget.L(widget.S(role, s)) }
	name, value, origin, mark := theme.Text, theme.Text, theme.Dim, widget.S(theme.Text, " ")
	switch {
	case r.pending != nil:
		name, value, origin, mark = theme.Warn, theme.Warn, theme.Warn, widget.S(theme.Warn, g.Pending)
	case r.origin == env.OS && r.hidden:
		value, origin, mark = theme.Strong, theme.Warn, widget.S(theme.Warn, g.Shadow)
	case r.origin == env.OS || r.origin == env.User:
		name, value, origin = theme.Strong, theme.Strong, theme.Accent
	case r.value == "":
		name = theme.Dim
	}
	if r.name == "GOSUMDB" && r.after() == "off" {
		value = theme.Bad
	}
	text := r.after()
	switch {
	case r.pending != nil && r.pending.Unset && text == "":
		text = "(unset)"
	case text == "":
		text, value = g.Dash, theme.Faint
	}
	was := ""
	if r.wasFrom != "" {
		was = r.was
		if was == "" {
			was = "(empty)"
		}
		was = r.wasFrom + ": " + was
	}
	return []widget.Line{one(name, r.name), {mark}, one(value, text), one(origin, originWord(r)), one(theme.Dim, was)}
}

// effect says in words what a value does, for the variables that decide about
// downloads.
func effect(name, value string) string {
	switch name {
	case "GOPROXY":
		c, err := chain.Parse(value)
		if err != nil {
			return "The go command rejects this value: " + err.Error()
		}
		switch c.Hops[0].Kind {
		case chain.Off:
			return "Nothing is downloaded: only what is in the module cache builds."
		case chain.Direct:
			return "No proxy is asked: every module is fetched from version control."
		}
		return "Asked from left to right. \",\" moves on only after 404 and 410, \"|\" after any error; nothing moves on from a hop that hangs." + last(c)
	case "GONOPROXY":
		if value == "" {
			return "Every module goes through the chain."
		}
		if value == "none" {
			return "Nothing bypasses the chain, not even what GOPRIVATE names."
		}
		return "Modules that match go straight to version control, whatever GOPROXY says."
	case "GOPRIVATE":
		if value == "" {
			return "No module is private: all go through the chain and the checksum database."
		}
		return "Modules that match are private: not asked of proxies, not looked up in the checksum database. The default of GONOPROXY and GONOSUMDB."
	case "GOSUMDB":
		db, err := chain.ParseSumDB(value)
		switch {
		case err != nil:
			return "The go command rejects this value: " + err.Error()
		case db.Off:
			return "CHECKSUMS ARE OFF: what is not in go.sum yet is taken unverified."
		case db.URL != "":
			return "New modules are verified at " + redact.URL(db.URL) + ", dialled directly: no proxy route is used."
		}
		return "New modules are verified by " + db.Name + ", through the first hop that serves it, else dialled directly. What go.sum knows is not looked up."
	case "GONOSUMDB":
		if value == "" {
			return "Every new module is looked up in the checksum database."
		}
		return "Modules that match are never looked up: only go.sum guards them."
	case "GOINSECURE":
		return "Allows plain http and bad certificates for matching modules from version control only. It has no effect on proxies or the checksum database."
	case "GOFLAGS":
		if strings.Contains(value, "-mod=vendor") {
			return "Builds take every dependency from vendor/."
		}
		return "Flags that every go command gets."
	case "GOTOOLCHAIN":
		switch value {
		case "local":
			return "Never downloads another toolchain."
		case "", "auto":
			return "A go.mod that asks for a newer Go makes the go command download it through the chain."
		}
		return "Which toolchain the go command uses; a missing one is downloaded through the chain."
	case "GOMODCACHE":
		return "Downloaded modules. Builds with GOPROXY=off use what is here."
	case "GOCACHE":
		return "Built packages and test results, not modules."
	case "GOAUTH":
		return "How credentials for proxies and version control are found."
	case "GOVCS":
		return "Which version control systems may be used for which modules."
	case "GOENV":
		return "The file that go env -w writes."
	}
	return ""
}

func last(c chain.Chain) string {
	switch c.Hops[len(c.Hops)-1].Kind {
	case chain.Direct:
		return " What no proxy has is fetched from version control."
	case chain.Off:
		return " What no proxy has is not looked up."
	}
	return ""
}

// quote is a value for a POSIX shell.
func quote(s string) string {
	plain := s != ""
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@%+,=", r)) {
			plain = false
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// command is what does the same by hand.
func command(r *row) string {
	switch {
	case r.pending != nil && r.pending.Unset:
		return "go env -u " + r.name
	default:
		return "go env -w " + r.name + "=" + quote(r.after())
	}
}
