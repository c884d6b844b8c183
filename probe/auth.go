package probe

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gpx/envctl/redact"
)

const (
	// authTime bounds the first run of the GOAUTH commands. A command that is
	// slower gets twice the time at the next try, up to authTimeMost.
	authTime     = 2 * time.Second
	authTimeMost = 8 * time.Second
	// authPause is the least time between two runs: after a failure, and for the
	// same host after a 4xx. The go command asks once per run of its own; gpx
	// probes the same host for hours.
	authPause = time.Minute
	// authOutput bounds what is read from a command.
	authOutput = 64 << 10
	// netrcMost bounds a netrc file: thousands of logins.
	netrcMost = 1 << 20
)

// An authority knows the credentials that the go command would attach, as
// cmd/go/internal/auth does: GOAUTH is a list of methods, the earlier one wins,
// and a credential belongs to a URL prefix. What a method said is kept for the
// life of the Prober; a 4xx answer makes it ask again, with the URL. The go command,
// which lives for a moment, reads a netrc file once; here it is read again.
type authority struct {
	goauth string
	vars   func(string) string // the OS environment
	env    []string
	now    func() time.Time

	turn  chan struct{} // holds the right to run commands
	files fileReader

	mu      sync.Mutex
	store   map[string]http.Header // URL prefix without https:// → headers
	ran     bool                   // the first run is done
	limit   time.Duration
	nextRun time.Time            // of the first run, after a failure
	asked   map[string]time.Time // host → last run for a URL of it
	problem string               // why the last run gave nothing, redacted
}

func newAuthority(goauth string, environ []string, now func() time.Time) *authority {
	if goauth == "" {
		goauth = "netrc" // the go command's default
	}
	return &authority{
		goauth: goauth, vars: lookupIn(environ), env: environ, now: now,
		turn: make(chan struct{}, 1), store: map[string]http.Header{},
		limit: authTime, asked: map[string]time.Time{},
	}
}

// methods are the entries of GOAUTH in the order in which they are run: the last
// first, so that earlier ones overwrite.
func (a *authority) methods() []method {
	var ms []method
	for entry := range strings.SplitSeq(a.goauth, ";") {
		ms = append(ms, method{strings.TrimSpace(entry), strings.Fields(entry)})
	}
	slices.Reverse(ms)
	return ms
}

// A method is one entry of GOAUTH, whole and in words.
type method struct {
	line  string
	words []string
}

// mayRenew reports whether m can say something else after an answer: a command always,
// a netrc file after one that wants other credentials. gpx may run for longer than
// those in the file are good.
func (m method) mayRenew(res *http.Response) bool {
	switch m.words[0] {
	case "off":
		return false
	case "netrc":
		return res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden
	}
	return true
}

// refusal says why the go command ends at its first https request, whatever the
// answer would be: GOAUTH is checked when it is first used (runGoAuth). It is ""
// for a value that can be used.
func (a *authority) refusal() string {
	ms := a.methods()
	for _, m := range ms {
		switch {
		case len(m.words) == 0:
			return "GOAUTH has an empty entry, and the go command refuses that"
		case m.words[0] == "off" && len(ms) > 1:
			return "GOAUTH=off cannot stand beside other methods"
		case m.words[0] != "git":
		case len(m.words) != 2 || !filepath.IsAbs(m.words[1]):
			return "GOAUTH=git wants one absolute directory"
		default:
			if st, err := os.Stat(m.words[1]); err != nil || !st.IsDir() {
				return "GOAUTH=git: " + m.words[1] + " is not a directory"
			}
		}
	}
	return ""
}

// prepare runs the methods once before the first https request. It is not part
// of an attempt's time, and has its own bound.
func (a *authority) prepare(ctx context.Context) {
	if a.goauth == "off" || a.isReady() || a.refusal() != "" {
		return
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-a.turn }()
	if a.isReady() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.limit)
	defer cancel()
	err := a.run(ctx, nil, "")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ran = true
	if errors.Is(err, context.DeadlineExceeded) {
		a.ran = false
		a.nextRun = a.now().Add(authPause)
		a.limit = min(2*a.limit, authTimeMost)
	}
	a.note(err)
}

func (a *authority) isReady() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ran || a.now().Before(a.nextRun)
}

// renew asks the methods that may have something new to say, after a 4xx answer to
// u, and reports whether the request would now carry other credentials.
func (a *authority) renew(ctx context.Context, u *url.URL, res *http.Response) bool {
	if !slices.ContainsFunc(a.methods(), func(m method) bool { return m.mayRenew(res) }) {
		return false
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-a.turn }()
	a.mu.Lock()
	last, ok := a.asked[u.Host]
	due := a.ran && (!ok || a.now().Sub(last) >= authPause) // not while a hanging command is left in peace
	if due {
		a.asked[u.Host] = a.now()
	}
	a.mu.Unlock()
	if due {
		bare := *u
		bare.User = nil // a command line is visible to everyone
		// Half of the attempt is for the command: the answer that is here already
		// must be read in the other half.
		ctx, cancel := context.WithTimeout(ctx, untilDeadline(ctx)/2)
		err := a.run(ctx, res, bare.String())
		cancel()
		a.mu.Lock()
		a.note(err)
		a.mu.Unlock()
	}
	fresh, _ := a.load(u.String())
	for name, values := range fresh {
		if !slices.Equal(values, res.Request.Header.Values(name)) {
			return true
		}
	}
	return false
}

func untilDeadline(ctx context.Context) time.Duration {
	if at, ok := ctx.Deadline(); ok {
		return time.Until(at)
	}
	return authTime
}

func (a *authority) note(err error) {
	a.problem = ""
	if err != nil {
		a.problem = truncate(redact.Text(err.Error()), detailRunes)
	}
}

// hint says why credentials may be missing, "" when nothing went wrong.
func (a *authority) hint() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// add attaches what is known for the request's URL and returns the secrets in it.
func (a *authority) add(req *http.Request) []string {
	if a.goauth == "off" {
		return nil
	}
	h, ok := a.load(req.URL.String())
	if !ok {
		return nil
	}
	for name, values := range h {
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
	return headerSecrets(h)
}

// load finds the longest prefix of raw that has credentials. Like the go command
// it takes the URL whole, so that one with userinfo of its own matches none.
func (a *authority) load(raw string) (http.Header, bool) {
	prefix := strings.TrimSuffix(strings.TrimPrefix(raw, "https://"), "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if h, ok := a.store[prefix]; ok {
			return h, true
		}
		slash := strings.LastIndexByte(prefix, '/')
		if slash < 0 {
			return nil, false
		}
		prefix = prefix[:slash]
	}
}

func (a *authority) keep(prefix string, h http.Header) {
	prefix = strings.TrimSuffix(strings.TrimPrefix(prefix, "https://"), "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(h) == 0 {
		delete(a.store, prefix)
		return
	}
	a.store[prefix] = h
}

// run asks every method. Its error is the first one's; the others are asked all
// the same.
func (a *authority) run(ctx context.Context, res *http.Response, raw string) error {
	var first error
	for _, m := range a.methods() {
		if err := a.ask(ctx, m, res, raw); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (a *authority) ask(ctx context.Context, m method, res *http.Response, raw string) error {
	switch m.words[0] {
	case "off":
		return nil
	case "netrc":
		if raw != "" && !m.mayRenew(res) {
			return nil
		}
		return a.netrc(ctx)
	case "git":
		return a.git(ctx, m.words[1], raw)
	default:
		return a.command(ctx, m.line, res, raw)
	}
}

// netrc reads the file like one of a tree: NETRC can name a pipe, or a file on a
// dead network file system.
func (a *authority) netrc(ctx context.Context) error {
	path, err := netrcPath(a.vars)
	if err != nil {
		return fmt.Errorf("GOAUTH=netrc: %w", err)
	}
	file, answered := a.files.read(ctx, path, netrcMost)
	switch {
	case !answered:
		return fmt.Errorf("GOAUTH=netrc: reading %s: %w", path, context.DeadlineExceeded)
	case errors.Is(file.err, fs.ErrNotExist):
		return nil
	case file.err != nil:
		return fmt.Errorf("GOAUTH=netrc: %w", file.err)
	case file.more:
		return fmt.Errorf("GOAUTH=netrc: %s is larger than %s", path, size(netrcMost))
	}
	for _, l := range slices.Backward(parseNetrc(string(file.data))) { // the first line of a host wins
		a.keep(l.machine, basic(l.login, l.password))
	}
	return nil
}

// git asks `git credential fill` in a directory that the user named. The go
// command also tells the helper whether the credential was good; a probe changes
// nothing.
func (a *authority) git(ctx context.Context, dir, raw string) error {
	if raw == "" {
		return nil // git credential can only be asked for a URL
	}
	out, err := runProcess(ctx, process{
		dir: dir, env: gitEnv(a.env), stdin: "url=" + raw + "\n", limit: authOutput,
		argv: []string{"git", "credential", "fill"},
	})
	if err != nil {
		return fmt.Errorf("GOAUTH=git: %w", err)
	}
	prefix, name, password := parseGitCredential(string(out.stdout))
	if prefix == "" || !strings.HasPrefix(raw, prefix) {
		return fmt.Errorf("GOAUTH=git: git credential gave nothing for %s", redact.URL(raw))
	}
	a.keep(prefix, basic(name, password))
	return nil
}

// command runs a GOAUTH command of the user's (go help goauth).
func (a *authority) command(ctx context.Context, line string, res *http.Response, raw string) error {
	argv, err := splitQuoted(line)
	if err != nil {
		return fmt.Errorf("GOAUTH: %w", err)
	}
	if raw != "" {
		argv = append(argv, raw)
	}
	out, err := runProcess(ctx, process{env: a.env, stdin: responseText(res), limit: authOutput, argv: argv})
	if err != nil {
		return fmt.Errorf("GOAUTH=%s: %w", argv[0], err)
	}
	found, err := parseCredentials(string(out.stdout))
	if err != nil {
		return fmt.Errorf("GOAUTH=%s: %w", argv[0], err)
	}
	for prefix, h := range found {
		a.keep(prefix, h)
	}
	return nil
}

// responseText is what a GOAUTH command reads on its standard input.
func responseText(res *http.Response) string {
	if res == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(res.Proto + " " + res.Status + "\n")
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		b.WriteString(name + ": " + strings.Join(res.Header[name], ", ") + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

func basic(name, password string) http.Header {
	token := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
	return http.Header{"Authorization": {"Basic " + token}}
}

// lookupIn returns getenv over an environment list, where a later entry wins.
func lookupIn(environ []string) func(string) string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			m[envName(name)] = value
		}
	}
	return func(name string) string { return m[envName(name)] }
}
