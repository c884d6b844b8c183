package cache

import (
	"context"
	"errors"
	"fmt"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/cachectl/modcache"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
)

// verify asks what is to be checked, and with whose hashes.
func (v *View) verify() tea.Cmd {
	cs := v.choices()
	form := []dialog.Field{
		{Label: "What", Options: titles(cs), Help: "Nothing is changed. Damages show up in the table as they are found, each with the command that mends it."},
		{Label: "Database", Options: []string{"as cached", "ask it now"}, Help: "What the checksum database says: as far as the go command has cached it, or also what it answers now, by the route that go takes."},
	}
	about := func(at []int) []string {
		c := cs[at[0]]
		return []string{fmt.Sprintf("%s, %s. The project's go.sum is a witness too.", plural(len(c.list), "version"), size(bytesOf(c.list)))}
	}
	v.c.Dialogs.Push(dialog.NewForm("Verify the module cache", form, about, nil, func(at []int) tea.Cmd {
		c := cs[at[0]]
		return v.check(view.Verify{Versions: c.list, All: c.all, Online: at[1] == 1})
	}))
	return nil
}

// check verifies; what it finds shows up at once.
func (v *View) check(what view.Verify) tea.Cmd {
	vs := what.Versions
	for i := range vs { // what was found before is looked at again
		delete(v.bad, vs[i].Version)
		delete(v.checked, vs[i].Version)
	}
	v.rebuild()
	return view.Stream(v.c, "cache verify", "verifying "+plural(len(vs), "version"), func(ctx context.Context, send func(modcache.Bad)) (modcache.VerifyResult, error) {
		return v.c.Services.Verify(ctx, what, func(p modcache.VerifyProgress) {
			view.Report(ctx, view.Step{Text: fmt.Sprintf("%d of %d", p.Done, p.Total), Done: p.Bytes, Total: p.TotalBytes})
		}, send)
	}, func(found []modcache.Bad) {
		v.found(found)
		v.rebuild()
	}, func(r modcache.VerifyResult, err error) tea.Cmd {
		if errors.Is(err, context.Canceled) {
			return v.c.Say(theme.Text, "verifying was stopped: %d damaged among what was looked at", len(v.bad))
		}
		if err != nil {
			return v.c.Fail(err)
		}
		for i := range vs {
			delete(v.bad, vs[i].Version)
			v.checked[vs[i].Version] = true
		}
		v.found(r.Bad)
		v.rebuild()
		return v.verified(r)
	})
}

// found notes damages.
func (v *View) found(bad []modcache.Bad) {
	for i := range bad {
		m := moduleOf(&bad[i])
		v.bad[m] = append(v.bad[m], bad[i])
		delete(v.checked, m)
	}
}

// moduleOf is the version that b is about: what b itself knows, or else its clean
// name.
func moduleOf(b *modcache.Bad) module.Version {
	if m := b.Module(); m.Path != "" {
		return m
	}
	return module.Version{Path: b.Path, Version: b.Version}
}

// verified says what a verification came to.
func (v *View) verified(r modcache.VerifyResult) tea.Cmd {
	g := &v.c.Theme.Glyphs
	broken := map[module.Version]bool{}
	for i := range r.Bad {
		broken[moduleOf(&r.Bad[i])] = true
	}
	what := fmt.Sprintf("%s verified, %s", plural(r.Checked, "version"), size(r.Bytes))
	if r.Busy > 0 {
		what += fmt.Sprintf("; %d left out, a go command downloads them", r.Busy)
	}
	switch {
	case r.Database.Untrusted > 0:
		return v.c.Say(theme.Bad, "%s %s; the checksum database contradicts itself: %s", g.Bad, what, r.Database.Problem)
	case len(broken) > 0:
		v.lists[modules].order, v.lists[versions].order = byRisk, byRisk // what is damaged comes first
		v.rebuild()
		v.list().table.Select(0)
		v.remember()
		return v.c.Say(theme.Bad, "%s %s: %d damaged, first in the list", g.Bad, what, len(broken))
	}
	return v.c.Say(theme.Good, "%s %s: all whole; vouched for by the checksum database %d, by go.sum %d, by nobody outside %d", g.Good, what, r.BySumDB, r.BySum, r.Unproven)
}
