package proxies

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/probe/monitor"
	"gpx/probe/route"
	"gpx/tui/theme"
)

// A row is one line of the table: a hop of the chain, as it is or as the
// pending edits make it, or an endpoint beside it.
type row struct {
	n       int             // place in the chain, from 1; 0 beside the chain
	sep     chain.Separator // what follows the hop
	url     string          // redacted
	kind    probe.Kind
	key     string // identity for probes
	id      string // identity in the table: key, with a count when a chain has it twice
	health  monitor.Health
	class   probe.Class
	goWill  probe.Action
	edited  bool                    // a pending edit put it where it is
	status  *monitor.EndpointStatus // nil: not probed
	outside string                  // what it is beside the chain
	offline bool                    // the chain in force is meant to ask nobody
}

// buildRows makes the rows of a snapshot. pending, when not nil, is the edited
// chain: its hops stand in the place of the snapshot's.
func buildRows(s *monitor.Snapshot, pending *chain.Chain) []row {
	byKey := make(map[string]*monitor.EndpointStatus, len(s.Endpoints))
	byHop := map[int]*monitor.EndpointStatus{}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		byKey[e.Key()] = e
		for _, n := range e.Hops {
			byHop[n] = e
		}
	}
	var rows []row
	used := map[string]bool{}
	if pending == nil {
		for _, h := range s.Chain.Hops {
			r := row{n: h.N, sep: chain.Separator(h.Separator), url: h.URL, kind: h.Kind, key: h.URL,
				health: h.Health, class: h.Class, goWill: h.GoWill, status: byHop[h.N],
				offline: s.Verdict.State == monitor.StateOffline}
			if r.status == nil {
				r.status = byKey[r.key]
			}
			rows = append(rows, r)
		}
	} else {
		var classes []probe.Class
		for i, h := range pending.Hops {
			r := row{n: i + 1, sep: h.Separator, url: h.Redacted(), kind: probe.Kind(h.Kind), key: h.Redacted(),
				health: monitor.Unknown, class: probe.ClassUnknown, status: byKey[h.Redacted()]}
			if r.status != nil {
				r.health, r.class = r.status.Health, r.status.Class
			}
			r.edited = i >= len(s.Chain.Hops) || s.Chain.Hops[i].URL != r.url || s.Chain.Hops[i].Separator != string(h.Separator)
			rows = append(rows, r)
			classes = append(classes, r.class)
		}
		for i, a := range route.GoWill(*pending, classes) {
			rows[i].goWill = a
		}
	}
	for i := range rows {
		if rows[i].status != nil {
			used[rows[i].status.Key()] = true
		}
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if used[e.Key()] {
			continue
		}
		rows = append(rows, row{url: e.URL, kind: e.Kind, key: e.Key(), health: e.Health, class: e.Class,
			goWill: probe.ActionUnknown, status: e, outside: outside(e, pending != nil)})
	}
	seen := map[string]int{}
	for i := range rows {
		r := &rows[i]
		seen[r.key]++
		r.id = r.key
		if n := seen[r.key]; n > 1 {
			r.id += "#" + strconv.Itoa(n)
		}
	}
	return rows
}

// outside says what an endpoint beside the chain is there for.
func outside(e *monitor.EndpointStatus, edited bool) string {
	switch {
	case e.Kind == probe.KindSumDB:
		return "GOSUMDB"
	case e.Kind == probe.KindForward:
		return "HTTPS_PROXY"
	case edited && len(e.Hops) > 0:
		return "taken out"
	}
	return "not in GOPROXY"
}

// note is the last column: what the go command does here, or what the row is,
// and what is wrong. What is wrong comes last: it is what may be cut.
func (r *row) note() string {
	var parts []string
	wrong := ""
	if r.class != probe.OK && r.class != probe.ClassUnknown && r.class != "" && r.kind != probe.KindOff && !r.cacheOnly() {
		wrong = r.class.Words()
	}
	switch {
	case r.cacheOnly():
		parts = append(parts, "go builds from it")
	case r.kind == probe.KindSumDB && wrong != "":
	case r.outside != "":
		parts = append(parts, r.outside)
	case r.goWill == probe.Stop:
		parts = append(parts, "go stops")
	case r.goWill == probe.Hang:
		parts = append(parts, "go hangs")
	case r.goWill == probe.Next:
		parts = append(parts, "go moves on")
	case r.kind == probe.KindDirect:
		parts = append(parts, "version control")
	}
	if wrong != "" {
		parts = append(parts, wrong)
	}
	return strings.Join(parts, " · ")
}

// cacheOnly reports whether the go command has nothing but this tree, because
// it was told so: that it stops there is no fault.
func (r *row) cacheOnly() bool {
	return r.offline && r.kind == probe.KindFile && r.goWill == probe.Stop && (r.class == probe.NotFound || r.class == probe.MissingFile)
}

func (r *row) p50() time.Duration {
	if r.status == nil {
		return 0
	}
	return time.Duration(r.status.Window.P50)
}

// An order is a way to sort the rows.
type order int

// The orders, in the sequence in which o steps through them.
const (
	byChain order = iota
	byState
	byTime
	byLoss
	byName
	orders
)

func (o order) String() string {
	return [...]string{"chain", "state", "p50", "loss", "name"}[o]
}

// column is the column that o sorts by, and the direction.
func (o order) column(g *theme.Glyphs) (int, string) {
	switch o {
	case byState:
		return colState, g.Down
	case byTime:
		return colP50, g.Up
	case byLoss:
		return colLoss, g.Down
	case byName:
		return colProxy, g.Up
	}
	return colOrder, ""
}

// sortRows sorts rows; hops stay before what is beside the chain only in the
// order of the chain.
func sortRows(rows []row, o order) {
	loss := func(r *row) float64 {
		if r.status == nil {
			return -1
		}
		return r.status.Window.Lost
	}
	var less func(a, b *row) bool
	switch o {
	case byState:
		less = func(a, b *row) bool { return severity(a.health) < severity(b.health) }
	case byTime:
		less = func(a, b *row) bool {
			x, y := a.p50(), b.p50()
			return x > 0 && (y == 0 || x < y)
		}
	case byLoss:
		less = func(a, b *row) bool { return loss(a) > loss(b) }
	case byName:
		less = func(a, b *row) bool { return a.url < b.url }
	default:
		return
	}
	sort.SliceStable(rows, func(i, j int) bool { return less(&rows[i], &rows[j]) })
}

// filterRows keeps the rows that have every word of query somewhere.
func filterRows(rows []row, query string) []row {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return rows
	}
	return slices.DeleteFunc(rows, func(r row) bool {
		text := strings.ToLower(r.url + " " + string(r.health) + " " + string(r.kind) + " " + r.note())
		for _, w := range words {
			if !strings.Contains(text, w) {
				return true
			}
		}
		return false
	})
}
