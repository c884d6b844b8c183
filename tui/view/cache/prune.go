package cache

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/cachectl/buildcache"
	"gpx/cachectl/modcache"
	"gpx/envctl/change"
	"gpx/envctl/redact"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// A choice is one answer to "what": versions of the cache that something is done
// with.
type choice struct {
	title    string
	modules  []string
	versions []module.Version // one by one
	all      bool
	partial  bool // what interrupted downloads left
	list     []modcache.Version
}

// choices are what an action can be about, the likeliest first: what is marked,
// else the row, then everything.
func (v *View) choices() []choice {
	var out []choice
	if !v.marks.empty() {
		c := choice{list: v.chosen}
		c.modules, c.versions = v.marks.chosen()
		c.title = "marked: " + plural(len(c.list), "version")
		out = append(out, c)
	}
	if r := v.selected(); r != nil {
		c := choice{title: "this module", modules: []string{r.path}, list: r.vs}
		if r.version != "" {
			c = choice{title: "this version", versions: []module.Version{{Path: r.path, Version: r.version}}, list: r.vs}
		}
		out = append(out, c)
	}
	return append(out, choice{title: "everything", all: true, list: v.inv.Versions})
}

// titles are those of choices.
func titles(cs []choice) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.title
	}
	return out
}

// The options of the prune dialog.
var (
	ages    = []time.Duration{0, 7 * day, 30 * day, 90 * day, 180 * day, 365 * day}
	latests = []int{0, 1, 2, 3, 5}
	fields  = []dialog.Field{
		{Label: "What", Help: "What a known project or a running go command needs stays in any case."},
		{Label: "Fetched", Options: []string{"any time ago", "7 d", "30 d", "90 d", "180 d", "1 y"}, Help: "Only what was fetched longer ago than that. Versions that are chosen one by one go whatever their age."},
		{Label: "Keep latest", Options: []string{"none", "1", "2", "3", "5"}, Help: "So many of the newest versions of each module stay."},
		{Label: "Then", Options: []string{"to the trash", "remove for good"}, Help: "The trash lies on the same disk: u brings everything back for 24 h, then the space is free. Removing cannot be taken back."},
		{Label: ".info .mod", Options: []string{"stay", "go too"}, Help: "They are small, and other module graphs may read them."},
	}
)

const day = 24 * time.Hour

// prune asks what is to go, and how.
func (v *View) prune() tea.Cmd {
	if v.level == building {
		return v.pruneBuild()
	}
	cs := v.choices()
	cs[len(cs)-1].title = "everything that nobody here needs"
	if v.broken > 0 {
		cs = append(cs, choice{title: "what interrupted downloads left", partial: true, list: v.inv.Versions})
	}
	form := slices.Clone(fields)
	form[0].Options = titles(cs)
	options := func(at []int) modcache.PruneOptions { return pruneOptions(cs[at[0]], at) }
	about := func(at []int) []string { return aboutPrune(cs[at[0]], options(at)) }
	oneByOne := func(at []int) string {
		if c := cs[at[0]]; len(c.versions) > 0 && len(c.modules) == 0 {
			return "does not count for versions that are chosen one by one"
		}
		return ""
	}
	form[1].Off, form[2].Off = oneByOne, oneByOne
	v.c.Dialogs.Push(dialog.NewForm("Prune the module cache", form, about, nil, func(at []int) tea.Cmd {
		return v.planPrune(options(at))
	}))
	return nil
}

// pruneOptions are the options that a choice and the fields of the dialog mean.
func pruneOptions(c choice, at []int) modcache.PruneOptions {
	return modcache.PruneOptions{
		Versions: c.versions, Modules: c.modules, Unreferenced: c.all, Partial: c.partial,
		OlderThan: ages[at[1]], KeepLatest: latests[at[2]], Trash: at[3] == 0, AllFiles: at[4] == 1,
	}
}

// aboutPrune says what the choices mean.
func aboutPrune(c choice, o modcache.PruneOptions) []string {
	out := []string{fmt.Sprintf("Chosen from %s, %s.", plural(len(c.list), "version"), size(bytesOf(c.list)))}
	if len(o.Versions) > 0 {
		out = append(out, "Versions that are chosen one by one go even where they are the only copies, or a project needs them and a hop has them; the plan says so.")
	}
	if len(o.Versions) == 0 || len(o.Modules) > 0 {
		out = append(out, "What nobody who answers now can give back stays: the chain is asked first. The plan is shown before anything changes.")
	}
	return out
}

// A pruning is a plan with what it keeps.
type pruning struct {
	plan *change.Plan
	kept []modcache.Kept
}

func (v *View) planPrune(o modcache.PruneOptions) tea.Cmd {
	inv := v.inv
	return view.Start(v.c, "plan", "making the plan", func(ctx context.Context) (pruning, error) {
		p, kept, err := v.c.Services.PlanPrune(ctx, inv, o, func(s view.Step) { view.Report(ctx, s) })
		return pruning{p, kept}, err
	}, func(p pruning, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		return v.proposePrune(p)
	})
}

func (v *View) proposePrune(p pruning) tea.Cmd {
	if len(p.plan.Actions) == 0 {
		v.c.Say(theme.Warn, "nothing to prune: %s", cmp.Or(strings.Join(keptSummary(p.kept), "; "), "nothing was chosen"))
		if len(p.kept) > 0 {
			v.c.Dialogs.Push(dialog.NewPager("Nothing to prune", false, func(_ *theme.Theme, w int) []widget.Line { return keptLines(p.kept, w) }))
		}
		return nil
	}
	var why []string
	if len(p.kept) > 0 {
		why = append([]string{"Stays: " + plural(len(p.kept), "version") + ", " + size(keptBytes(p.kept)) + "."}, keptSummary(p.kept)...)
	}
	return v.c.Propose(view.Proposal{Plan: p.plan, Why: why, Applied: func(change.Change) tea.Cmd {
		v.marks = newMarks()
		return nil
	}})
}

// reasons are why versions stay, in the order in which people want to know.
var reasons = []struct {
	reason modcache.Reason
	why    string
}{
	{modcache.OnlyCopy, "ONLY COPY, nobody who answers now can give it back"},
	{modcache.Unasked, "nobody could be asked who else has it"},
	{modcache.Running, "a running go command needs it"},
	{modcache.Needed, "known projects need it"},
	{modcache.NotThere, "nothing of it is there to prune"},
	{modcache.Unnamable, "it is no module version"},
}

// keptSummary is one line for each reason.
func keptSummary(kept []modcache.Kept) []string {
	var out []string
	for _, r := range reasons {
		if group := keptFor(kept, r.reason); len(group) > 0 {
			out = append(out, plural(len(group), "version")+", "+size(keptBytes(group))+": "+r.why)
		}
	}
	return out
}

// keptLines lists what stays, reason by reason, what was named and what weighs
// most first.
func keptLines(kept []modcache.Kept, w int) []widget.Line {
	const most = 50 // of one reason; more are not read
	var out []widget.Line
	for _, r := range reasons {
		group := keptFor(kept, r.reason)
		if len(group) == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, nil)
		}
		out = append(out, widget.L(widget.S(theme.Title, plural(len(group), "version")+", "+size(keptBytes(group))), widget.S(theme.Dim, "  "+r.why)))
		slices.SortStableFunc(group, func(a, b modcache.Kept) int { return cmp.Compare(b.Bytes, a.Bytes) })
		for _, k := range group[:min(len(group), most)] {
			for i, s := range widget.Wrap(redact.Text(k.Path+"@"+k.Version+"  "+size(k.Bytes)+"  "+k.Why), max(w-4, 8)) {
				role := theme.Text
				if i > 0 {
					role = theme.Dim
				}
				out = append(out, widget.L(widget.S(role, "  "+s)))
			}
		}
		if more := len(group) - most; more > 0 {
			out = append(out, widget.L(widget.S(theme.Dim, fmt.Sprintf("  and %d more", more))))
		}
	}
	return out
}

func keptFor(kept []modcache.Kept, r modcache.Reason) []modcache.Kept {
	var out []modcache.Kept
	for _, k := range kept {
		if k.Reason == r {
			out = append(out, k)
		}
	}
	return out
}

func keptBytes(kept []modcache.Kept) (n int64) {
	for _, k := range kept {
		n += k.Bytes
	}
	return n
}

// The options of the dialog about the build cache.
var (
	unused = []time.Duration{0, time.Hour, day, 2 * day, 5 * day, 30 * day}
	limits = []int64{0, 512 << 20, 1 << 30, 2 << 30, 5 << 30, 10 << 30}
)

// pruneBuild asks what of the build cache is to go.
func (v *View) pruneBuild() tea.Cmd {
	form := []dialog.Field{
		{Label: "Not used for", Options: []string{"any time", "1 h", "1 d", "2 d", "5 d", "30 d"}, Help: "What no build has used for so long goes."},
		{Label: "Down to", Options: []string{"any size", "512 MiB", "1 GiB", "2 GiB", "5 GiB", "10 GiB"}, Help: "The oldest goes until the cache is as small as that."},
		{Label: "Test results", Options: []string{"stay", "expire"}, Help: "Tests run again, as after go clean -testcache."},
		{Label: "Everything", Options: []string{"no", "yes"}, Help: "All but what was used within the last hour, and fuzz corpora."},
	}
	if i := v.list().table.Cursor(); i < len(v.parts) { // the row says what is meant
		form[0].At = max(slices.Index(unused, v.parts[i].olderThan), 0)
		if v.parts[i].kind == buildcache.TestResult {
			form[2].At = 1
		}
	}
	options := func(at []int) buildcache.PruneOptions {
		return buildcache.PruneOptions{OlderThan: unused[at[0]], MaxSize: limits[at[1]], Tests: at[2] == 1, All: at[3] == 1}
	}
	v.c.Dialogs.Push(dialog.NewForm("Prune the build cache", form,
		func([]int) []string {
			return []string{"Nothing of it can be taken back, and nothing is lost by it but time: the next build makes it again. The plan is shown before anything changes."}
		},
		func(at []int) string {
			if o := options(at); o.OlderThan == 0 && o.MaxSize == 0 && !o.Tests && !o.All {
				return "choose what is to go"
			}
			return ""
		},
		func(at []int) tea.Cmd {
			return view.Start(v.c, "plan", "looking at the build cache", func(ctx context.Context) (*change.Plan, error) {
				return v.c.Services.PlanPruneBuild(ctx, options(at))
			}, func(p *change.Plan, err error) tea.Cmd {
				if err != nil {
					return v.c.Fail(err)
				}
				return v.c.Propose(view.Proposal{Plan: p})
			})
		}))
	return nil
}
