package chain

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"gpx/envctl/redact"
)

// The tests in this file ask the go command itself. Nothing leaves the
// machine: every host but loopback is dialled through a forward proxy on a port
// where nobody listens, and loopback hosts are on dead ports too.

// dead is an address that refuses.
const dead = "127.0.0.1:1"

// oracle runs the go command in an empty world.
type oracle struct {
	dir string
	env []string
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("missing program: go")
	}
	dir := t.TempDir()
	for _, config := range []string{".config", "Library/Application Support"} {
		// Otherwise the go command leaves a process behind that writes there.
		telemetry := filepath.Join(dir, config, "go", "telemetry")
		if err := errors.Join(os.MkdirAll(telemetry, 0o777), os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "USERPROFILE=" + dir, "GOENV=off", "GO111MODULE=on", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw",
		"GOPATH=" + filepath.Join(dir, "gopath"), "GOCACHE=" + filepath.Join(dir, "gocache"), "GIT_TERMINAL_PROMPT=0",
		"HTTPS_PROXY=http://" + dead, "HTTP_PROXY=http://" + dead, "NO_PROXY=",
	}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		env = append(env, "SYSTEMROOT="+root)
	}
	return &oracle{dir, env}
}

// run returns what go prints on standard error.
func (o *oracle) run(env []string, args ...string) string {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = o.dir, append(o.env[:len(o.env):len(o.env)], env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run() // the messages say more than the status
	return stderr.String()
}

// each runs check on every value, a few at a time.
func each(t *testing.T, values []string, check func(value string) string) {
	t.Helper()
	var wg sync.WaitGroup
	work := make(chan string)
	for range runtime.GOMAXPROCS(0) + 1 {
		wg.Go(func() {
			for v := range work {
				if msg := check(v); msg != "" {
					t.Errorf("%q: %s", v, msg)
				}
			}
		})
	}
	for _, v := range values {
		work <- v
	}
	close(work)
	wg.Wait()
}

// scriptValues finds the values that cmd/go's own test scripts give to a
// variable, with stand-ins for what only the scripts' engine knows.
func scriptValues(t *testing.T, name string, subst map[string]string) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("missing program: go")
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "src/cmd/go/testdata/script")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("missing program: the go command's sources (GOROOT/src); its test scripts are the oracle here")
	}
	line := regexp.MustCompile(`(?m)^(?:\[[^]]*\] *)*env (.*)$`)
	var values []string
	for _, script := range []string{"mod_proxy_list", "mod_proxy_invalid", "mod_gonoproxy", "mod_sumdb_proxy", "mod_sumdb_file_path", "env_write"} {
		data, err := os.ReadFile(filepath.Join(dir, script+".txt"))
		if err != nil {
			t.Fatalf("the go command's own test script is gone; find the values elsewhere: %v", err)
		}
		for _, m := range line.FindAllStringSubmatch(string(data), -1) {
			assignment, _, _ := strings.Cut(m[1], " #")
			v, ok := strings.CutPrefix(assignment, name+"=")
			if !ok {
				continue
			}
			v = strings.ReplaceAll(v, "'", "")
			values = append(values, os.Expand(v, func(name string) string {
				s, ok := subst[name]
				if !ok {
					t.Fatalf("%s: no stand-in for $%s", script, name)
				}
				return s
			}))
		}
	}
	return values
}

// grammarError recognises a message about the text of GOPROXY, as opposed to
// one about what happened when it was used.
var grammarError = regexp.MustCompile(`GOPROXY list is not|invalid proxy URL|invalid file:// proxy URL|: parse "`)

func TestParseAsTheGoCommand(t *testing.T) {
	o := newOracle(t)
	values := scriptValues(t, "GOPROXY", map[string]string{"proxy": "http://" + dead + "/mod", "GOPROXY": "http://" + dead + "/mod", "WORK": "/nonexistent"})
	if len(values) < 15 {
		t.Fatalf("only %d GOPROXY values found in the go command's test scripts", len(values))
	}
	values = append(values,
		",", " ", "|", "word", "word,direct", "off", "direct", " off ", "off|ftp://x", "direct,ftp://x", "ftp://x", "OFF", "Direct", "noproxy", "none",
		"/abs", "./rel", "rel/path", "a:b", "a.b:c", ":/", "://", "https:/", "https://", "http:", "file:", "file:/x", "file://x", "file:///x", "file:///x?y", "file:///x#y", "file:x/", "FILE:///x",
		"file://u:p@/x", "file:///x%2fy", "file:///x%zz", "https://[::1", "https://[::1]", "https://a b", "https://a/b c", "https://a:b", "https://a:80,https://a:-1", "https://a%zz", "https://%41", "https://a\x01b", "https://a\tb",
		"https://u:p,q@h", "https://u:p@h", "https://u@h", "https://u:p/q@h", "https://u:p%zz@h", "https://u:p q@h", "https://é.example.com", "\u00a0off\u00a0", "a.b\u3000", "\ufeffoff", "https://a\\b", `https://a"b`, "https://a?b", "https://a#b", "C:\\x", "C:/x",
		"localhost", "localhost/x", "localhost:1", "127.0.0.1:1", "[::1]:1", "//a.b", "a//b", "-", ".", "..", "https://h/%2e%2e", "\xff.b", "https://\xff",
	)
	rng := rand.New(rand.NewPCG(2, 7))
	for range 250 {
		values = append(values, randomChain(rng))
	}
	each(t, values, func(value string) string {
		if strings.ContainsRune(value, 0) || value == "" {
			return "" // no environment variable can hold the first, the second is unset
		}
		_, err := Parse(value)
		// The version is asked for, so that a tree or proxy gives up at once.
		stderr := o.run([]string{"GOPROXY=" + value, "GOSUMDB=off"}, "list", "-m", "example.invalid/m@v1.0.0")
		msg := strings.TrimSuffix(strings.TrimPrefix(stderr, "go: "), "\n")
		switch rejects := grammarError.MatchString(": " + msg); {
		case err == nil && rejects:
			return "accepted; the go command says " + msg
		case err != nil && !rejects:
			return fmt.Sprintf("%v; the go command goes ahead: %s", err, msg)
		case err != nil:
			msg = msg[strings.Index(msg, ": ")+2:] // the module
			if want := redactMessage(msg); want != strings.TrimSuffix(err.Error(), separatorHint) {
				return fmt.Sprintf("other message:\n got %s\nwant %s", err, want)
			}
		}
		return ""
	})
}

// redactMessage hides in a message of the go command what ours hides: the URL
// in it is known to be one.
func redactMessage(msg string) string {
	if rest, ok := strings.CutPrefix(msg, "parse "); ok {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return err.Error()
		}
		u, _ := strconv.Unquote(quoted)
		return fmt.Sprintf("parse %q%s", redact.URL(u), redact.Text(rest[len(quoted):]))
	}
	if i := strings.LastIndex(msg, "): "); i > 0 {
		return msg[:i+3] + redact.URL(msg[i+3:])
	}
	for _, m := range []string{"non-path elements: ", "missing scheme: "} {
		if before, u, ok := strings.Cut(msg, m); ok {
			return before + m + redact.URL(u)
		}
	}
	return msg
}

// randomChain is a value with the joints of the grammar in it: separators,
// blanks, words, schemes, characters that URLs refuse.
func randomChain(rng *rand.Rand) string {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	entry := func() string {
		switch rng.IntN(8) {
		case 0:
			return pick("off", "direct", "", " ", "word", "noproxy", "Off")
		case 1:
			return "file:" + pick("", "/", "//", "///") + pick("", "srv", "srv/go", "a%20b", "%") + pick("", "", "?q", "#f")
		case 2:
			return pick("ftp", "HTTP", "x-y", "1a", "") + pick(":", ":/", "://") + pick("h", "h.example.com", "")
		case 3: // anything
			var b strings.Builder
			for range rng.IntN(12) {
				b.WriteString(pick("a", ".", ":", "/", "@", "%", "4", "1", "[", "]", "?", "#", " ", "\t", "\\", "é", "\u00a0", "\"", "<", "-"))
			}
			return b.String()
		default:
			return pick("", "https://", "http://", "https:/") + pick("", "", "u@", "u:p@", "u:p:q@", ":@") + pick("h.example.com", "localhost", "127.0.0.1", "[::1]", "h") + pick("", "", ":1", ":x", ":") + pick("", "/", "/go", "/a//b", "/%41", "/%4")
		}
	}
	var b strings.Builder
	for range 1 + rng.IntN(3) {
		b.WriteString(pick("", "", " ") + entry() + pick("", " ", ",", "|", ",", "|", ",|"))
	}
	return strings.ReplaceAll(b.String(), "\x00", "")
}

func TestParseSumDBAsTheGoCommand(t *testing.T) {
	o := newOracle(t)
	tree := filepath.Join(o.dir, "tree")
	writeModule(t, tree)
	key := func(name string) string {
		_, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)), name)
		if err != nil {
			t.Fatal(err)
		}
		return vkey
	}
	values := scriptValues(t, "GOSUMDB", map[string]string{"sumdb": key("localhost.localdev/sumdb"), "proxy": "http://" + dead + "/mod", "dbname": "localhost.localdev/sumdb"})
	if len(values) < 5 {
		t.Fatalf("only %d GOSUMDB values found in the go command's test scripts", len(values))
	}
	good := key("db.example.com")
	values = append(values,
		" ", "off", " off", "OFF", "sum.golang.org", "sum.golang.google.cn", " sum.golang.google.cn", "sum.golang.org ", "sum.golang.org https://x.example.com", "sum.golang.org x y", "sum.golang.org %zz", "sum.golang.org :x",
		"sum.golang.org https://u:p@x.example.com", "sum.golang.org https://u:p%zz@x.example.com", "sum.example.com", "a+b", "a+b+c", good, good+"x", good[:len(good)-2], "\t"+good+"\u00a0https://x.example.com",
		key("db.example.com/path"), key("db.example.com/path/"), key("db.example.com/"), key("db.example.com:8080"), key("db.example.com/%2f"), key("db.example.com?x"), key("db.example.com#x"), key("u:p@db.example.com"), key("/x"), key("x/../y"), key("db.example.com/a%20b"),
	)
	rng := rand.New(rand.NewPCG(2, 8))
	for range 60 {
		b := []byte(good)
		if rng.IntN(2) == 0 {
			b[rng.IntN(len(b))] = "aA+/=.0 \t"[rng.IntN(9)]
		}
		values = append(values, string(b)+[]string{"", " ", " https://x.example.com", " a b", " http://[::1", " /x", "  ://"}[rng.IntN(7)])
	}
	var n int
	var mu sync.Mutex
	each(t, values, func(value string) string {
		if value == "" {
			return ""
		}
		mu.Lock()
		n++
		cache := filepath.Join(o.dir, "cache", fmt.Sprint(n))
		mu.Unlock()
		db, err := ParseSumDB(value)
		stderr := o.run([]string{"GOPROXY=file://" + filepath.ToSlash(tree), "GOSUMDB=" + value, "GOMODCACHE=" + cache}, "mod", "download", "example.com/m@v1.0.0")
		const before = "go: example.com/m@v1.0.0: verifying go.mod: "
		msg, refused := strings.CutPrefix(strings.TrimSuffix(stderr, "\n"), before)
		switch {
		case err == nil && db.Off:
			if refused {
				return "off; the go command says " + msg
			}
		case err == nil:
			// It was accepted when the client goes on to dial the database.
			want := db.Direct() + "/"
			if db.URL != "" {
				want = strings.TrimSuffix(db.URL, "/")
			}
			if !refused || !strings.Contains(redact.Text(msg), redact.Text(want)) {
				return fmt.Sprintf("would dial %s; the go command says %s", want, msg)
			}
		case !refused:
			return fmt.Sprintf("%v; the go command says %s", err, stderr)
		default:
			if redact.Text(msg) != redact.Text(err.Error()) {
				return fmt.Sprintf("other message:\n got %s\nwant %s", err, msg)
			}
		}
		return ""
	})
}

// writeModule makes a GOPROXY file tree of example.com/m v1.0.0.
func writeModule(t *testing.T, tree string) {
	t.Helper()
	dir := filepath.Join(tree, "example.com/m/@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("example.com/m@v1.0.0/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const mod = "module example.com/m\n"
	fmt.Fprint(w, mod)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"list": "v1.0.0\n", "v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": mod, "v1.0.0.zip": b.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
