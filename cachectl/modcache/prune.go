package modcache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/mod/module"

	"gpx/cachectl/internal/trash"
	"gpx/cachectl/needs"
	"gpx/envctl/change"
	"gpx/envctl/redact"
	"gpx/probe/reach"
)

// The kinds of action that pruning plans, and that undo it.
const (
	TrashVersion   = trash.TrashVersion
	RemoveVersion  = trash.RemoveVersion
	RestoreVersion = trash.RestoreVersion
)

// PurgeTrash deletes what lies in the trash of the module cache at dir for 24 h,
// and what a killed process had begun to delete; it says what it did, one
// sentence each. Call it at every start, after [change.Changer.Recover]: where
// there is no trash it costs one system call.
func PurgeTrash(ctx context.Context, dir string, now time.Time) (did []string, err error) {
	return trash.Empty(ctx, dir, now)
}

// PruneOptions say what is to go, and how. A version goes when it is named in
// Versions, or when all of Modules, Unreferenced, OlderThan and KeepLatest that
// are given choose it; then what must stay is kept (see [Reason]).
type PruneOptions struct {
	// Versions go also where they are the only copies, or where a known project
	// needs them and somebody can give them back now: so a damaged one is mended.
	Versions []module.Version
	Modules  []string // paths; path/... is that module and all below it

	Unreferenced bool          // chooses everything: what is needed is kept in any case
	OlderThan    time.Duration // fetched longer ago than that
	KeepLatest   int           // not among the highest so many versions of its module that are here

	// Since keeps, unless it is named, what was fetched later: a go command that
	// was started then and still runs may be about to read it, which it does
	// without a lock. Zero keeps nothing.
	Since time.Time

	// Partial takes of what is chosen, or of everything, only what interrupted
	// downloads left: it is of no use to any build, so needs do not count.
	Partial bool
	// AllFiles also takes .info and .mod, which other module graphs may read;
	// those that Needs names stay.
	AllFiles bool
	// Trash moves to the trash, from which undo brings it back for 24 h.
	// Without it what goes is deleted.
	Trash bool

	Needs   needs.Needs
	Running []string // of the names in Needs those of running go commands

	// Reach says who can give a version now ([reach.Reacher]). Without it
	// nobody knows, and only what is named goes.
	Reach func(context.Context, []module.Version) (map[module.Version]reach.Answer, error)

	Now time.Time
}

// A Reason is why a version that was chosen stays.
type Reason string

// The reasons.
const (
	Needed    Reason = "needed"    // a known project needs it; where it is named, nobody can give it back, either
	Running   Reason = "running"   // a running go command needs it, even where it is named
	Arrived   Reason = "arrived"   // a running go command may have fetched it
	OnlyCopy  Reason = "only_copy" // nobody who answers can give it back
	Unasked   Reason = "unasked"   // nobody could be asked whether they can
	NotThere  Reason = "not_there" // there is nothing of it to prune
	Unnamable Reason = "unnamable" // no module version
)

// A Kept is a version that was chosen and stays. Its texts are clean.
type Kept struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Reason  Reason `json:"reason"`
	Why     string `json:"why"` // one line, without the version
	Bytes   int64  `json:"bytes"`
	Named   bool   `json:"named"` // it was named
}

// PlanPrune plans to take versions out of the cache that inv describes, and says
// which of the chosen ones stay and why. The plan may be empty.
func PlanPrune(ctx context.Context, inv *Inventory, o PruneOptions) (*change.Plan, []Kept, error) {
	p := &pruner{inv: inv, o: o, named: map[module.Version]bool{}, listings: map[string][]string{}}
	if !p.selects() {
		return nil, nil, errors.New("prune: nothing was chosen; name versions or modules, or say which: unreferenced, older than, all but the latest, partial")
	}
	for _, m := range o.Versions {
		p.named[m] = true
	}
	chosen, err := p.spare(ctx, p.choose())
	if err != nil {
		return nil, nil, fmt.Errorf("prune: %w", err)
	}
	plan, err := p.plan(chosen)
	if err != nil {
		return nil, nil, fmt.Errorf("prune: %w", err)
	}
	return plan, p.kept, nil
}

// A pruner is one planning.
type pruner struct {
	inv      *Inventory
	o        PruneOptions
	named    map[module.Version]bool
	kept     []Kept
	only     []string            // named, and the only copies
	unasked  []string            // named, and perhaps the only copies
	missed   []string            // named, and needed
	listings map[string][]string // names in folders of the cache, by folder
}

// A choice is a version that is to go.
type choice struct {
	*Version
	take taking
	who  []string // need it
}

// keep notes that a chosen version stays.
func (p *pruner) keep(v *Version, r Reason, why string) {
	p.kept = append(p.kept, Kept{
		Path: redact.Clean(v.Path), Version: redact.Clean(v.Version.Version), Reason: r, Why: redact.Text(why),
		Bytes: v.Bytes() - v.MetaBytes, Named: p.named[v.Version],
	})
}

// selects reports whether the options choose anything.
func (p *pruner) selects() bool {
	return len(p.o.Versions) > 0 || p.chooses() || p.o.Partial
}

// chooses reports whether they choose by more than names.
func (p *pruner) chooses() bool {
	return len(p.o.Modules) > 0 || p.o.Unreferenced || p.o.OlderThan > 0 || p.o.KeepLatest > 0
}

// choose finds the versions that are named or that all selectors choose.
func (p *pruner) choose() []*Version {
	var chosen []*Version
	seen := map[module.Version]bool{}
	all := p.chooses() || p.o.Partial && len(p.o.Versions) == 0
	latest := p.latest()
	for i := range p.inv.Versions {
		v := &p.inv.Versions[i]
		seen[v.Version] = true
		if p.named[v.Version] || all && !latest[v.Version] && p.inModules(v.Path) && p.isOld(v) {
			chosen = append(chosen, v)
		}
	}
	for _, m := range p.o.Versions {
		if !seen[m] {
			seen[m] = true
			p.keep(&Version{Version: m}, NotThere, "it is not in the cache")
		}
	}
	return chosen
}

// latest are the versions that KeepLatest keeps: of each module the highest that
// have sources here.
func (p *pruner) latest() map[module.Version]bool {
	if p.o.KeepLatest <= 0 {
		return nil
	}
	latest := map[module.Version]bool{}
	count := map[string]int{}
	for i := len(p.inv.Versions) - 1; i >= 0; i-- { // by semantic version within a path
		if v := &p.inv.Versions[i]; v.hasSources() && count[v.Path] < p.o.KeepLatest {
			count[v.Path]++
			latest[v.Version] = true
		}
	}
	return latest
}

func (v *Version) hasSources() bool { return v.Zip || v.Dir }

func (p *pruner) inModules(path string) bool {
	return len(p.o.Modules) == 0 || slices.ContainsFunc(p.o.Modules, func(pattern string) bool {
		below, ok := strings.CutSuffix(pattern, "/...")
		return path == pattern || ok && (path == below || strings.HasPrefix(path, below+"/"))
	})
}

// isOld reports whether the version came longer ago than OlderThan. When that
// is not known, it did not.
func (p *pruner) isOld(v *Version) bool {
	return p.o.OlderThan <= 0 || !v.FetchedAt.IsZero() && p.o.Now.Sub(v.FetchedAt) > p.o.OlderThan
}

// spare takes out of the chosen versions what must stay.
func (p *pruner) spare(ctx context.Context, chosen []*Version) ([]choice, error) {
	var going []choice
	var ask []module.Version // those that perhaps nobody can give back
	for _, v := range chosen {
		take, err := p.parts(v)
		if err != nil {
			p.keep(v, Unnamable, err.Error())
			continue
		}
		var who []string // a .mod that somebody needs is not among the parts
		if v.hasSources() {
			who = p.o.Needs.Whole(v.Version)
		}
		switch {
		case len(take.parts) == 0:
			p.nothing(v)
			continue
		case p.o.Partial:
			who = nil
		case len(who) > 0 && (p.running(who) || !p.named[v.Version]):
			p.needed(v, who, "")
			continue
		case !p.o.Since.IsZero() && !p.named[v.Version] && v.hasSources() && v.FetchedAt.After(p.o.Since):
			p.keep(v, Arrived, "it was fetched since a go command was started that still runs, and may be about to read it")
			continue
		}
		if take.sources {
			ask = append(ask, v.Version)
		}
		going = append(going, choice{v, take, who})
	}
	answers, err := p.reach(ctx, ask)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(going, func(c choice) bool { return c.take.sources && p.irreplaceable(c, answers[c.Version.Version]) }), nil
}

// nothing says of a version that was named why nothing of it goes.
func (p *pruner) nothing(v *Version) {
	switch {
	case !p.named[v.Version]:
	case p.o.Partial:
		p.keep(v, NotThere, "no interrupted download left anything of it")
	case v.hasSources():
		p.keep(v, NotThere, "it went since the cache was looked at")
	case p.o.AllFiles && len(p.o.Needs.Mod(v.Version)) > 0:
		p.needed(v, p.o.Needs.Mod(v.Version), ", whose module graph reads its .mod")
	default:
		p.keep(v, NotThere, "only its .info and .mod are there, which module graphs read; --all-files takes them too")
	}
}

// running reports whether a running go command is among those who need
// something.
func (p *pruner) running(who []string) bool {
	return slices.ContainsFunc(who, func(by string) bool { return slices.Contains(p.o.Running, by) })
}

// needed keeps a version that somebody needs; and says what more there is to it.
func (p *pruner) needed(v *Version, who []string, and string) {
	reason := Needed
	if p.running(who) {
		reason = Running
	}
	p.keep(v, reason, "needed by "+few(who)+and)
}

// reach asks who can give versions. With nobody to ask there are no answers,
// which is as good as answers that nobody was asked for.
func (p *pruner) reach(ctx context.Context, ask []module.Version) (map[module.Version]reach.Answer, error) {
	if p.o.Reach == nil || len(ask) == 0 {
		return nil, nil
	}
	answers, err := p.o.Reach(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("asking who can give back %d versions: %w", len(ask), err)
	}
	return answers, nil
}

// irreplaceable reports whether a version stays because perhaps nobody can give
// it back. What is named goes all the same, unless a project needs it; the plan
// warns of it.
func (p *pruner) irreplaceable(c choice, a reach.Answer) bool {
	v := c.Version
	if a.Reachable() {
		if len(c.who) > 0 {
			p.missed = append(p.missed, target(v.Version)+" (by "+few(c.who)+")")
		}
		return false
	}
	reason, why := OnlyCopy, "nobody who answers now can give it back"
	if len(a.Sources) > 0 {
		var said []string
		for _, s := range a.Sources {
			said = append(said, s.Hop+" says "+string(s.Class))
		}
		why += ": " + strings.Join(said, ", ")
	}
	if !a.Asked {
		reason, why = Unasked, "nobody could be asked whether they can give it back"
		if a.Why != "" {
			why += ": " + a.Why
		}
	}
	switch {
	case len(c.who) > 0:
		p.needed(v, c.who, "; and "+why)
		return true
	case !p.named[v.Version]:
		p.keep(v, reason, why)
		return true
	case reason == OnlyCopy:
		p.only = append(p.only, target(v.Version))
	default:
		p.unasked = append(p.unasked, target(v.Version))
	}
	return false
}

// few names the first of a list, clean, and counts the others.
func few(names []string) string {
	const most = 3 // what a line can hold
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		shown = append(shown, redact.Clean(name))
	}
	if more := len(names) - len(shown); more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), more)
	}
	return strings.Join(shown, " and ")
}

// target is how a version stands in a plan.
func target(m module.Version) string { return redact.Clean(m.Path + "@" + m.Version) }

// plan makes the plan of what goes.
func (p *pruner) plan(going []choice) (*change.Plan, error) {
	kind := RemoveVersion
	if p.o.Trash {
		kind = TrashVersion
	}
	plan := &change.Plan{}
	total := int64(0)
	for _, c := range going {
		r := &trash.Removal{Root: p.inv.Dir, Path: c.Path, Version: c.Version.Version.Version, Parts: c.take.parts, Absent: c.take.absent}
		s, err := r.Step(kind, c.take.bytes)
		if err != nil {
			return nil, err
		}
		plan.Add(s)
		total += c.take.bytes
	}
	plan.Title = p.title(going)
	if plan.Empty() {
		return plan, nil
	}
	if len(p.only) > 0 {
		plan.Warn("ONLY COPY: nobody who answers now can give back " + few(p.only))
	}
	if len(p.unasked) > 0 {
		plan.Warn("nobody could be asked whether they can give back " + few(p.unasked))
	}
	if len(p.missed) > 0 {
		plan.Warn("needed, so that the next build has to download it again: " + few(p.missed))
	}
	if p.o.Trash {
		plan.Warn(fmt.Sprintf("%s move to the trash on the same disk: the space is free after 24 h, and until then undo brings everything back", humanize.IBytes(uint64(total))))
		return plan, nil
	}
	plan.FreedBytes = total
	return plan, nil
}

// title says what the plan does, as it stands in the list of changes.
func (p *pruner) title(going []choice) string {
	modules := map[string]bool{}
	for _, c := range going {
		modules[c.Path] = true
	}
	what := fmt.Sprintf("%d modules", len(modules))
	switch {
	case len(going) == 0:
		what = "the module cache"
	case len(going) == 1:
		what = target(going[0].Version.Version)
	case len(modules) == 1:
		what = redact.Clean(going[0].Path) + fmt.Sprintf(", %d versions", len(going))
	}
	if p.o.Partial {
		return "prune what interrupted downloads left of " + what
	}
	return "prune " + what
}
