package change

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gpx/envctl/redact"
)

// A Progress says how far a change in flight has come.
type Progress struct {
	What  string // what is going on, such as "moving to the trash"; clean
	Done  int64  // of Total
	Total int64  // 0 when nobody knows
	Unit  string // what Done and Total count, in the plural: "versions", "bytes"
}

// WithProgress returns a context for [Changer.Apply] under which report is told
// how far the change has come. report is called from the goroutines of the
// kinds, often, and must not block.
func WithProgress(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

type progressKey struct{}

// Report tells whoever applies the change how far it has come. Kinds call it.
func Report(ctx context.Context, p Progress) {
	if report, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		report(p)
	}
}

// Leave says that a Kind's Do left the thing that a names as it is, and why:
// somebody else is at work on it, or it is not what it was when the plan was
// made. The change stands without it; the plan's warnings and the change's note
// name it.
func Leave(ctx context.Context, a Action, why string) {
	remarksOf(ctx).add(remark{action: a, why: redact.Text(why)})
}

// Remark adds a sentence to the plan's warnings and the note of the change: what
// a Kind's Revert or Behind has to say.
func Remark(ctx context.Context, text string) {
	remarksOf(ctx).add(remark{why: redact.Text(text)})
}

// A remark is what a kind said while it worked.
type remark struct {
	action Action // zero: it is about the change as a whole
	why    string
}

// remarks are those of one change. The zero value and nil are ready.
type remarks struct {
	mu   sync.Mutex
	list []remark
}

type remarksKey struct{}

// listening returns a context in which kinds are heard.
func listening(ctx context.Context) (context.Context, *remarks) {
	r := &remarks{}
	return context.WithValue(ctx, remarksKey{}, r), r
}

func remarksOf(ctx context.Context) *remarks {
	r, _ := ctx.Value(remarksKey{}).(*remarks)
	return r
}

func (r *remarks) add(one remark) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

// into tells p what was left as it is, and returns all remarks as one note.
func (r *remarks) into(p *Plan) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var said, left []string
	for _, one := range r.list {
		if one.action.Target == "" {
			said = append(said, one.why)
			if p != nil {
				p.Warn(one.why)
			}
			continue
		}
		left = append(left, one.action.Target)
		if p != nil {
			p.left = append(p.left, one.action.Target)
			p.Warn(one.action.Target + " was left as it is: " + one.why)
			p.FreedBytes = max(0, p.FreedBytes-one.action.Bytes)
		}
	}
	if len(left) > 0 {
		said = append(said, "left as it is: "+few(left))
	}
	return strings.Join(said, "; ")
}

// LeftBehind reports whether the plan, once it was applied, had left the thing that an
// action targets as it is (see [Leave]).
func (p *Plan) LeftBehind(target string) bool { return slices.Contains(p.left, target) }

// few names the first of a list and counts the others.
func few(names []string) string {
	const most = 3 // what a line of a notice can hold
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
