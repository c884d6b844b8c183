package proxies

import (
	"context"
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/probe"
	"gpx/probe/failover"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// current is the chain that the next edit starts from.
func (v *View) current() (chain.Chain, bool) {
	switch {
	case v.pending != nil:
		return *v.pending, true
	case v.base != nil:
		return *v.base, true
	}
	return chain.Chain{}, false
}

// edit makes c the pending chain and selects hop i of it.
func (v *View) edit(c chain.Chain, i int) {
	if v.pending == nil && v.base != nil {
		v.from = v.base.String()
	}
	v.edits++
	v.pending = &c
	if v.base != nil && c.String() == v.base.String() { // edited back
		v.pending, v.edits = nil, 0
	}
	v.filter, v.order = "", byChain // an edit is seen in the chain
	v.moved = true
	v.build()
	for k := range v.rows {
		if v.rows[k].n == i+1 {
			v.table.Select(k)
			v.remember()
		}
	}
}

// cannotEdit says why the chain cannot be edited now.
func (v *View) cannotEdit() string {
	if why := view.Lacking(v.c.Services.PlanUse != nil); why != "" {
		return why
	}
	switch {
	case v.baseErr != nil && v.pending == nil:
		return "the chain cannot be used as it is: s replaces it, or edit GOPROXY in Env"
	case v.base == nil && v.pending == nil:
		return "the environment is still being read"
	}
	return ""
}

// cannotEditHop adds the reasons that come from the selected row.
func (v *View) cannotEditHop() string {
	if why := v.cannotEdit(); why != "" {
		return why
	}
	if r := v.selected(); r == nil || r.n == 0 {
		return "this row is not a hop of the chain: a adds it"
	}
	return ""
}

// onHop runs an edit on the selected hop.
func (v *View) onHop(f func(c chain.Chain, i int) (chain.Chain, int, error)) tea.Cmd {
	c, ok := v.current()
	r := v.selected()
	if !ok || r == nil || r.n == 0 || r.n > len(c.Hops) {
		return nil
	}
	next, i, err := f(c, r.n-1)
	if err != nil {
		return v.c.Fail(err)
	}
	v.edit(next, i)
	return nil
}

func (v *View) top() tea.Cmd {
	return v.onHop(func(c chain.Chain, i int) (chain.Chain, int, error) {
		if i == 0 {
			return c, i, errors.New("hop 1 stands first already")
		}
		return c.Top(i), 0, nil
	})
}

func (v *View) shift(by int) func() tea.Cmd {
	return func() tea.Cmd {
		return v.onHop(func(c chain.Chain, i int) (chain.Chain, int, error) {
			to := i + by
			if to < 0 || to >= len(c.Hops) {
				return c, i, fmt.Errorf("hop %d is already at the end of the chain", i+1)
			}
			if k := c.Hops[i].Kind; by < 0 && (k == chain.Direct || k == chain.Off) || by > 0 && (c.Hops[to].Kind == chain.Direct || c.Hops[to].Kind == chain.Off) {
				return c, i, fmt.Errorf("what stands behind %s is never asked", c.Hops[max(i, to)].URL)
			}
			return c.Move(i, by), to, nil
		})
	}
}

func (v *View) separator(s chain.Separator) func() tea.Cmd {
	return func() tea.Cmd {
		return v.onHop(func(c chain.Chain, i int) (chain.Chain, int, error) {
			if i == len(c.Hops)-1 {
				return c, i, fmt.Errorf("nothing follows hop %d: it has no separator", i+1)
			}
			if c.Hops[i].Separator == s {
				return c, i, fmt.Errorf("behind hop %d stands %q already", i+1, string(s))
			}
			return c.WithSeparator(i, s), i, nil
		})
	}
}

// remove takes the selected hop out, or stops watching an endpoint beside the
// chain.
func (v *View) remove() tea.Cmd {
	r := v.selected()
	if r != nil && r.n == 0 {
		key := r.key
		return view.Start(v.c, "watch", "", func(ctx context.Context) (struct{}, error) {
			return struct{}{}, v.c.Services.RemoveEndpoint(ctx, key)
		}, func(_ struct{}, err error) tea.Cmd {
			if err != nil {
				return v.c.Fail(err)
			}
			return v.c.Say(theme.Text, "no longer watched: %s", key)
		})
	}
	return v.onHop(func(c chain.Chain, i int) (chain.Chain, int, error) {
		next, err := c.Remove(i)
		return next, min(i, len(c.Hops)-2), err
	})
}

func (v *View) cannotRemove() string {
	r := v.selected()
	if r == nil || r.n > 0 {
		return v.cannotEditHop()
	}
	if r.kind == probe.KindSumDB || r.kind == probe.KindForward {
		return "this belongs to the environment: change it in Env"
	}
	return view.Lacking(v.c.Services.RemoveEndpoint != nil)
}

// write plans the pending chain.
func (v *View) write() tea.Cmd {
	c := *v.pending
	return view.Start(v.c, "plan", "making the plan", func(ctx context.Context) (*change.Plan, error) {
		return v.c.Services.PlanUse(ctx, c)
	}, func(p *change.Plan, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		return v.c.Propose(view.Proposal{Plan: p, Applied: func(change.Change) tea.Cmd { v.Discard(); return nil }})
	})
}

// diff shows the pending edit.
func (v *View) diff() tea.Cmd {
	was, now := "", v.pending.Redacted()
	if v.base != nil {
		was = v.base.Redacted()
	}
	v.c.Dialogs.Push(dialog.NewPager("Pending: GOPROXY", false, func(th *theme.Theme, w int) []widget.Line {
		var out []widget.Line
		for _, s := range widget.Wrap(was, w-2) {
			out = append(out, widget.L(widget.S(theme.Bad, "- "+s)))
		}
		for _, s := range widget.Wrap(now, w-2) {
			out = append(out, widget.L(widget.S(theme.Good, "+ "+s)))
		}
		out = append(out, nil, append(widget.L(widget.S(theme.Dim, "now    ")), walk(th, v.now)...))
		if v.pending != nil {
			out = append(out, append(widget.L(widget.S(theme.Dim, "would  ")), walk(th, v.would)...))
		}
		return out
	}))
	return nil
}

// planned is a recommendation with the plan that follows it.
type planned struct {
	rec  failover.Recommendation
	plan *change.Plan
}

// switchTo plans the recommended chain.
func (v *View) switchTo() tea.Cmd {
	snap := v.c.Snapshot
	return view.Start(v.c, "plan", "looking for the best chain", func(ctx context.Context) (planned, error) {
		rec, err := v.c.Services.Recommend(ctx, snap)
		if err != nil || !rec.Found {
			return planned{rec: rec}, err
		}
		p, err := v.c.Services.PlanUse(ctx, rec.Chain)
		return planned{rec, p}, err
	}, func(r planned, err error) tea.Cmd {
		switch {
		case err != nil:
			return v.c.Fail(err)
		case !r.rec.Found:
			return v.c.Say(theme.Warn, "no better chain is known: %s", strings.Join(r.rec.Reasons, "; "))
		case r.plan.Empty() && len(r.plan.Actions) == 0:
			return v.c.Say(theme.Good, "the recommended chain is already in force: %s", r.rec.Chain.Redacted())
		}
		return v.c.Propose(view.Proposal{Plan: r.plan, Why: r.rec.Reasons, Notes: privacy(r.rec),
			Applied: func(change.Change) tea.Cmd { v.Discard(); return nil }})
	})
}

// privacy says which module paths a switch would show to whom.
func privacy(r failover.Recommendation) []string {
	out := append([]string{}, r.Warnings...)
	byHop := map[string][]string{}
	var hops []string
	for _, l := range r.Leaks {
		if byHop[l.Hop] == nil {
			hops = append(hops, l.Hop)
		}
		byHop[l.Hop] = append(byHop[l.Hop], l.Module)
	}
	for _, h := range hops {
		mods := byHop[h]
		names := strings.Join(mods[:min(len(mods), 3)], ", ")
		if len(mods) > 3 {
			names += fmt.Sprintf(" and %d more", len(mods)-3)
		}
		out = append(out, fmt.Sprintf("%s would see the module paths %s.", h, names))
	}
	if r.Patterns != "" && len(hops) > 0 {
		out = append(out, "GOPRIVATE="+r.Patterns+" keeps them at home.")
	}
	return out
}

// probeNow has the selected endpoint probed at once.
func (v *View) probeNow() tea.Cmd {
	v.choose()
	r := v.selected()
	v.c.Services.ProbeNow(r.key)
	return v.c.Say(theme.Text, "probing %s", r.url)
}

// deepProbe asks the selected endpoint for every kind of file.
func (v *View) deepProbe() tea.Cmd {
	v.choose()
	r := v.selected()
	key, url := r.key, r.url
	return view.Start(v.c, "deep", "deep probe of "+url, func(ctx context.Context) (probe.Result, error) {
		return v.c.Services.Deep(ctx, key)
	}, func(res probe.Result, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		res = view.CleanResult(res)
		v.deep[key] = res
		tone, says := deepSummary(res)
		return v.c.Say(tone, "deep probe of %s: %s", url, says)
	})
}

// deepSummary says in one line how a deep probe ended. What a hop lacks is no
// failure, and no pass either: some public proxies have no @latest.
func deepSummary(res probe.Result) (theme.Role, string) {
	bad, lacking := 0, []string{}
	for _, c := range res.Checks {
		switch {
		case c.Class.Failed():
			bad++
		case c.Class != probe.OK:
			lacking = append(lacking, string(c.File))
		}
	}
	n := len(res.Checks)
	switch {
	case n == 0: // version control has no files to check, and a host that is down none that come
		if res.Class.Failed() {
			return theme.Bad, res.Class.Words()
		}
		return theme.Good, res.Class.Words()
	case bad > 0 || res.Class.Failed():
		return theme.Bad, fmt.Sprintf("%d of %d checks fail", bad, n)
	case len(lacking) > 0:
		return theme.Good, fmt.Sprintf("%d of %d checks pass, it lacks %s", n-len(lacking), n, strings.Join(lacking, ", "))
	}
	return theme.Good, fmt.Sprintf("all %d checks pass", n)
}
