package cache

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/probe/reach"
	"gpx/tui/view"
)

// scan reads both caches, and what the projects on this machine need.
func (v *View) scan() tea.Cmd {
	v.dirs = v.dirsNow()
	return tea.Batch(v.scanModules(), v.scanBuild(v.level == building || v.kinds), v.readNeeds())
}

func (v *View) scanModules() tea.Cmd {
	scan := v.c.Services.Scan
	if scan == nil {
		return nil
	}
	v.mod.running, v.mod.err = true, nil
	return view.Stream(v.c, "cache scan", "reading the module cache", func(ctx context.Context, send func(modcache.Progress)) (*modcache.Inventory, error) {
		return scan(ctx, func(p modcache.Progress) {
			view.Report(ctx, view.Step{Text: string(p.Phase), Done: p.Done, Total: p.Total})
			send(p)
		})
	}, v.scanning, func(inv *modcache.Inventory, err error) tea.Cmd {
		v.mod.running, v.mod.err = false, err
		if inv != nil {
			v.mod.done = err == nil
			v.take(inv)
		}
		if err != nil {
			return v.c.Fail(err)
		}
		return v.ask()
	})
}

// scanning shows what a scan knows by now. While a cache is read again, what was
// known of it stays until all is.
func (v *View) scanning(ps []modcache.Progress) {
	v.mod.at = ps[len(ps)-1]
	for i := len(ps) - 1; i >= 0 && !v.mod.done; i-- {
		if inv := ps[i].Inventory; inv != nil {
			v.take(inv)
			return
		}
	}
}

func (v *View) take(inv *modcache.Inventory) {
	v.inv, v.paths, v.broken = inv, inv.Modules(), problemsOf(inv)
	if v.mod.done {
		v.marks.prune(inv)
	}
	v.rebuild()
}

// scanBuild reads the build cache; with kinds it says what is in it.
func (v *View) scanBuild(kinds bool) tea.Cmd {
	scan := v.c.Services.ScanBuild
	if scan == nil {
		return nil
	}
	v.build.running, v.build.err = true, nil
	type result struct {
		at  buildcache.Location
		inv *buildcache.Inventory
	}
	return view.Stream(v.c, "build cache scan", "reading the build cache", func(ctx context.Context, send func(buildcache.Progress)) (result, error) {
		at, inv, err := scan(ctx, kinds, func(p buildcache.Progress) {
			view.Report(ctx, view.Step{Done: int64(p.Done), Total: int64(p.Total)})
			send(p)
		})
		return result{at, inv}, err
	}, func(ps []buildcache.Progress) {
		v.build.at = ps[len(ps)-1]
		if !v.build.done {
			v.cache = v.build.at.Inventory
			v.rebuild()
		}
	}, func(r result, err error) tea.Cmd {
		v.build.running, v.build.err = false, err
		if err != nil {
			return v.c.Fail(err)
		}
		v.build.done, v.kinds = true, kinds
		v.place, v.cache = r.at, r.inv
		v.rebuild()
		return nil
	})
}

func (v *View) readNeeds() tea.Cmd {
	if v.c.Services.Needs == nil {
		return nil
	}
	return view.Start(v.c, "cache needs", "", v.c.Services.Needs, func(h view.Household, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		v.home = h
		v.rebuild()
		return nil
	})
}

const (
	// askAtOnce is how many versions are asked for in one go: two requests each,
	// so that the answers for a screenful come within a second or two.
	askAtOnce = 24
	// askPerModule is how many versions of one module are asked for while its row
	// is in sight. Of the selected one all are, up to askSelected: a row that is
	// looked at is to be known.
	askPerModule = 4
	askSelected  = 48
	// fresh is how long an answer stands.
	fresh = 5 * time.Minute
)

// ask asks who else has what is in sight, a few versions at a time.
func (v *View) ask() tea.Cmd {
	if v.c.Services.Where == nil || v.c.ReadOnly != "" || v.inv == nil || v.level == building || len(v.asking) > 0 {
		return nil
	}
	ms := v.unasked()
	if len(ms) == 0 {
		return nil
	}
	health := v.health()
	for _, m := range ms {
		v.asking[m] = true
	}
	v.rebuild()
	return view.Stream(v.c, "cache where", "", func(ctx context.Context, send func(reach.Answer)) (struct{}, error) {
		return struct{}{}, v.c.Services.Where(ctx, ms, send)
	}, func(as []reach.Answer) {
		for _, a := range as {
			v.answers[a.Version] = &answer{a, v.c.Now(), health}
			delete(v.asking, a.Version)
		}
		v.rebuild()
	}, func(_ struct{}, err error) tea.Cmd {
		for _, m := range ms { // what got no answer is not asked again at once
			if v.asking[m] {
				v.answers[m] = &answer{reach.Answer{Version: m}, v.c.Now(), health}
				delete(v.asking, m)
			}
		}
		v.rebuild()
		if err != nil {
			return v.c.Fail(err)
		}
		return v.ask()
	})
}

// unasked are versions in sight of which nobody knows who else has them. The row
// under the cursor comes first.
func (v *View) unasked() []module.Version {
	l := v.list()
	from, to := l.table.Seen()
	order := []int{l.table.Cursor()}
	for i := from; i < to; i++ {
		if i != order[0] {
			order = append(order, i)
		}
	}
	health, now := v.health(), v.c.Now()
	var ms []module.Version
	for _, i := range order {
		if i >= len(v.rows) {
			continue
		}
		r, most := v.rows[i], askPerModule
		if i == order[0] {
			most = askSelected
		}
		n := 0
		for j := len(r.vs) - 1; j >= 0 && n < most; j-- { // the newest first
			m := r.vs[j].Version
			if !sources(&r.vs[j]) {
				continue
			}
			n++
			if a, ok := v.answers[m]; ok && a.health == health && now.Sub(a.at) < fresh {
				continue
			}
			if ms = append(ms, m); len(ms) == askAtOnce {
				return ms
			}
		}
	}
	return ms
}
