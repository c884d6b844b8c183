// Package history is the view of what happened: the incidents, how reliable the
// endpoints were, and the player of a recording.
//
//	  INCIDENT  START           LENGTH   WORST                   RTO    DONE
//	› #17       today 14:07:35  open     a.example: TLS timeout  –      –
//	  #16       Nov 19 03:12:10 41m05s   a.example: 5xx          6m20s  use b.example
//	├ #17  today 14:07:35 → open ─────────────────────────────────────────────────┤
//	  what it was, and what happened when
//
// While a recording is replayed the lanes of its endpoints and the state at the
// instant take the place of the lower pane.
package history

import (
	"context"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/history"
	"gpx/history/incident"
	"gpx/probe/monitor"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Name is what the actions of this view carry.
const Name = "history"

// A list is one of the two tables of the view.
type list int

const (
	incidents list = iota
	statistics
	lists
)

// View is the view. It is used from the update loop only.
type View struct {
	c      *view.Common
	list   list
	table  [lists]widget.Table
	order  [lists]int
	filter [lists]string

	all     []incident.Incident
	rows    []*row // of them those that pass the filter
	sel     int64
	known   map[int64]incident.Incident // those that were read with their events
	stale   map[int64]bool              // of them those that are read again
	asking  bool
	read    bool
	readAt  time.Time
	state   monitor.State // when the list was read
	err     error
	stats   []history.EndpointStats
	figures []*figure // of them those that pass the filter
	period  int
	statErr error

	open       bool // the detail has the whole body
	scroll     widget.Scroll
	paneHeight int
	top        int
	player     *view.Player // the one that was seen last
	lanes      lanes
	told       told
}

// again is how old the list may become while the screen shows what is live: the
// recorder writes a moment after the verdict.
const again = 10 * time.Second

// New makes the view.
func New(c *view.Common) *View {
	v := &View{c: c, known: map[int64]incident.Incident{}, stale: map[int64]bool{}, period: day}
	v.table[incidents].Columns = incidentColumns()
	v.table[statistics].Columns = statColumns()
	return v
}

// Name implements view.View.
func (v *View) Name() string { return Name }

// Title implements view.View.
func (v *View) Title() string { return "History" }

// Pending implements view.View: nothing here waits to be written.
func (v *View) Pending() int { return 0 }

// Discard implements view.View.
func (v *View) Discard() {}

// Filter implements view.View.
func (v *View) Filter() *string { return &v.filter[v.list] }

// Filtered implements view.View.
func (v *View) Filtered() { v.build() }

// NextOrder implements view.View.
func (v *View) NextOrder() string {
	names := orderNames[v.list]
	v.order[v.list] = (v.order[v.list] + 1) % len(names)
	v.build()
	return names[v.order[v.list]]
}

// Page implements view.View: of the detail, while that is open.
func (v *View) Page() int {
	if v.open {
		return max(v.paneHeight-1, 1)
	}
	return v.table[v.list].Page()
}

// Open implements view.View: enter replays; the detail has a key of its own.
func (v *View) Open() tea.Cmd {
	v.open, v.scroll = !v.open, widget.Scroll{}
	return nil
}

// Back implements view.View.
func (v *View) Back() bool {
	switch {
	case v.open:
		v.open = false
	case v.list == statistics:
		v.list = incidents
	default:
		return false
	}
	return true
}

// Move implements view.View.
func (v *View) Move(n int) {
	if v.open {
		v.scroll.By(n)
		return
	}
	v.table[v.list].Move(n)
	v.remember()
}

// Select implements view.View.
func (v *View) Select(y int) bool {
	t := &v.table[v.list]
	i, ok := t.At(y - v.top)
	if ok && !v.open {
		t.Select(i)
		v.remember()
	}
	return ok
}

// selected is the incident under the cursor, nil when there is none.
func (v *View) selected() *row {
	if i := v.table[incidents].Cursor(); i < len(v.rows) {
		return v.rows[i]
	}
	return nil
}

func (v *View) remember() {
	if r := v.selected(); r != nil && v.list == incidents {
		v.sel = r.ID
	}
}

// Update implements view.View.
func (v *View) Update(e view.Event) tea.Cmd {
	if v.c.Player != nil { // the list is that of now
		if v.c.Player != v.player {
			v.player = v.c.Player
			v.list, v.open, v.sel = incidents, false, v.player.Incident.ID
			v.build()
		}
		if e == view.Shown && !v.read {
			return v.listAll()
		}
		return nil
	}
	v.player = nil
	switch e {
	case view.Shown, view.Applied:
		if e == view.Shown || v.read {
			return v.look()
		}
	case view.SnapshotChanged:
		if v.read && (v.state != v.c.Snapshot.Verdict.State || v.c.Now().Sub(v.readAt) >= again) {
			return v.look()
		}
	case view.Moved:
		return v.ask()
	}
	return nil
}

// look reads what is shown.
func (v *View) look() tea.Cmd {
	if v.list == statistics {
		return tea.Batch(v.count(), v.listAll())
	}
	return v.listAll()
}

func (v *View) listAll() tea.Cmd {
	list := v.c.Services.Incidents
	if list == nil {
		return nil
	}
	v.readAt, v.state = v.c.Now(), v.c.Snapshot.Verdict.State
	return view.Start(v.c, "history", "", func(ctx context.Context) ([]incident.Incident, error) {
		all, err := list(ctx)
		for i := range all {
			all[i] = view.CleanIncident(all[i])
		}
		return all, err
	}, func(all []incident.Incident, err error) tea.Cmd {
		v.err = err
		if err != nil {
			return v.c.Fail(err)
		}
		if v.sel == 0 && len(all) > 0 { // it is followed when others come before it
			v.sel = all[0].ID
		}
		v.read, v.all = true, all
		for _, i := range all { // what goes on, or was noted, is read again
			if k, ok := v.known[i.ID]; ok && (k.Open() || k.Note != i.Note) {
				v.stale[i.ID] = true
			}
		}
		v.build()
		return v.ask()
	})
}

// ask reads the events of the rows in sight: what was done stands in the table.
func (v *View) ask() tea.Cmd {
	read := v.c.Services.Incident
	if read == nil || v.asking || v.list != incidents {
		return nil
	}
	from, to := v.table[incidents].Seen()
	rows := slices.Clone(v.rows[min(from, len(v.rows)):min(to, len(v.rows))])
	if r := v.selected(); r != nil && !slices.Contains(rows, r) {
		rows = append(rows, r)
	}
	var ids []int64
	for _, r := range rows {
		if _, ok := v.known[r.ID]; !ok || v.stale[r.ID] {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	v.asking = true
	return view.Start(v.c, "history events", "", func(ctx context.Context) ([]incident.Incident, error) {
		var out []incident.Incident
		for _, id := range ids {
			i, err := read(ctx, id)
			if err != nil {
				return out, err
			}
			out = append(out, view.CleanIncident(i))
		}
		return out, nil
	}, func(found []incident.Incident, err error) tea.Cmd {
		v.asking = false
		for _, i := range found {
			v.known[i.ID] = i
			delete(v.stale, i.ID)
		}
		v.build()
		return v.c.Fail(err)
	})
}

// count reads the statistics.
func (v *View) count() tea.Cmd {
	stats := v.c.Services.Stats
	if stats == nil {
		return nil
	}
	o := history.StatsOptions{SLO: history.DefaultSLO, Until: v.c.Now()}
	if span := periods[v.period].span; span > 0 {
		o.Since = o.Until.Add(-span)
	}
	return view.Start(v.c, "history stats", "counting", func(ctx context.Context) ([]history.EndpointStats, error) {
		return stats(ctx, o)
	}, func(s []history.EndpointStats, err error) tea.Cmd {
		v.statErr = err
		if err != nil {
			return v.c.Fail(err)
		}
		v.stats = s
		v.build()
		return nil
	})
}

var _ view.View = (*View)(nil)
