package backtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gpx/envctl/chain"
	"gpx/history/incident"
	"gpx/probe/failover"
	"gpx/probe/monitor"
)

// A Table holds alternatives to the settings that were in force.
type Table struct {
	// Alternatives begins with the settings in force. Each one after it differs in
	// one setting, and the last, where that helps more, in several; not all
	// combinations are tried of a recording that has very many samples.
	Alternatives []Outcome `json:"alternatives"`
	Best         int       `json:"best"` // index
	Why          string    `json:"why"`  // one line
}

// Alternatives tries what could have been set otherwise.
func Alternatives(r *incident.Recording) Table {
	t := newTape(r)
	g := t.grid()
	table := Table{Alternatives: []Outcome{t.run(Options{})}}
	for i, alternatives := range g {
		for _, set := range alternatives {
			var o Options
			set(&o)
			out := t.run(o)
			if i == chains && out.Chain == table.Alternatives[0].Chain {
				continue
			}
			table.Alternatives = append(table.Alternatives, out)
		}
	}
	if best, ok := t.search(g, table.Alternatives[0]); ok {
		table.Alternatives = append(table.Alternatives, best)
	}
	table.Best = choose(table.Alternatives)
	table.Why = why(table.Alternatives[0], table.Alternatives[table.Best], table.Best == 0)
	return table
}

// A grid is what to try, by setting; each function sets one.
type grid [settings][]func(*Options)

const (
	intervals = iota
	thresholds
	timeouts
	automatic
	chains
	settings
)

const (
	maxThreshold = 5
	seldom       = 15 * time.Second
	// many samples take seconds for all combinations: a day of five endpoints has
	// 100,000. With more, each setting is tried by itself only.
	many = 150_000
)

// grid is what is near the settings in force.
func (t *tape) grid() grid {
	var g grid
	was := time.Duration(t.in.Interval)
	for _, d := range []time.Duration{was / 2, 2 * was, seldom} {
		if d != was {
			g[intervals] = append(g[intervals], func(o *Options) { o.Interval = d })
		}
	}
	for n := 1; n <= maxThreshold; n++ {
		if n != t.in.Threshold {
			g[thresholds] = append(g[thresholds], func(o *Options) { o.Threshold = n })
		}
	}
	for _, d := range []time.Duration{time.Second, 2 * time.Second} {
		if d != time.Duration(t.in.Timeout) {
			g[timeouts] = append(g[timeouts], func(o *Options) { o.Timeout = d })
		}
	}
	other := !t.in.Automatic
	g[automatic] = append(g[automatic], func(o *Options) { o.Automatic = &other })
	for _, c := range t.chains() {
		g[chains] = append(g[chains], func(o *Options) { o.Chain = c })
	}
	return g
}

// chains are other chains of what was probed: the one that it opened with, with "|"
// for ",", and the one that the strategy would have chosen before it opened.
func (t *tape) chains() []string {
	c, err := chain.Parse(t.Incident.Chain)
	if err != nil {
		return nil
	}
	pipes := c
	for i, h := range c.Hops[:len(c.Hops)-1] {
		if h.Separator == chain.Comma {
			pipes = pipes.WithSeparator(i, chain.Pipe)
		}
	}
	strategy, _ := strategyOf(t.in.Strategy)
	best := t.before(strategy)
	var all []string
	for _, o := range []chain.Chain{pipes, best} {
		if v := o.String(); v != c.String() && len(o.Hops) > 0 && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// before is the chain that was best by a strategy when the incident opened.
func (t *tape) before(strategy failover.Strategy) chain.Chain {
	opened := t.Incident.Opened.Time
	s := t.look(bounds{time.Duration(t.in.Interval), time.Duration(t.in.Timeout), t.in.Threshold, 0})
	c := newCourse(t, s, nil, false, strategy)
	for _, is := range s.changes {
		if is.at.Before(opened) {
			c.state[is.lane] = is
		}
	}
	for _, l := range t.links {
		if !l.at.After(opened) {
			c.now = l
		}
	}
	rec := c.recommend(opened)
	if !rec.Found {
		return chain.Chain{}
	}
	return rec.Chain
}

// search tries all combinations and returns the best of them, where it is better
// than what one setting does.
func (t *tape) search(g grid, was Outcome) (Outcome, bool) {
	if len(t.Samples) > many {
		return Outcome{}, false
	}
	all := []Options{{}}
	for i, alternatives := range g {
		n := len(all)
		for _, set := range alternatives {
			for _, o := range all[:n] {
				if set(&o); i == intervals && o.Interval < time.Duration(t.in.Interval) {
					continue // cannot be told
				}
				all = append(all, o)
			}
		}
	}
	outcomes := []Outcome{was}
	for _, o := range all[1:] {
		if out := t.run(o); !blind(out) {
			outcomes = append(outcomes, out)
		}
	}
	best := choose(outcomes)
	return outcomes[best], changed(was, outcomes[best]) > 1
}

// blind reports an outcome that rests on nothing.
func blind(o Outcome) bool { return o.TimeToDetect == nil && o.RTO == nil }

// changed is how many settings differ.
func changed(a, b Outcome) (n int) {
	for _, differs := range []bool{
		a.Settings.Interval != b.Settings.Interval, a.Settings.Timeout != b.Settings.Timeout, a.Settings.Threshold != b.Settings.Threshold,
		a.Settings.Strategy != b.Settings.Strategy, a.Settings.Automatic != b.Settings.Automatic, a.Chain != b.Chain,
	} {
		if differs {
			n++
		}
	}
	return n
}

// choose is the outcome that was mitigated first, without more false alarms than the
// settings in force gave, which stand first. What jitter alone can make of it is no
// difference: then the gentlest settings win.
func choose(all []Outcome) (best int) {
	was := all[0]
	chance := time.Duration(monitor.DefaultConfig().Jitter * float64(was.Settings.Interval))
	sound := func(o Outcome) bool { return o.RTO != nil && o.Flaps <= was.Flaps }
	first := time.Duration(-1)
	for _, o := range all {
		if sound(o) && (first < 0 || time.Duration(*o.RTO) < first) {
			first = time.Duration(*o.RTO)
		}
	}
	found := false
	for i, o := range all {
		if !sound(o) || time.Duration(*o.RTO) > first+chance {
			continue
		}
		if !found || gentler(was, o, all[best]) {
			best, found = i, true
		}
	}
	return best
}

// gentler reports whether a asks less of the endpoints and of the user than b: fewer
// changes of settings, then fewer probes, then fewer alarms.
func gentler(was, a, b Outcome) bool {
	less := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	}
	for _, d := range []int{
		changed(was, b) - changed(was, a),
		int(time.Duration(a.Settings.Interval)/time.Millisecond) - int(time.Duration(b.Settings.Interval)/time.Millisecond),
		a.Settings.Threshold - b.Settings.Threshold,
		int(time.Duration(a.Settings.Timeout)/time.Millisecond) - int(time.Duration(b.Settings.Timeout)/time.Millisecond),
		less(!a.Settings.Automatic, !b.Settings.Automatic),
	} {
		if d != 0 {
			return d > 0
		}
	}
	return false
}

// why says what the best settings would have changed.
func why(was, best Outcome, same bool) string {
	if same {
		if was.RTO == nil {
			return "nothing that was tried would have mitigated it in what was recorded"
		}
		return "nothing that was tried is mitigated sooner without false alarms: the settings in force are the best"
	}
	var set []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			set = append(set, fmt.Sprintf(format, args...))
		}
	}
	a, b := was.Settings, best.Settings
	add(a.Interval != b.Interval, "a probe every %s", short(time.Duration(b.Interval)))
	add(a.Threshold != b.Threshold, "%d failures in a row for down", b.Threshold)
	add(a.Timeout != b.Timeout, "a timeout of %s", short(time.Duration(b.Timeout)))
	add(a.Automatic != b.Automatic, "%s", map[bool]string{true: "automatic switching", false: "no automatic switching"}[b.Automatic])
	add(was.Chain != best.Chain, "the chain %s", best.Chain)
	line := strings.Join(set, ", ") + ": "
	if best.TimeToDetect == nil {
		line += "no outage at all"
	} else {
		line += "mitigated after " + short(time.Duration(*best.RTO))
	}
	if was.RTO == nil {
		return line + ", and not at all as it was"
	}
	return fmt.Sprintf("%s in the place of %s", line, short(time.Duration(*was.RTO)))
}
