package history

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/redact"
	"gpx/history/incident"
	"gpx/tui/actions"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// Actions implements view.View.
func (v *View) Actions() []actions.Action {
	s := &v.c.Services
	about := func(service bool) func() string { // what is about an incident
		return func() string {
			switch {
			case !service:
				return view.Lacking(false)
			case v.list == statistics:
				return "s goes back to the incidents"
			case v.subject() == nil:
				return "there is no incident"
			}
			return ""
		}
	}
	live := func(service bool) func() string { // what is about this machine now
		return func() string {
			if v.c.Player != nil {
				return "L ends the replay first"
			}
			return view.Lacking(service)
		}
	}
	return []actions.Action{
		{ID: "history.replay", View: Name, Key: actions.On("replay", "enter"), Footer: 3, Help: "show in all views what was seen in the incident",
			Disabled: about(s.Recording != nil), Do: v.replay},
		{ID: "history.stats", View: Name, Key: actions.On("statistics", "s"), Footer: 4, Help: "how reliable the endpoints were; again the incidents",
			Disabled: live(s.Stats != nil), Do: v.turn},
		{ID: "history.period", View: Name, Key: actions.On("period", "p"), Footer: 3, Help: "statistics: of another time",
			Disabled: func() string {
				if v.list != statistics {
					return "s shows the statistics"
				}
				return ""
			}, Do: v.nextPeriod},
		{ID: "history.detail", View: Name, Key: actions.On("detail", "d"), Footer: 9, Help: "show all that there is to say about the row",
			Disabled: func() string {
				if v.c.Player != nil {
					return "[ and ] go from event to event"
				}
				return ""
			}, Do: v.Open},
		{ID: "history.note", View: Name, Key: actions.On("note", "n"), Footer: 5, Help: "write a note about the incident", Disabled: about(s.SetNote != nil), Do: v.note},
		{ID: "history.report", View: Name, Key: actions.On("report", "e"), Footer: 5, Help: "write a report of the incident: Markdown, HTML or JSON",
			Disabled: about(s.Report != nil), Do: v.report},
		{ID: "history.backtest", View: Name, Key: actions.On("backtest", "b"), Footer: 5, Help: "how the incident would have gone with other settings",
			Disabled: about(s.Backtest != nil), Do: v.backtest},
		{ID: "history.export", View: Name, Key: actions.On("export", "x"), Footer: 7, Help: "write the incident as one file for a colleague",
			Disabled: about(s.ExportIncident != nil), Do: v.export},
		{ID: "history.import", View: Name, Key: actions.On("import", "i"), Footer: 8, Help: "take in the file of an incident", Disabled: live(s.ImportIncident != nil), Do: v.importFile},
	}
}

// subject is the incident that a key is about: that of the replay, else the one
// under the cursor.
func (v *View) subject() *incident.Incident {
	r := v.selected()
	switch {
	case r != nil:
		return &r.Incident
	case v.c.Player != nil:
		return &v.c.Player.Incident
	}
	return nil
}

// Copy implements view.View: the equal command.
func (v *View) Copy() string {
	if i := v.subject(); i != nil && v.list == incidents {
		return fmt.Sprintf("gpx history show %d", i.ID)
	}
	if v.list == statistics {
		if span := periods[v.period].span; span > 0 {
			return fmt.Sprintf("gpx history stats --since %.0fh", span.Hours())
		}
		return "gpx history stats"
	}
	return "gpx history ls"
}

func (v *View) replay() tea.Cmd { return v.c.Replay(v.subject().ID) }

// turn shows the other list.
func (v *View) turn() tea.Cmd {
	v.list = (v.list + 1) % lists
	v.open = false
	return v.look()
}

func (v *View) nextPeriod() tea.Cmd {
	v.period = (v.period + 1) % len(periods)
	return v.count()
}

func (v *View) note() tea.Cmd {
	i := v.subject()
	id := i.ID
	v.c.Dialogs.Push(dialog.NewPrompt(fmt.Sprintf("Note about #%d", id), []string{"What you want to know about it later. It stands in the list, in reports and in exports."},
		i.Note, nil, func(text string) tea.Cmd {
			text = strings.TrimSpace(text)
			return view.Start(v.c, "history note", "", func(ctx context.Context) (struct{}, error) {
				return struct{}{}, v.c.Services.SetNote(ctx, id, text)
			}, func(_ struct{}, err error) tea.Cmd {
				if err != nil {
					return v.c.Fail(err)
				}
				v.c.Say(theme.Good, "%s the note about #%d is kept", v.c.Theme.Glyphs.Good, id)
				return v.listAll()
			})
		}))
	return nil
}

// endings are the formats of a report.
var endings = []string{".md", ".html", ".json"}

func (v *View) report() tea.Cmd {
	id := v.subject().ID
	return v.toFile(fmt.Sprintf("Report of #%d", id), "The ending of its name chooses the format: .md is Markdown, .html a page that needs nothing else, .json for programs.",
		fmt.Sprintf("~/incident-%d.md", id), func(path string) string {
			for _, e := range endings {
				if strings.HasSuffix(strings.ToLower(path), e) {
					return ""
				}
			}
			return "the name has to end in " + strings.Join(endings, ", ")
		}, "writing the report", func(ctx context.Context, path string) error { return v.c.Services.Report(ctx, id, path) })
}

func (v *View) export() tea.Cmd {
	id := v.subject().ID
	title := fmt.Sprintf("Export #%d", id)
	v.c.Dialogs.Push(dialog.NewForm(title, []dialog.Field{{Label: "Names", Options: []string{"masked", "as they are"},
		Help: "Masked, hosts and private modules have made-up names. Credentials are in neither."}}, nil, nil, func(at []int) tea.Cmd {
		return v.toFile(title, "The file holds all that was seen around the incident; i takes it in on another machine.", fmt.Sprintf("~/incident-%d.gpx", id), nil,
			"exporting", func(ctx context.Context, path string) error {
				return v.c.Services.ExportIncident(ctx, id, path, at[0] == 0)
			})
	}))
	return nil
}

// toFile asks for the name of a file, and has write write it.
func (v *View) toFile(title, about, proposed string, check func(string) string, what string, write func(ctx context.Context, path string) error) tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPrompt(title, []string{about}, proposed, func(path string) string {
		path = strings.TrimSpace(path)
		switch {
		case path == "":
			return "type a path"
		case check != nil:
			return check(path)
		}
		return ""
	}, func(path string) tea.Cmd {
		to := view.Untilde(v.c.Env, path)
		return view.Start(v.c, "history file", what, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, write(ctx, to)
		}, func(_ struct{}, err error) tea.Cmd {
			if err != nil {
				return v.c.Fail(err)
			}
			return v.c.Say(theme.Good, "%s written: %s", v.c.Theme.Glyphs.Good, to)
		})
	}))
	return nil
}

func (v *View) importFile() tea.Cmd {
	v.c.Dialogs.Push(dialog.NewPrompt("Import an incident", []string{"The path of a file that x, or gpx history export, has written. Nothing of this machine's own is changed by it."}, "",
		func(path string) string {
			if strings.TrimSpace(path) == "" {
				return "type a path"
			}
			return ""
		}, func(path string) tea.Cmd {
			from := view.Untilde(v.c.Env, path)
			return view.Start(v.c, "history file", "importing", func(ctx context.Context) (int64, error) {
				return v.c.Services.ImportIncident(ctx, from)
			}, func(id int64, err error) tea.Cmd {
				if err != nil {
					return v.c.Fail(err)
				}
				v.c.Say(theme.Good, "%s imported as #%d", v.c.Theme.Glyphs.Good, id)
				v.sel = id
				return v.listAll()
			})
		}))
	return nil
}

func (v *View) backtest() tea.Cmd {
	id := v.subject().ID
	return view.Start(v.c, "history backtest", "trying other settings", func(ctx context.Context) ([]string, error) {
		return v.c.Services.Backtest(ctx, id)
	}, func(text []string, err error) tea.Cmd {
		if err != nil {
			return v.c.Fail(err)
		}
		for i := range text {
			text[i] = redact.Text(text[i])
		}
		v.c.Dialogs.Push(dialog.NewPager(fmt.Sprintf("#%d with other settings", id), false, func(th *theme.Theme, w int) (out []widget.Line) {
			for _, t := range fitTable(text, w, th.Glyphs.Ellipsis) {
				for _, s := range widget.Wrap(t, w) {
					out = append(out, widget.L(widget.S(theme.Text, s)))
				}
			}
			return out
		}))
		return nil
	})
}

// headings are the heads of a table's columns.
var headings = regexp.MustCompile(`\S+(?: \S+)*`)

// fitTable makes the widest column of a table so narrow that its rows fit into w
// cells. The table ends with the first empty line; what follows is text.
func fitTable(text []string, w int, ellipsis string) []string {
	if len(text) == 0 {
		return nil
	}
	rows := slices.Index(text, "")
	if rows < 0 {
		rows = len(text)
	}
	all := 0
	for _, t := range text[:rows] {
		all = max(all, widget.Width(t))
	}
	heads := headings.FindAllStringIndex(text[0], -1)
	from, to := 0, 0
	for i := 1; i < len(heads); i++ {
		if a, b := heads[i-1][0], heads[i][0]; b-a > to-from {
			from, to = a, b
		}
	}
	keep := to - from - 2 - (all - w)
	if all <= w || keep < 8 {
		return text
	}
	out := slices.Clone(text)
	for i, t := range text[:rows] {
		l := widget.T(t)
		cell := widget.Middle(strings.TrimRight(l.Cut(from, to).Plain(), " "), keep, ellipsis)
		out[i] = strings.TrimRight(l.Cut(0, from).Plain()+widget.Pad(cell, keep, false)+"  "+l.Cut(to, all).Plain(), " ")
	}
	return out
}
