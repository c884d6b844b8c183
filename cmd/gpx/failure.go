package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gpx/envctl/advice"
	"gpx/envctl/redact"
)

// Exit statuses.
const (
	statusDone        = 0   // done, or healthy
	statusFailed      = 1   // it did not work
	statusUsage       = 2   // the command line asks for something that cannot be
	statusBadNews     = 3   // done, and the answer is bad news
	statusInterrupted = 130 // ctrl+c, as a shell reports SIGINT
)

// A failure is an error with what a person needs to go on and what a script
// needs to decide. Its text is clean and holds no credentials.
type failure struct {
	Op      string `json:"op"`      // the command: "use", "sumdb off"
	Target  string `json:"target"`  // what it was about: a file, a URL, a module
	Class   string `json:"class"`   // one word for scripts: "usage", "failed", …
	Message string `json:"message"` // why
	Hint    string `json:"hint"`    // what to do next

	status int
	cause  error
}

func (f *failure) Error() string {
	var b strings.Builder
	b.WriteString(f.Op)
	if f.Target != "" {
		b.WriteString(": " + f.Target)
	}
	b.WriteString(": " + f.Message)
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

func (f *failure) Unwrap() error { return f.cause }

// hint says what to do next.
func (f *failure) hint(format string, args ...any) *failure {
	f.Hint = redact.Text(fmt.Sprintf(format, args...))
	return f
}

// failed says that op did not work on target, because of err.
func failed(op, target string, err error) *failure {
	f := &failure{
		Op: op, Target: redact.Text(target), Class: "failed",
		status: statusFailed, cause: err,
	}
	f.Message, f.Hint = splitAdvice(withoutPrefix(redact.Text(err.Error()), op, f.Target), redact.Text(advice.Of(err)))
	var inner *failure
	if errors.As(err, &inner) {
		f.Class, f.Message, f.Hint, f.status = inner.Class, inner.Message, inner.Hint, inner.status
		if inner.Target != "" {
			f.Target = inner.Target
		}
	}
	return f
}

// splitAdvice parts an error's text where next begins in it, which is empty where
// there is no advice. [failure.Error] puts the parts together again.
func splitAdvice(text, next string) (why, hint string) {
	at := strings.Index(text, "; "+next)
	if next == "" || at < 0 {
		return text, ""
	}
	return text[:at], text[at+len("; "):]
}

// withoutPrefix is an error's text without the head that [failure.Error] writes
// before it: the floors below say what failed, and on what, too.
func withoutPrefix(text, op, target string) string {
	family, _, _ := strings.Cut(op, " ") // "offline" of "offline on"
	heads := []string{op + ": ", family + ": "}
	if target != "" {
		heads = append([]string{op + " " + target + ": "}, append(heads, target+": ")...)
	}
	for _, head := range heads {
		text = strings.TrimPrefix(text, head)
	}
	return text
}

// usage says that op cannot be asked for like this.
func usage(op, format string, args ...any) *failure {
	return &failure{Op: op, Class: "usage", Message: redact.Text(fmt.Sprintf(format, args...)), status: statusUsage}
}

// interrupted makes of err the failure of ctrl+c, keeping what was being done.
func interrupted(err error) *failure {
	f := &failure{Op: "gpx"}
	errors.As(err, &f)
	g := *f
	g.Class, g.Message, g.Hint, g.status, g.cause = "interrupted", "interrupted", "", statusInterrupted, context.Canceled
	return &g
}

// errBadNews ends a command whose answer was printed, and is bad news.
var errBadNews = errors.New("bad news")

// asFailure makes a failure of any error. What is no failure by now comes from
// cobra and concerns the command line.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return usage("gpx", "%v", err).hint("see: gpx --help")
}

// finish reports err and returns the exit status.
func (a *app) finish(args []string, err error) int {
	a.progress("")
	if err == nil {
		return statusDone
	}
	if errors.Is(err, errBadNews) {
		return statusBadNews
	}
	if child := childStatus(0); errors.As(err, &child) {
		return int(child)
	}
	f := asFailure(err)
	// A flag that does not parse leaves --json unread. Where standard output is
	// what failed, there is standard error.
	json := a.flags.json || slices.Contains(args, "--json")
	if json && a.out.err == nil {
		a.out.document(map[string]*failure{"error": f})
	}
	if !json || a.out.err != nil {
		text := f.Error()
		if !strings.HasPrefix(text, "gpx: ") {
			text = "gpx " + text
		}
		a.errs.text("", text)
	}
	return f.status
}
