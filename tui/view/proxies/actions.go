package proxies

import (
	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/chain"
	"gpx/probe"
	"gpx/tui/actions"
	"gpx/tui/view"
)

// Actions implements view.View.
func (v *View) Actions() []actions.Action {
	noEdits := func() string {
		if v.pending == nil {
			return "no edits yet"
		}
		return view.Lacking(v.c.Services.PlanUse != nil)
	}
	probeable := func(service bool) func() string {
		return func() string {
			r := v.selected()
			switch {
			case !service:
				return "not available here"
			case v.c.ReadOnly != "":
				return v.c.ReadOnly
			case r == nil || r.kind == probe.KindOff:
				return "there is nothing to probe on this row"
			}
			return ""
		}
	}
	s := &v.c.Services
	return []actions.Action{
		{ID: "proxies.switch", View: Name, Key: actions.On("switch", "s"), Footer: 3, Changes: true,
			Help:     "switch to the recommended chain: shows the plan first",
			Disabled: func() string { return view.Lacking(s.Recommend != nil && s.PlanUse != nil) }, Do: v.switchTo},
		{ID: "proxies.relay", View: Name, Key: actions.On("relay", "S"), Footer: 10, Changes: true,
			Help:     "start a relay in this gpx and lead GOPROXY through it, or stop it: shows the plan first",
			Disabled: func() string { return view.Lacking(s.StartRelay != nil) }, Do: v.relay},
		{ID: "proxies.automatic", View: Name, Key: actions.On("automatic", "A"), Footer: 11, Changes: true,
			Help:     "let gpx switch by itself in an outage, and back, or no longer: asks first",
			Disabled: func() string { return view.Lacking(s.SetAutomatic != nil) }, Do: v.automatic},
		{ID: "proxies.top", View: Name, Key: actions.On("top", "t"), Footer: 7, Changes: true,
			Help: "edit: put this hop first", Disabled: v.cannotEditHop, Do: v.top},
		{ID: "proxies.up", View: Name, Key: actions.OnPair("move", "J", "K", "shift+up"), Footer: 8, Changes: true,
			Help: "edit: move this hop up", Disabled: v.cannotEditHop, Do: v.shift(-1)},
		{ID: "proxies.down", View: Name, Key: actions.On("move down", "J", "shift+down"), Changes: true,
			Help: "edit: move this hop down", Disabled: v.cannotEditHop, Do: v.shift(1)},
		{ID: "proxies.comma", View: Name, Key: actions.OnPair("separator", "|", ","), Footer: 9, Changes: true,
			Help: "edit: move on from this hop after 404 and 410 only", Disabled: v.cannotEditHop, Do: v.separator(chain.Comma)},
		{ID: "proxies.pipe", View: Name, Key: actions.On("pipe", "|"), Changes: true,
			Help: "edit: move on from this hop after any error", Disabled: v.cannotEditHop, Do: v.separator(chain.Pipe)},
		{ID: "proxies.add", View: Name, Key: actions.On("add", "a"), Footer: 6, Changes: true,
			Help: "edit: add a hop from the catalog or by its URL", Disabled: v.cannotEdit, Do: v.add},
		{ID: "proxies.remove", View: Name, Key: actions.On("remove", "x", "delete"), Footer: 9, Changes: true,
			Help: "edit: take this hop out; stop watching an endpoint", Disabled: v.cannotRemove, Do: v.remove},
		{ID: "proxies.write", View: Name, Key: actions.On("write", "w"), Footer: 1, Changes: true,
			Help: "write the pending edits: shows the plan first", Disabled: noEdits, Do: v.write},
		{ID: "proxies.diff", View: Name, Key: actions.On("diff", "d"), Footer: 2,
			Help: "show the pending edits", Disabled: noEdits, Do: v.diff},
		{ID: "proxies.discard", View: Name, Key: actions.On("discard", "Z"), Footer: 2,
			Help: "discard the pending edits", Disabled: noEdits, Do: func() tea.Cmd { v.Discard(); return nil }},
		{ID: "proxies.probe", View: Name, Key: actions.On("probe", "p"), Footer: 5,
			Help: "probe this endpoint now", Disabled: probeable(s.ProbeNow != nil), Do: v.probeNow},
		{ID: "proxies.deep", View: Name, Key: actions.On("deep probe", "D"), Footer: 5,
			Help: "ask this endpoint for every kind of file and check the hashes", Disabled: probeable(s.Deep != nil), Do: v.deepProbe},
	}
}

// NextOrder steps through the ways to sort.
func (v *View) NextOrder() string {
	v.order = (v.order + 1) % orders
	v.build()
	return v.order.String()
}

var _ view.View = (*View)(nil)
