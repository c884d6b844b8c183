package cache

import (
	"context"
	"errors"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/mod/module"

	"gpx/envctl/redact"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// export asks what goes into a bundle, and where that is written.
func (v *View) export() tea.Cmd {
	if v.level == building {
		return v.askPath("Export the build cache", view.Export{Build: true}, "~/build-cache.tar.zst", []string{
			"Written is what is built, for a machine with the same Go, settings and folders. Name a file that ends in .tar.zst or .tar."})
	}
	var items []dialog.Item
	add := func(title, note string, e view.Export) {
		items = append(items, dialog.Item{Title: title, Note: note, Value: e})
	}
	if v.inv != nil {
		for _, c := range v.choices() {
			note := plural(len(c.list), "version") + ", " + size(bytesOf(c.list))
			if c.all {
				break
			}
			var ms []module.Version
			for i := range c.list {
				ms = append(ms, c.list[i].Version)
			}
			add(c.title, note, view.Export{Versions: ms})
		}
	}
	add("what this project needs", "as far as the cache has it", view.Export{Project: true})
	add("everything", "the whole module cache", view.Export{All: true})
	v.c.Dialogs.Push(dialog.NewChoose("Export", items, func(it dialog.Item) tea.Cmd {
		return v.askPath("Export "+it.Title, it.Value.(view.Export), "~/gpx-bundle.tar.zst", []string{
			"A bundle is a GOPROXY file tree, checksum database inside: any go command builds from it. A name that ends in .tar.zst or .tar is one file, any other a folder; to a folder that is there only what it lacks is added."})
	}))
	return nil
}

// askPath asks where e is to be written, and writes it there.
func (v *View) askPath(title string, e view.Export, proposed string, about []string) tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPrompt(title, about, proposed, noPath, func(path string) tea.Cmd {
		e.Path = strings.TrimSpace(path)
		return view.StartWhole(v.c, "cache export", "exporting", func(ctx context.Context) (view.Outcome, error) {
			return v.c.Services.Export(ctx, e, func(s view.Step) { view.Report(ctx, s) })
		}, func(o view.Outcome, err error) tea.Cmd {
			switch {
			case errors.Is(err, context.Canceled):
				return v.c.Say(theme.Text, "exporting was stopped: nothing is left of it")
			case err != nil:
				return v.c.Fail(err)
			}
			return v.exported(o)
		})
	}))
	return nil
}

// exported says what was written, and what there is to know about it.
func (v *View) exported(o view.Outcome) tea.Cmd {
	v.c.Say(theme.Good, "%s exported %s", v.c.Theme.Glyphs.Good, o.Text)
	if len(o.Notes) == 0 {
		return nil
	}
	v.c.Dialogs.Push(dialog.NewPager("Exported", false, func(th *theme.Theme, w int) []widget.Line {
		out := []widget.Line{widget.L(widget.S(theme.Good, th.Glyphs.Good+" "+redact.Text(o.Text))), nil}
		for _, n := range o.Notes {
			for _, s := range widget.Wrap(redact.Text(n), w) {
				out = append(out, widget.L(widget.S(theme.Text, s)))
			}
		}
		return out
	}))
	return nil
}

// noPath refuses an empty answer.
func noPath(s string) string {
	if strings.TrimSpace(s) == "" {
		return "type a path"
	}
	return ""
}

// importBundle asks for a bundle, looks into it and shows what it would add.
func (v *View) importBundle() tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPrompt("Import", []string{
		"The path of a bundle: a folder, a .tar or a .tar.zst; any GOPROXY file tree will do. Every hash is checked, and nothing that is there is overwritten."},
		"", noPath, func(path string) tea.Cmd {
			return view.Start(v.c, "plan", "looking into the bundle", func(ctx context.Context) (view.Proposal, error) {
				return v.c.Services.PlanImport(ctx, strings.TrimSpace(path), func(s view.Step) { view.Report(ctx, s) })
			}, func(p view.Proposal, err error) tea.Cmd {
				switch {
				case err != nil:
					return v.c.Fail(err)
				case p.Plan != nil && len(p.Plan.Actions) == 0:
					return v.c.Say(theme.Text, "nothing to import: %s", strings.Join(p.Why, "; "))
				}
				return v.c.Propose(p)
			})
		}))
	return nil
}
