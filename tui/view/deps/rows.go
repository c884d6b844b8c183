package deps

import (
	"cmp"
	"slices"
	"strings"

	"gpx/cachectl/deps"
	"gpx/envctl/redact"
)

// A row is one module. Its texts are clean, except for its identity.
type row struct {
	m       *deps.Module
	name    string
	version string
	search  string
}

// An order is a way to sort rows.
type order int

// The orders, in the sequence in which o steps through them.
const (
	byVerdict order = iota // what is missing first
	byName
	byKind // what go.mod requires itself first
	orders
)

func (o order) String() string { return [...]string{"verdict", "name", "kind"}[o] }

func (o order) column() int { return [...]int{colVerdict, colModule, colKind}[o] }

// gravity sorts by verdict.
func gravity(m *deps.Module) int {
	switch {
	case m.Verdict == deps.Missing:
		return 0
	case m.Verdict == deps.AtRisk:
		return 1
	case m.Unknown:
		return 2
	case m.Verdict == deps.Replaced || m.Verdict == deps.Vendored:
		return 3
	}
	return 4
}

// rowsOf makes the rows of a report, sorted.
func rowsOf(r *deps.Report, o order) []*row {
	if r == nil {
		return nil
	}
	rows := make([]*row, len(r.Modules))
	for i := range r.Modules {
		m := &r.Modules[i]
		rows[i] = &row{m: m, name: redact.Clean(m.Path), version: redact.Clean(m.Version.Version)}
		if to := m.Replacement; to.Path != "" {
			rows[i].name += " => " + redact.Clean(to.Path)
			rows[i].version = cmp.Or(redact.Clean(to.Version), "(replace)")
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		switch o {
		case byVerdict:
			return cmp.Or(cmp.Compare(gravity(a.m), gravity(b.m)), kinds(a, b))
		case byKind:
			return kinds(a, b)
		}
		return 0 // as they come, by name
	})
	return rows
}

func kinds(a, b *row) int {
	switch {
	case a.m.Direct == b.m.Direct:
		return 0
	case a.m.Direct:
		return -1
	}
	return 1
}

// filterRows returns the rows that have all words of query.
func filterRows(rows []*row, query string) []*row {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return rows
	}
	var out []*row
	for _, r := range rows {
		if r.search == "" {
			r.search = strings.ToLower(strings.Join([]string{r.name, r.version, kindWord(r.m), string(r.m.Verdict), verdictWord(r.m), r.m.Why}, " "))
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r.search, w) }) {
			out = append(out, r)
		}
	}
	return out
}

// rebuild makes the rows again.
func (v *View) rebuild() {
	v.all = rowsOf(v.report, v.order)
	v.table.Sorted, v.table.Arrow = v.order.column(), v.c.Theme.Glyphs.Up
	v.narrow()
}

// narrow takes over the filter, and keeps the selection on the row that the user
// has chosen; until then it is on the first one, which is in most trouble.
func (v *View) narrow() {
	v.rows = filterRows(v.all, v.filter)
	v.table.SetRows(len(v.rows))
	for i, r := range v.rows {
		if r.m.Version == v.sel {
			v.table.Select(i)
			return
		}
	}
	v.table.Select(0)
}

func kindWord(m *deps.Module) string {
	switch {
	case m.Private && m.Direct:
		return "direct, private"
	case m.Private:
		return "private"
	case m.Direct:
		return "direct"
	}
	return "indirect"
}

// kindShort is what a column has room for; what is direct is bold in it.
func kindShort(m *deps.Module) string {
	if m.Private {
		return "private"
	}
	return kindWord(m)
}

// verdictWord is the verdict in a column.
func verdictWord(m *deps.Module) string {
	switch m.Verdict {
	case deps.Missing:
		return "MISSING"
	case deps.AtRisk:
		return "AT RISK"
	case deps.Ready:
		switch {
		case m.Unknown:
			return "not known"
		case !m.Needed:
			return "not needed"
		}
	}
	return string(m.Verdict)
}
