package deps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/cachectl/deps"
	"gpx/envctl/redact"
	"gpx/tui/actions"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Actions implements view.View.
func (v *View) Actions() []actions.Action {
	s := &v.c.Services
	lacking := func(service bool) func() string {
		return func() string {
			switch {
			case !service:
				return view.Lacking(false)
			case v.report == nil:
				return "what the project needs was not read yet"
			case v.missing() == 0:
				return "nothing is missing"
			}
			return ""
		}
	}
	known := func(service bool) func() string {
		return func() string {
			if !service {
				return view.Lacking(false)
			}
			if v.report == nil {
				return "what the project needs was not read yet"
			}
			return ""
		}
	}
	return []actions.Action{
		{ID: "deps.fetch", View: Name, Key: actions.On("fetch missing", "F"), Footer: 3, Changes: true,
			Help: "get what is missing from whatever answers, verified: shows from whom, then asks", Disabled: lacking(s.Fetch != nil), Do: v.fetch},
		{ID: "deps.salvage", View: Name, Key: actions.On("salvage", "S"), Footer: 4, Changes: true,
			Help: "look for what is missing on this machine, then show the plan", Disabled: lacking(s.Salvage != nil), Do: v.salvage},
		{ID: "deps.why", View: Name, Key: actions.On("why", "w"), Footer: 5, Help: "who needs the module, package by package",
			Disabled: func() string {
				if v.selected() == nil {
					return "nothing is selected"
				}
				return ""
			}, Do: v.showWhy},
		{ID: "deps.vendor", View: Name, Key: actions.On("vendor", "v"), Footer: 7, Changes: true,
			Help: "write the vendor folder, when all that it takes is here", Disabled: v.vendorable, Do: v.vendor},
		{ID: "deps.prove", View: Name, Key: actions.On("prove offline", "O"), Footer: 6,
			Help: "run go build and go test without a network; tests are linked, not run", Disabled: known(s.Prove != nil), Do: v.prove},
		{ID: "deps.rescan", View: Name, Key: actions.On("rescan", "r"), Footer: 10, Help: "read the project and the module cache again, and ask again who has what is missing",
			Disabled: func() string { return view.Lacking(s.ReadDeps != nil) }, Do: v.rescan},
	}
}

// missing is how many versions can be looked for.
func (v *View) missing() int {
	if v.report == nil {
		return 0
	}
	whole, mods := v.report.Lacking()
	return len(whole) + len(mods)
}

func (v *View) rescan() tea.Cmd {
	clear(v.answers)
	v.proof = nil
	return v.look()
}

// fetch shows what would be asked of whom, and fetches.
func (v *View) fetch() tea.Cmd {
	whole, mods := v.report.Lacking()
	return view.Start(v.c, "plan", "", func(ctx context.Context) ([]string, error) {
		ms := append(whole, mods...)
		from, err := v.c.Services.FetchFrom(ctx, ms)
		if err != nil {
			return nil, err
		}
		about := make([]string, len(ms))
		for i, m := range ms {
			text := "nobody may be asked for it"
			if names := from[i]; len(names) > 0 {
				text = "from " + view.HopName(redact.Clean(names[0]))
				if n := len(names) - 1; n > 0 {
					text += fmt.Sprintf(", or %d more", n)
				}
			}
			about[i] = redact.Clean(m.String()) + "  " + text
		}
		return about, nil
	}, func(about []string, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		title := "Fetch " + widget.Count(len(about), "module version") + "?"
		const most = 12
		if n := len(about) - most; n > 0 {
			about = append(about[:most:most], fmt.Sprintf("and %d more", n))
		}
		about = append(about, "Each is compared with go.sum or the checksum database before it can be seen. u takes it back until a build uses it.")
		v.c.Dialogs.Push(dialog.NewConfirm(title, about, "Cancel", "Fetch", func(yes bool) tea.Cmd {
			if !yes {
				return nil
			}
			return view.StartWhole(v.c, "deps fetch", "fetching", func(ctx context.Context) (view.Outcome, error) {
				return v.c.Services.Fetch(ctx, func(s view.Step) { view.Report(ctx, s) })
			}, v.done("fetching", "what came is kept, and F goes on from there"))
		}))
		return nil
	})
}

// done says what work came to, and has every view look again: the module cache is
// another one.
func (v *View) done(what, stopped string) func(view.Outcome, error) tea.Cmd {
	return func(o view.Outcome, err error) tea.Cmd {
		switch {
		case errors.Is(err, context.Canceled):
			v.c.Say(theme.Text, "%s was stopped: %s", what, stopped)
			return v.c.Tell(view.Applied)
		case err != nil:
			return tea.Batch(v.c.Fail(err), v.c.Tell(view.Applied))
		}
		role, sign := theme.Good, v.c.Theme.Glyphs.Good
		if len(o.Notes) > 0 {
			role, sign = theme.Warn, v.c.Theme.Glyphs.Warn
			v.page(o)
		}
		v.c.Say(role, "%s %s", sign, o.Text)
		clear(v.answers)
		return v.c.Tell(view.Applied)
	}
}

// page shows what there is to know about an outcome.
func (v *View) page(o view.Outcome) {
	v.c.Dialogs.Push(dialog.NewPager(o.Text, false, func(_ *theme.Theme, w int) (out []widget.Line) {
		for _, n := range o.Notes {
			for _, s := range widget.Wrap(redact.Text(n), w) {
				out = append(out, widget.L(widget.S(theme.Text, s)))
			}
		}
		return out
	}))
}

// salvage asks where to look, looks, and shows what was found.
func (v *View) salvage() tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPrompt("Salvage", []string{
		"Looked through are other module caches on this machine, extracted trees and the clones of known projects. Name folders to look below as well, separated by commas, or leave it empty. Nothing is taken that go.sum or the checksum database does not prove."},
		"", nil, func(text string) tea.Cmd {
			var roots []string
			for _, r := range strings.Split(text, ",") {
				if r = strings.TrimSpace(r); r != "" {
					roots = append(roots, r)
				}
			}
			return view.StartWhole(v.c, "deps salvage", "looking through this machine", func(ctx context.Context) (view.Salvaged, error) {
				return v.c.Services.Salvage(ctx, roots, func(s view.Step) { view.Report(ctx, s) })
			}, v.salvaged)
		}))
	return nil
}

func (v *View) salvaged(s view.Salvaged, err error) tea.Cmd {
	switch {
	case errors.Is(err, context.Canceled):
		return v.c.Say(theme.Text, "looking was stopped: nothing was changed")
	case err != nil:
		return v.c.Fail(err)
	case s.Found == 0 || s.Plan == nil:
		v.c.Dialogs.Push(dialog.NewPager("Nothing was found that is proven", false, func(th *theme.Theme, w int) []widget.Line { return lines(th, s.Lines, w) }))
		return nil
	}
	p := s.Proposal
	for _, l := range s.Lines {
		if l.Good {
			p.Why = append(p.Why, l.Text)
		} else {
			p.Notes = append(p.Notes, l.Text)
		}
	}
	return v.c.Propose(p)
}

func lines(th *theme.Theme, list []view.Line, w int) (out []widget.Line) {
	for _, l := range list {
		role, sign := theme.Bad, th.Glyphs.Bad
		if l.Good {
			role, sign = theme.Good, th.Glyphs.Good
		}
		for _, s := range widget.Wrap(sign+" "+redact.Text(l.Text), w) {
			out = append(out, widget.L(widget.S(role, s)))
		}
	}
	return out
}

// showWhy shows the whole chain of packages.
func (v *View) showWhy() tea.Cmd {
	m := v.selected().m
	v.c.Dialogs.Push(dialog.NewPager("Why "+redact.Clean(m.Version.String()), false, func(th *theme.Theme, w int) (out []widget.Line) {
		add := func(role theme.Role, text string) {
			for _, s := range widget.Wrap(text, w) {
				out = append(out, widget.L(widget.S(role, s)))
			}
		}
		switch {
		case m.Unknown:
			add(theme.Dim, "go.mod requires it; "+m.Why+".")
		case len(m.By) == 0:
			add(theme.Dim, "No package of the project imports one of its packages, directly or not; go.mod requires it.")
		}
		for i := len(m.By) - 1; i >= 0; i-- {
			indent := strings.Repeat("  ", min(len(m.By)-1-i, 20))
			if i < len(m.By)-1 {
				indent += th.Glyphs.Arrow + " "
			}
			add(theme.Text, indent+redact.Clean(m.By[i]))
		}
		for _, t := range m.Troubles {
			add(theme.Bad, th.Glyphs.Bad+" "+t.Text)
		}
		return out
	}))
	return nil
}

// vendorable says why the vendor folder cannot be written.
func (v *View) vendorable() string {
	switch {
	case v.c.Services.Vendor == nil:
		return view.Lacking(false)
	case v.report == nil:
		return "what the project needs was not read yet"
	case !vendorMends(v.report.Build) || !vendorMends(v.report.Test):
		return "something is missing: fetch or salvage it first"
	}
	return ""
}

// vendorMends reports whether nothing is wrong but what the vendor folder holds,
// which is written anew.
func vendorMends(a deps.Answer) bool {
	return !slices.ContainsFunc(a.Troubles, func(t deps.Trouble) bool { return t.Kind != deps.BadVendor && t.Kind != deps.NotVendored })
}

func (v *View) vendor() tea.Cmd {
	text := []string{"Every package that builds and tests need is copied into the vendor folder, from the module cache, with no network. From then on builds use it (go.mod with go 1.14 or later)."}
	if v.report.Project.Vendored {
		text = append(text, "There is a vendor folder: it is written anew, and gpx cannot bring back what is in it now.")
	} else {
		text = append(text, "gpx does not take that back: remove the folder to build from the module cache again.")
	}
	v.c.Dialogs.Push(dialog.NewConfirm("Vendor the project?", text, "Cancel", "Vendor", func(yes bool) tea.Cmd {
		if !yes {
			return nil
		}
		return view.StartWhole(v.c, "deps vendor", "vendoring", func(ctx context.Context) (view.Outcome, error) {
			return v.c.Services.Vendor(ctx, func(s view.Step) { view.Report(ctx, s) })
		}, v.done("vendoring", "the vendor folder may be incomplete; v writes it again"))
	}))
	return nil
}

// prove runs the go command without a network.
func (v *View) prove() tea.Cmd {
	return view.StartWhole(v.c, "deps prove", "proving", func(ctx context.Context) (deps.Proof, error) {
		return v.c.Services.Prove(ctx, func(s view.Step) { view.Report(ctx, s) })
	}, func(p deps.Proof, err error) tea.Cmd {
		switch {
		case errors.Is(err, context.Canceled):
			return v.c.Say(theme.Text, "proving was stopped")
		case err != nil:
			return v.c.Fail(err)
		case p.OK():
			v.c.Say(theme.Good, "%s go build and go test work without a network", v.c.Theme.Glyphs.Good)
		default:
			v.c.Say(theme.Bad, "%s the go command says no; its output is in the pane below", v.c.Theme.Glyphs.Bad)
		}
		v.proof = &p
		return nil
	})
}

// Copy implements view.View: what mends the row, or its name.
func (v *View) Copy() string {
	r := v.selected()
	switch {
	case r == nil:
		return "gpx deps"
	case r.m.Fix != "":
		return r.m.Fix
	}
	return redact.Text(r.m.Version.String())
}
