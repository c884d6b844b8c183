package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"gpx/cachectl/modcache"
	"gpx/envctl/change"
)

// A plan for a cache can have thousands of actions and keep thousands of
// versions. Scripts get all of them; people get the ones that weigh most, and
// what the others come to.
const (
	actionLines = 12
	keptLines   = 3 // of each reason
)

// MarshalJSON implements json.Marshaler: the document of a plan, with what it
// keeps where that was a question.
func (p proposal) MarshalJSON() ([]byte, error) {
	plan, err := json.Marshal(p.Plan)
	if err != nil || p.kept == nil {
		return plan, err
	}
	kept, err := json.Marshal(p.kept)
	if err != nil {
		return nil, err
	}
	return slices.Concat(plan[:len(plan)-1], []byte(`,"kept":`), kept, []byte("}")), nil
}

// printActions writes a line for each action, or for the largest of many.
func printActions(out *printer, actions []change.Action) {
	if len(actions) > actionLines {
		actions = slices.Clone(actions)
		slices.SortStableFunc(actions, func(x, y change.Action) int { return cmp.Compare(y.Bytes, x.Bytes) })
	}
	var rest, bytes int64
	final := false
	for i, act := range actions {
		if i >= actionLines {
			rest, bytes = rest+1, bytes+act.Bytes
			final = final || !act.Undoable
			continue
		}
		text := act.Kind + " " + act.Target
		if act.New != "" {
			text += " " + out.theme.Glyphs.Arrow + " " + act.New
		}
		if act.Bytes > 0 {
			text += " (" + size(act.Bytes) + ")"
		}
		if !act.Undoable {
			text += " " + out.sign(toneWarn, "cannot be undone")
		}
		out.text("  ", text)
	}
	if rest == 0 {
		return
	}
	text := "and " + count(rest, "more", "more")
	if bytes > 0 {
		text += " (" + size(bytes) + ")"
	}
	if final {
		text += " " + out.sign(toneWarn, "cannot be undone")
	}
	out.line("  " + text + out.dim("; all of them: --dry-run --json"))
}

// keptWords are the reasons for which versions stay, in the order in which
// people want to know of them.
var keptWords = []struct {
	reason    modcache.Reason
	one, many string
}{
	{modcache.OnlyCopy, "ONLY COPY: nobody who answers now can give it back", "ONLY COPY: nobody who answers now can give them back"},
	{modcache.Unasked, "nobody could be asked whether they can give it back", "nobody could be asked whether they can give them back"},
	{modcache.Running, "a running go command needs it", "running go commands need them"},
	{modcache.Arrived, "a running go command may have fetched it", "running go commands may have fetched them"},
	{modcache.Needed, "a known project needs it", "known projects need them"},
	{modcache.NotThere, "there is nothing of it to prune", "there is nothing of them to prune"},
	{modcache.Unnamable, "it is no module version", "they are no module versions"},
}

// printKept writes what a plan keeps, reason by reason, with the particulars of
// what was named and of what weighs most.
func printKept(out *printer, kept []modcache.Kept) {
	if len(kept) == 0 {
		return
	}
	out.line(out.dim("  keeps " + count(int64(len(kept)), "version", "versions") + ", " + size(bytesOf(kept))))
	for _, words := range keptWords {
		var group []modcache.Kept
		for _, k := range kept {
			if k.Reason == words.reason {
				group = append(group, k)
			}
		}
		if len(group) == 0 {
			continue
		}
		why := words.many
		if len(group) == 1 {
			why = words.one
		}
		text := count(int64(len(group)), "version", "versions") + ", " + size(bytesOf(group)) + ": " + why
		if words.reason == modcache.OnlyCopy {
			text = out.sign(toneWarn, text)
		}
		out.text("    ", text)
		slices.SortStableFunc(group, func(x, y modcache.Kept) int {
			if x.Named != y.Named {
				return named(y) - named(x)
			}
			return cmp.Compare(y.Bytes, x.Bytes)
		})
		for _, k := range group[:min(len(group), keptLines)] {
			out.text("      ", out.dim(k.Path+"@"+k.Version+"  "+size(k.Bytes)+"  "+k.Why))
		}
		if more := len(group) - keptLines; more > 0 {
			out.line(out.dim("      and " + count(int64(more), "more", "more") + "; all of them: --dry-run --json"))
		}
	}
}

func named(k modcache.Kept) int {
	if k.Named {
		return 1
	}
	return 0
}

func bytesOf(kept []modcache.Kept) (n int64) {
	for _, k := range kept {
		n += k.Bytes
	}
	return n
}

// changeProgress shows how far a change has come, on a terminal, ten times a
// second.
func (a *app) changeProgress() func(change.Progress) {
	var mu sync.Mutex
	var last time.Time
	return func(p change.Progress) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(last) < 100*time.Millisecond {
			return
		}
		last = now
		text := p.What
		if p.Total > 0 {
			text += " " + share(p.Done, p.Total)
		}
		a.progress(text)
	}
}

// share is how much of something is done.
func share(done, total int64) string {
	if total <= 0 {
		return ""
	}
	return strconv.FormatInt(min(done, total)*100/total, 10) + "%"
}
