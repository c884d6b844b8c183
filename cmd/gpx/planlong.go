package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"gpx/envctl/change"
)

// A plan for a cache can have thousands of actions and keep thousands of
// versions. Scripts get all of them; people get the ones that weigh most, and
// what the others come to.
const (
	actionLines = 12
	keptLines   = 8
	keptNames   = 3 // versions that a line of what is kept names
)

// A keptVersion is a module version that a plan does not take, and why.
type keptVersion struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Why     string `json:"why"`
	Bytes   int64  `json:"bytes"`
}

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
		out.line("  " + text)
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

// printKept writes what a plan keeps, reason by reason.
func printKept(out *printer, kept []keptVersion) {
	if len(kept) == 0 {
		return
	}
	groups := map[string][]keptVersion{}
	var reasons []string
	for _, k := range kept {
		if groups[k.Why] == nil {
			reasons = append(reasons, k.Why)
		}
		groups[k.Why] = append(groups[k.Why], k)
	}
	slices.SortStableFunc(reasons, func(x, y string) int { return cmp.Compare(len(groups[y]), len(groups[x])) })
	out.line(out.dim("  keeps " + count(int64(len(kept)), "version", "versions") + ", " + size(bytesOf(kept))))
	more := 0
	for i, why := range reasons {
		group := groups[why]
		if i >= keptLines {
			more += len(group)
			continue
		}
		text := count(int64(len(group)), "version", "versions") + ", " + size(bytesOf(group)) + ": " + why
		out.text("    ", text+out.dim(namesOf(group)))
	}
	if more > 0 {
		out.line(out.dim("    and " + count(int64(more), "version", "versions") + " for other reasons; all of them: --dry-run --json"))
	}
}

func bytesOf(kept []keptVersion) (n int64) {
	for _, k := range kept {
		n += k.Bytes
	}
	return n
}

// namesOf names a few of a group in parentheses; of a large one, none: they
// would say nothing.
func namesOf(group []keptVersion) string {
	if len(group) > keptNames {
		return ""
	}
	text := ""
	for i, k := range group {
		if i > 0 {
			text += ", "
		}
		text += k.Path + "@" + k.Version
	}
	return " (" + text + ")"
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
