package reach

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/mod/module"

	"gpx/probe"
)

// Where asks for versions and says of each what is known. With report, answers
// are handed out one by one as soon as they are complete, from one goroutine at a
// time.
//
// When the budget of the call is used up, the rest is not asked, and that is no
// error; when ctx ends, what is known so far comes with its error. A version
// stands in the result once, however often it was given.
func (r *Reacher) Where(ctx context.Context, versions []module.Version, report func(Answer)) (map[module.Version]Answer, error) {
	limited, cancel := context.WithTimeout(ctx, r.o.PerCall)
	defer cancel()
	c := &call{r: r, ctx: limited, sources: r.sources(), report: report, state: map[module.Version]*state{}}
	for _, m := range versions {
		if c.state[m] == nil {
			c.state[m] = c.begin(m)
			c.order = append(c.order, m)
		}
	}
	c.run()
	answers := make(map[module.Version]Answer, len(c.order))
	for _, m := range c.order {
		answers[m] = c.answer(m)
	}
	return answers, ctx.Err()
}

// A call is one Where.
type call struct {
	r       *Reacher
	ctx     context.Context
	sources []*source
	report  func(Answer)
	order   []module.Version

	mu    sync.Mutex
	state map[module.Version]*state
}

// A state is what is known of one version, a class for each source: "" where the
// source may not be told or need not be asked.
type state struct {
	classes  []probe.Class
	waiting  int // sources that have not answered
	reported bool
}

func (c *call) begin(m module.Version) *state {
	s := &state{classes: make([]probe.Class, len(c.sources))}
	if module.Check(m.Path, m.Version) != nil {
		return s // no such version can be anywhere
	}
	for i, src := range c.sources {
		if c.r.mayAsk(src, m) {
			s.classes[i] = probe.ClassUnknown
			s.waiting++
		}
	}
	return s
}

// run asks the sources: one after the other, because what one has needs no other,
// or all at once where everyone is asked. Version control comes last.
func (c *call) run() {
	var last []int
	var wg sync.WaitGroup
	for i, src := range c.sources {
		switch {
		case src.vcs():
			last = append(last, i)
		case c.r.o.Everyone:
			wg.Go(func() { c.stage(i) })
		default:
			c.stage(i)
		}
	}
	wg.Wait()
	for _, i := range last {
		c.stage(i)
	}
	for _, m := range c.order {
		c.settle(m)
	}
}

// wanted lists the versions that source i is still to be asked for, and takes
// over what is remembered of it.
func (c *call) wanted(i int) []module.Version {
	var list []module.Version
	for _, m := range c.order {
		if !c.needs(i, m) {
			continue
		}
		if class, ok := c.r.remembered(memoKey{c.sources[i].hop, m}); ok {
			c.record(i, m, class)
			continue
		}
		list = append(list, m)
	}
	return list
}

// needs reports whether source i has something to say that is not known yet.
func (c *call) needs(i int, m module.Version) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state[m]
	return s.classes[i] == probe.ClassUnknown && (c.r.o.Everyone || !slices.Contains(s.classes, probe.OK))
}

// record takes an answer, and reports the version when it was the last.
func (c *call) record(i int, m module.Version, class probe.Class) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state[m]
	if s.classes[i] != probe.ClassUnknown {
		return
	}
	s.classes[i] = class
	s.waiting--
	if s.waiting == 0 || class == probe.OK && !c.r.o.Everyone {
		c.tell(m, s)
	}
}

// settle reports a version that will get no further answer.
func (c *call) settle(m module.Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell(m, c.state[m])
}

// tell is called with the lock held.
func (c *call) tell(m module.Version, s *state) {
	if s.reported {
		return
	}
	s.reported = true
	if c.report != nil {
		c.report(c.read(m, s))
	}
}

func (c *call) answer(m module.Version) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(m, c.state[m])
}

// read makes an answer of a state. A source that was not asked because another
// has the version is left out.
func (c *call) read(m module.Version, s *state) Answer {
	a := Answer{Version: m, Sources: []Source{}}
	reachable := slices.Contains(s.classes, probe.OK)
	asked, left := false, false
	for i, class := range s.classes {
		switch {
		case class == "", class == probe.ClassUnknown && reachable:
			continue
		case class == probe.ClassUnknown:
			left = true
		default:
			asked = true
		}
		a.Sources = append(a.Sources, Source{Hop: c.sources[i].hop, Class: class})
	}
	a.Asked = asked && !left
	if !a.Asked {
		a.Why = c.why(m, left)
	}
	return a
}

// why says why not everybody was asked.
func (c *call) why(m module.Version, left bool) string {
	switch {
	case left:
		return "the time or the questions for asking were used up"
	case module.Check(m.Path, m.Version) != nil:
		return "it is no version that a proxy can have"
	case len(c.sources) == 0:
		return "GOPROXY names nobody to ask"
	case module.MatchPrefixPatterns(c.r.o.NoProxy, m.Path):
		return "GONOPROXY keeps it away from every proxy"
	default:
		return "it may be private, so no public proxy was asked"
	}
}
