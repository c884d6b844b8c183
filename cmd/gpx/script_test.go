package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gpx/probe"
	"gpx/probe/lab"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gpx": main})
}

// TestScripts runs gpx as its users do: testdata/script/*.txtar, each in a home
// folder of its own, against proxies of the lab.
//
//	lab                       starts a lab: $LAB_KEY (GOSUMDB), $SSL_CERT_FILE
//	proxy NAME [FAULT…]       starts a proxy: $NAME is its URL
//	fault NAME FAULT          changes what it does wrong (see faults)
//	gosum FILE MODULE@V…      appends the go.sum lines of lab modules
//	asked NAME PATTERN        a request to the proxy matches; with ! none does
//	waitasked NAME PATTERN    waits until there is one, or [TIMES]
//	waitfor FILE PATTERN [VAR] waits until a file matches, and sets VAR to the first group
//	credentials VAR URL U P   sets VAR to the URL with user and password in it
//	linkself DIR              puts gpx, and nothing else, into a folder for PATH
//	exits STATUS COMMAND…     runs a command that ends with that status
//	jsonfield PATH PATTERN    a field of the JSON on stdout matches
//	schema NAME               the JSON on stdout has the fields of testdata/schema/NAME.txt
//	samebytes PATH FILE       a field of the JSON on stdout is the number in a file
//	oldcache DIR              makes a build cache that was hardly used of late
//	recorded                  an outage of an hour ago is in the history
//	nosecret TEXT…            neither output nor any file that gpx may have written holds the text
func TestScripts(t *testing.T) {
	plain := ""
	if lab.Raced {
		plain = plainProgram(t)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			if plain != "" && !manyAtOnce[strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")] {
				e.Setenv("PATH", plain+string(filepath.ListSeparator)+e.Getenv("PATH"))
			}
			return setupScript(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lab": cmdLab, "proxy": cmdProxy, "fault": cmdFault, "gosum": cmdGoSum, "asked": cmdAsked,
			"waitasked": cmdWaitAsked, "waitfor": cmdWaitFor, "credentials": cmdCredentials, "linkself": cmdLinkSelf, "exits": cmdExits, "jsonfield": cmdJSONField, "schema": cmdSchema, "nosecret": cmdNoSecret,
			"samebytes": cmdSameBytes, "oldcache": cmdOldCache, "recorded": cmdRecorded, "scrape": cmdScrape,
		},
		RequireExplicitExec: true,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
	})
}

// manyAtOnce are the scripts whose commands do several things at a time. The others
// run the program as it is built for users also where the tests are built with the
// race detector: it takes most of a second to start one that has it.
var manyAtOnce = map[string]bool{
	"cacheprune": true, "cacheverify": true, "deps": true, "fetch": true, "metrics": true, "probe": true, "probewatch": true,
	"run": true, "serve": true, "servelan": true, "status": true, "watch": true, "watchauto": true,
}

// plainProgram builds gpx without the race detector, and returns its folder.
func plainProgram(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "gpx"), ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// A scriptLab is the lab of one script.
type scriptLab struct {
	lab     *lab.Lab
	proxies map[string]*lab.Server
	given   []string // the files of its archive
}

type labKey struct{}

func setupScript(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".config", "go"), 0o755); err != nil {
		return err
	}
	e.Setenv("HOME", home)
	for name, dir := range map[string]string{
		"XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state", "XDG_CACHE_HOME": ".cache", "XDG_DATA_HOME": ".local/share",
	} {
		e.Setenv(name, filepath.Join(home, dir))
	}
	e.Setenv("GOENV", filepath.Join(home, ".config", "go", "env"))
	e.Setenv("GOPATH", filepath.Join(e.WorkDir, "gopath"))
	e.Setenv("GOMODCACHE", filepath.Join(e.WorkDir, "gopath", "pkg", "mod"))
	e.Setenv("GOFLAGS", "-modcacherw")
	e.Setenv("GOTOOLCHAIN", "local")
	e.Setenv("GOTELEMETRY", "off")
	e.Setenv("GOCACHE", lab.BuildCache())
	e.Setenv("TERM", "xterm-256color")
	s := &scriptLab{proxies: map[string]*lab.Server{}}
	e.Values[labKey{}] = s
	if err := filepath.WalkDir(e.WorkDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			s.given = append(s.given, path)
		}
		return err
	}); err != nil {
		return err
	}
	e.Defer(func() {
		if s.lab != nil {
			s.lab.Close()
		}
	})
	return nil
}

func labOf(ts *testscript.TestScript) *scriptLab { return ts.Value(labKey{}).(*scriptLab) }

func cmdLab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: lab")
	}
	s := labOf(ts)
	l, err := lab.Start(lab.Options{})
	ts.Check(err)
	s.lab = l
	ts.Setenv("LAB_KEY", l.VerifierKey())
	ts.Setenv("LAB_SUMDB", l.SumDBName())
	ts.Setenv("SSL_CERT_FILE", l.CAFile())
	for _, kv := range l.GoEnv(filepath.Join(ts.Getenv("WORK"), "lab-env"), "off") {
		if v, ok := strings.CutPrefix(kv, "GIT_CONFIG_GLOBAL="); ok {
			ts.Setenv("GIT_CONFIG_GLOBAL", v)
		}
	}
	ts.Setenv("GIT_CONFIG_NOSYSTEM", "1")
}

func cmdProxy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: proxy NAME [tls] [private] [FAULT]")
	}
	s := labOf(ts)
	if s.lab == nil {
		ts.Fatalf("proxy before lab")
	}
	var opts []lab.ProxyOption
	rest := args[1:]
	for len(rest) > 0 && (rest[0] == "tls" || rest[0] == "private") {
		if rest[0] == "tls" {
			opts = append(opts, lab.TLS())
		} else {
			opts = append(opts, lab.Private())
		}
		rest = rest[1:]
	}
	srv := s.lab.Proxy(args[0], lab.Always(faultOf(ts, rest)), append(opts, lab.Under(strings.ToLower(args[0])))...)
	s.proxies[args[0]] = srv
	ts.Setenv(args[0], srv.URL())
}

func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	s := labOf(ts)
	if neg || len(args) < 2 || s.proxies[args[0]] == nil {
		ts.Fatalf("usage: fault NAME FAULT")
	}
	f, only := args[1:], []probe.File(nil)
	for i, a := range f {
		if a == "only" {
			for _, kind := range f[i+1:] {
				only = append(only, probe.File(kind))
			}
			f = f[:i]
			break
		}
	}
	s.proxies[args[0]].SetFault(faultOf(ts, f), only...)
}

// faultOf reads a fault: ok, a mode of the lab, or a status.
func faultOf(ts *testscript.TestScript, args []string) lab.Fault {
	if len(args) == 0 {
		return lab.OK()
	}
	if code, err := strconv.Atoi(args[0]); err == nil {
		return lab.Status(code, strings.Join(args[1:], " "))
	}
	switch args[0] {
	case "hostile":
		return lab.Hostile()
	case "stall":
		return lab.Stall(-1)
	case "no-sumdb":
		return lab.NoSumDB(404)
	case "auth":
		if len(args) == 3 {
			return lab.Auth(args[1], args[2])
		}
		ts.Fatalf("usage: auth USER PASSWORD")
	case "slow":
		d, err := time.ParseDuration(args[1])
		ts.Check(err)
		return lab.Slow(d)
	}
	return lab.Of(lab.Mode(args[0]))
}

func cmdGoSum(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: gosum FILE MODULE@VERSION…")
	}
	var text strings.Builder
	for _, want := range args[1:] {
		found := false
		for _, m := range labOf(ts).lab.Modules() {
			if m.Path+"@"+m.Version.Version == want {
				text.WriteString(m.GoSum())
				found = true
			}
		}
		if !found {
			ts.Fatalf("the lab has no module %s", want)
		}
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.WriteString(text.String())
	ts.Check(errors.Join(err, f.Close()))
}

func cmdAsked(ts *testscript.TestScript, neg bool, args []string) {
	s := labOf(ts)
	if len(args) != 2 || s.proxies[args[0]] == nil {
		ts.Fatalf("usage: [!] asked NAME PATTERN")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	for _, r := range s.proxies[args[0]].Log() {
		if re.MatchString(r.Path) {
			if neg {
				ts.Fatalf("%s was asked for %s", args[0], r.Path)
			}
			return
		}
	}
	if !neg {
		ts.Fatalf("%s was never asked for %s: %+v", args[0], args[1], s.proxies[args[0]].Log())
	}
}

func cmdWaitAsked(ts *testscript.TestScript, neg bool, args []string) {
	s := labOf(ts)
	if neg || len(args) < 2 || len(args) > 3 || s.proxies[args[0]] == nil {
		ts.Fatalf("usage: waitasked NAME PATTERN [TIMES]")
	}
	times := 1
	if len(args) == 3 {
		var err error
		times, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		n := 0
		for _, r := range s.proxies[args[0]].Log() {
			if re.MatchString(r.Path) {
				n++
			}
		}
		if n >= times {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s was not asked for %s in 20 s: %+v", args[0], args[1], s.proxies[args[0]].Log())
		}
	}
}

func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor FILE PATTERN [VAR]")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if m := re.FindSubmatch(data); m != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], string(m[1]))
			}
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s has no %s after 20 s: %q, %v", args[0], args[1], data, err)
		}
	}
}

func cmdCredentials(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: credentials VAR URL USER PASSWORD")
	}
	u, err := url.Parse(args[1])
	ts.Check(err)
	u.User = url.UserPassword(args[2], args[3])
	ts.Setenv(args[0], u.String())
}

func cmdLinkSelf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: linkself DIR")
	}
	self, err := os.Executable()
	ts.Check(err)
	ts.Check(os.Symlink(self, filepath.Join(ts.MkAbs(args[0]), "gpx")))
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// cmdJSONField: PATH is like verdict.state or endpoints.0.class; len is how many, * stands for
// every element, of which one must match (with !, none).
func cmdJSONField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] jsonfield PATH PATTERN")
	}
	var doc any
	text := ts.ReadFile("stdout")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		ts.Fatalf("stdout is not one JSON document: %v\n%s", err, text)
	}
	re, err := regexp.Compile("^(?s:" + args[1] + ")$")
	ts.Check(err)
	values := fieldValues(doc, strings.Split(args[0], "."))
	matched := false
	for _, v := range values {
		matched = matched || re.MatchString(v)
	}
	if matched == neg {
		ts.Fatalf("%s is %q, pattern %s, in %s", args[0], values, args[1], text)
	}
}

func fieldValues(v any, path []string) []string {
	if len(path) == 0 {
		switch v := v.(type) {
		case string:
			return []string{v}
		default:
			data, _ := json.Marshal(v)
			return []string{string(data)}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		if path[0] == "*" {
			var out []string
			for _, e := range v {
				out = append(out, fieldValues(e, path[1:])...)
			}
			return out
		}
		if e, ok := v[path[0]]; ok {
			return fieldValues(e, path[1:])
		}
	case []any:
		if path[0] == "*" {
			var out []string
			for _, e := range v {
				out = append(out, fieldValues(e, path[1:])...)
			}
			return out
		}
		if path[0] == "len" {
			return []string{strconv.Itoa(len(v))}
		}
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(v) {
			return fieldValues(v[i], path[1:])
		}
	}
	return nil
}

func cmdSchema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: schema NAME")
	}
	if err := checkSchema(args[0], ts.ReadFile("stdout")); err != nil {
		ts.Fatalf("%v", err)
	}
}

// cmdNoSecret looks at the output of the last command and at every file of the
// script's world: the home folder with all that gpx keeps, temporary files, the
// module cache. Left out are the before-images, which hold what they bring
// back, the file that the go command itself keeps the value in, and what the
// script put there as the user's secrets.
func cmdNoSecret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: nosecret TEXT…")
	}
	texts := map[string]string{"stdout": ts.ReadFile("stdout"), "stderr": ts.ReadFile("stderr")}
	work := ts.Getenv("WORK")
	undo := filepath.Join(ts.Getenv("XDG_STATE_HOME"), "gpx", "undo")
	known := append([]string{
		ts.Getenv("GOENV"), filepath.Join(work, "netrc"), filepath.Join(ts.Getenv("XDG_CONFIG_HOME"), "gpx", "config.toml"),
	}, labOf(ts).given...)
	ts.Check(filepath.WalkDir(work, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == undo {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && !slices.Contains(known, path) {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			texts[path] = string(data)
		}
		return nil
	}))
	for _, secret := range args {
		for where, text := range texts {
			if strings.Contains(text, secret) {
				ts.Fatalf("%s holds the secret %q:\n%s", where, secret, fmt.Sprintf("%.2000q", text))
			}
		}
	}
}
