package proxies

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"gpx/envctl/chain"
	"gpx/envctl/redact"
	"gpx/probe/catalog"
	"gpx/tui/dialog"
	"gpx/tui/theme"
	"gpx/tui/view"
	"gpx/tui/widget"
)

// insert puts raw into the pending chain: before a final direct or off, else at
// the end, with "|" before what follows so that an outage of it is survived.
func (v *View) insert(raw string) tea.Cmd {
	hop, err := chain.ParseHop(raw)
	if err != nil {
		return v.c.Fail(err)
	}
	c, ok := v.current()
	if !ok {
		return v.c.Say(theme.Warn, "%s", v.cannotEdit())
	}
	at := len(c.Hops)
	if last := c.Hops[at-1].Kind; last == chain.Direct || last == chain.Off {
		at--
	}
	for i, h := range c.Hops {
		if h.URL == hop.URL {
			v.edit(c.Top(i), 0)
			return v.c.Say(theme.Text, "it was in the chain already: moved to the top")
		}
	}
	hop.Separator = chain.Pipe
	next := c.Insert(at, hop)
	if at > 0 {
		next = next.WithSeparator(at-1, chain.Pipe)
	}
	v.edit(next, at)
	if v.c.Services.AddEndpoint == nil {
		return nil
	}
	return view.Start(v.c, "watch", "", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.c.Services.AddEndpoint(ctx, raw)
	}, func(_ struct{}, err error) tea.Cmd { return v.c.Fail(err) })
}

// add asks once whether the catalog may be probed, then offers it.
func (v *View) add() tea.Cmd {
	if v.c.Services.Consent == nil {
		return v.offer()
	}
	type answer struct{ granted, asked bool }
	return view.Start(v.c, "consent", "", func(ctx context.Context) (answer, error) {
		g, a, err := v.c.Services.Consent(ctx)
		return answer{g, a}, err
	}, func(a answer, err error) tea.Cmd {
		if err != nil || a.asked || v.c.Services.SetConsent == nil {
			return tea.Batch(v.c.Fail(err), v.offer())
		}
		n := 0
		for _, e := range v.catalog() {
			if !e.Retired {
				n++
			}
		}
		v.c.Dialogs.Push(dialog.NewConfirm("Probe the catalog?", []string{
			fmt.Sprintf("gpx knows %d public proxies. Probing them shows which of them work from here; each is asked for one small public module and so learns your address.", n),
			"Nothing about your project is sent. The answer is remembered; gpx config changes it.",
		}, "No, only list them", "Probe them (y)", func(yes bool) tea.Cmd {
			remember := view.Start(v.c, "consent", "", func(ctx context.Context) (struct{}, error) {
				return struct{}{}, v.c.Services.SetConsent(ctx, yes)
			}, func(_ struct{}, err error) tea.Cmd { return v.c.Fail(err) })
			return tea.Batch(remember, v.offer())
		}))
		return nil
	})
}

func (v *View) catalog() []catalog.Entry {
	if v.c.Services.Catalog == nil {
		return nil
	}
	var out []catalog.Entry
	for _, e := range v.c.Services.Catalog() {
		if e.Kind == "" || e.Kind == catalog.Proxy {
			out = append(out, e)
		}
	}
	return out
}

// offer lists the catalog. A URL of one's own can be typed or pasted into the
// line that narrows the list, or behind the first item.
func (v *View) offer() tea.Cmd {
	g := &v.c.Theme.Glyphs
	items := []dialog.Item{{Title: "another URL" + g.Ellipsis, Detail: "A module proxy (https://…) or a file tree (file:///…) of your own."}}
	for _, e := range v.catalog() {
		it := dialog.Item{Title: redact.URL(e.URL), Note: redact.Text(e.Operator + ", " + e.Region), Value: e.URL,
			Mark: widget.S(theme.Idle, g.Idle), Right: e.State,
			Detail: redact.Text(fmt.Sprintf("%s. Serves the checksum database: %s. As of %s, confidence %s, source: %s.", strings.TrimSuffix(e.Note, "."), e.SumDB, e.Date, e.Confidence, e.Source))}
		if e.Note == "" {
			it.Detail = strings.TrimPrefix(it.Detail, ". ")
		}
		if e.Retired {
			it.Disabled = "retired; old guides still name it"
			it.Mark = widget.S(theme.Bad, g.Bad)
		}
		for i := range v.c.Snapshot.Endpoints {
			if st := &v.c.Snapshot.Endpoints[i]; st.URL == it.Title {
				s := view.StateSpan(g, st.Kind, st.Health, st.Class)
				it.Mark = widget.S(s.Role, strings.Fields(s.Text)[0])
				if st.Window.P50 > 0 {
					it.Right = strings.ToLower(strings.Fields(s.Text)[1])
				}
			}
		}
		items = append(items, it)
	}
	v.c.Dialogs.Push(dialog.NewChoose("Add a hop", items, func(it dialog.Item) tea.Cmd {
		if raw, ok := it.Value.(string); ok {
			return v.insert(raw)
		}
		v.c.Dialogs.Push(dialog.NewPrompt("Add a hop", []string{"The base URL of a module proxy, or file:///path of a tree. It becomes a pending edit; w writes it."}, "",
			func(s string) string {
				if strings.TrimSpace(s) == "" {
					return "type a URL"
				}
				if _, err := chain.ParseHop(s); err != nil {
					return err.Error()
				}
				return ""
			}, v.insert))
		return nil
	}).OrTyped(func(s string) (dialog.Item, bool) {
		hop, err := chain.ParseHop(s)
		_, rest, ok := strings.Cut(s, ":/")
		return dialog.Item{Title: hop.Redacted(), Note: "as typed", Value: s}, ok && err == nil && strings.Trim(rest, "/") != ""
	}))
	return nil
}
