package profiles

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gpx/envctl/chain"
	"gpx/envctl/change"
	"gpx/envctl/env"
	"gpx/envctl/project"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// user is a home without modules: its user file holds userFile.
func user(t *testing.T, userFile string, more ...string) (*env.Env, *change.Changer) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"telemetry/mode": "off", "config/go/env": userFile} {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o777))
		must(t, os.WriteFile(file, []byte(content), 0o666))
	}
	environ := append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"GOPATH=" + filepath.Join(dir, "gopath"), "TEST_TELEMETRY_DIR=" + filepath.Join(dir, "telemetry"),
	}, more...)
	read := func(ctx context.Context) (*env.Env, error) {
		return env.Read(ctx, env.Options{Dir: dir, Environ: environ})
	}
	e, err := read(t.Context())
	must(t, err)
	return e, change.New(change.Options{StateDir: filepath.Join(dir, "state"), Env: read, Now: func() time.Time { return noon }})
}

func TestSumDB(t *testing.T) {
	const key = "sumdb.example+c1e5b3a2+AZ"
	cases := []struct {
		name string
		file string
		os   string
		o    SumDBOptions
		want string // the assignment, "" for an empty plan
		err  string
	}{
		{name: "off", o: SumDBOptions{Value: "off"}, want: "GOSUMDB=off"},
		{name: "off when it is off", file: "GOSUMDB=off\n", o: SumDBOptions{Value: "off"}},
		{name: "on after off", file: "GOSUMDB=off\n", o: SumDBOptions{Value: "on"}, want: "GOSUMDB unset"},
		{name: "on when it is on", o: SumDBOptions{Value: "on"}},
		{name: "on keeps another database", file: "GOSUMDB=sum.golang.google.cn\n", o: SumDBOptions{Value: "on"}},
		{name: "on in place of nonsense", file: "GOSUMDB=some nonsense\n", o: SumDBOptions{Value: "on"}, want: "GOSUMDB unset"},
		{name: "another name", o: SumDBOptions{Value: "sum.golang.google.cn"}, want: "GOSUMDB=sum.golang.google.cn"},
		{name: "a URL", o: SumDBOptions{Value: "https://sum.example.com"}, want: "GOSUMDB=sum.golang.org https://sum.example.com"},
		{name: "nonsense", o: SumDBOptions{Value: "maybe"}, err: "invalid GOSUMDB"},
		{name: "a broken key", o: SumDBOptions{Value: key}, err: "give on, off, a name"},
		{name: "modules", o: SumDBOptions{Value: "off", Modules: "*.corp.example, example.com/x"}, want: "GONOSUMDB=*.corp.example,example.com/x"},
		{name: "modules on top of GOPRIVATE", file: "GOPRIVATE=a.example\n", o: SumDBOptions{Value: "off", Modules: "b.example,a.example"}, want: "GONOSUMDB=a.example,b.example"},
		{name: "modules back to GOPRIVATE", file: "GOPRIVATE=a.example\nGONOSUMDB=a.example,b.example\n", o: SumDBOptions{Value: "on", Modules: "b.example"}, want: "GONOSUMDB unset"},
		{name: "modules out of GOPRIVATE", file: "GOPRIVATE=a.example\n", o: SumDBOptions{Value: "on", Modules: "a.example"}, want: "GONOSUMDB=none"},
		{name: "a broken pattern", o: SumDBOptions{Value: "off", Modules: "[a"}, err: "not a pattern"},
		{name: "no pattern", o: SumDBOptions{Value: "off", Modules: " , "}, err: "no pattern"},
		{name: "a period with on", o: SumDBOptions{Value: "on", For: time.Hour}, err: "--for goes with off"},
		{name: "a negative period", o: SumDBOptions{Value: "off", For: -time.Hour}, err: "positive"},
		{name: "modules with a name", o: SumDBOptions{Value: "sum.golang.org", Modules: "x"}, err: "--modules goes with"},
		{name: "no home", os: "GOENV=off", o: SumDBOptions{Value: "off"}, err: "GOENV=off"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, ch := user(t, c.file, c.os)
			plan, err := SumDB(t.Context(), e, nil, c.o)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			must(t, err)
			got := ""
			for _, v := range plan.Changes {
				got += v.Var + "=" + v.New
				if v.New == "" {
					got = v.Var + " unset"
				}
			}
			if got != c.want || plan.Empty() != (c.want == "") {
				t.Errorf("plan %q (empty: %v), want %q", got, plan.Empty(), c.want)
			}
			if !plan.Empty() {
				_, err := ch.Apply(t.Context(), plan)
				must(t, err)
			}
		})
	}
}

func TestSumDBOnUnderAnOSVariable(t *testing.T) {
	e, _ := user(t, "", "GOSUMDB=off")
	plan, err := SumDB(t.Context(), e, nil, SumDBOptions{Value: "on"})
	must(t, err)
	if !plan.Empty() || !reflect.DeepEqual(plan.Commands, []string{"unset GOSUMDB"}) || !reflect.DeepEqual(plan.Shell(), []change.Assignment{{Name: "GOSUMDB", Unset: true}}) {
		t.Errorf("commands %q, shell %+v, empty %v", plan.Commands, plan.Shell(), plan.Empty())
	}
}

func TestSumDBOffIsLoudAndEnds(t *testing.T) {
	e, ch := user(t, "# mine\nGOSUMDB=sum.golang.org\n")
	plan, err := SumDB(t.Context(), e, nil, SumDBOptions{Value: "off", For: time.Hour, Now: noon})
	must(t, err)
	if !strings.HasPrefix(plan.Warnings[0], "CHECKSUMS OFF") || !strings.Contains(strings.Join(plan.Warnings, " "), "next prompt") || plan.Title != "checksums off for 1h" {
		t.Errorf("%s: warnings %q", plan.Title, plan.Warnings)
	}
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	if plans, err := Expired(t.Context(), ch, noon.Add(time.Hour-time.Second)); err != nil || len(plans) != 0 {
		t.Errorf("before its end: %v %v", plans, err)
	}
	plans, err := Expired(t.Context(), ch, noon.Add(time.Hour))
	must(t, err)
	if len(plans) != 1 {
		t.Fatalf("at its end: %d plans", len(plans))
	}
	_, err = ch.Apply(t.Context(), plans[0])
	must(t, err)
	if got := read(t, e.UserFile); got != "# mine\nGOSUMDB=sum.golang.org\n" {
		t.Errorf("user file %q", got)
	}
	if plans, err := Expired(t.Context(), ch, noon.Add(2*time.Hour)); err != nil || len(plans) != 0 {
		t.Errorf("after its end: %v %v", plans, err)
	}
}

// A clock that was put back to before the period began does not prolong it; a
// small correction does not end it.
func TestSumDBOffEndsWhenTheClockIsPutBack(t *testing.T) {
	for back, want := range map[time.Duration]int{time.Minute: 0, time.Hour: 1, 50 * 365 * 24 * time.Hour: 1} {
		e, ch := user(t, "")
		plan, err := SumDB(t.Context(), e, nil, SumDBOptions{Value: "off", For: time.Hour, Now: noon})
		must(t, err)
		_, err = ch.Apply(t.Context(), plan)
		must(t, err)
		if plans, err := Expired(t.Context(), ch, noon.Add(-back)); err != nil || len(plans) != want {
			t.Errorf("%v back: %d plans, %v", back, len(plans), err)
		}
	}
}

// What "off" replaced comes back, not the toolchain's default, which may be out
// of reach where the user lives.
func TestSumDBOnBringsBackTheUsersDatabase(t *testing.T) {
	const mine = "# mine\nGOSUMDB=sum.golang.google.cn\n"
	for name, test := range map[string]struct {
		between string // what somebody else writes meanwhile
		want    string
	}{
		"nothing between":   {"", mine},
		"off again by hand": {"GOSUMDB=off\n", "GOSUMDB=sum.golang.google.cn\n"},
		"another by hand":   {"GOSUMDB=sum.golang.org\n", "GOSUMDB=sum.golang.org\n"},
	} {
		t.Run(name, func(t *testing.T) {
			e, ch := user(t, mine)
			plan, err := SumDB(t.Context(), e, nil, SumDBOptions{Value: "off", For: time.Hour, Now: noon})
			must(t, err)
			_, err = ch.Apply(t.Context(), plan)
			must(t, err)
			if test.between != "" {
				must(t, os.WriteFile(e.UserFile, []byte(test.between), 0o666))
			}
			e, err = env.Read(t.Context(), env.Options{Environ: e.Environ})
			must(t, err)
			plan, err = SumDBOn(t.Context(), e, nil, ch)
			must(t, err)
			if !plan.Empty() {
				_, err = ch.Apply(t.Context(), plan)
				must(t, err)
			}
			if got := read(t, e.UserFile); got != test.want {
				t.Errorf("user file %q, want %q", got, test.want)
			}
		})
	}
}

// An undo that ends in "off" is as loud as off itself.
func TestUndoToOffIsLoud(t *testing.T) {
	e, ch := user(t, "GOSUMDB=off\n")
	plan, err := SumDBOn(t.Context(), e, nil, ch)
	must(t, err)
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	plan, err = ch.PlanUndo(t.Context(), "", false)
	must(t, err)
	if len(plan.Warnings) == 0 || !strings.HasPrefix(plan.Warnings[0], "CHECKSUMS OFF") {
		t.Errorf("warnings %q", plan.Warnings)
	}
}

// Somebody switched it back by hand: the end finds nothing to do, once.
func TestExpiryOfWhatWasOverwritten(t *testing.T) {
	e, ch := user(t, "")
	plan, err := SumDB(t.Context(), e, nil, SumDBOptions{Value: "off", For: time.Hour, Now: noon})
	must(t, err)
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	must(t, os.WriteFile(e.UserFile, []byte("GOSUMDB=sum.golang.google.cn\n"), 0o666))
	plans, err := Expired(t.Context(), ch, noon.Add(2*time.Hour))
	if err != nil || len(plans) != 0 {
		t.Errorf("%v %v", plans, err)
	}
	if got := read(t, e.UserFile); got != "GOSUMDB=sum.golang.google.cn\n" {
		t.Errorf("user file %q", got)
	}
	changes, err := ch.Changes(t.Context())
	must(t, err)
	if !changes[0].Undone {
		t.Error("the change still waits for its end")
	}
	marker := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(e.UserFile))), "state", change.ExpiryFile)
	if _, err := os.Stat(marker); err == nil {
		t.Error("the marker for shell prompts is still there")
	}
}

func TestExpiryOfSeveral(t *testing.T) {
	e, ch := user(t, "GOFLAGS=-mod=mod\n")
	for _, o := range []SumDBOptions{{Value: "off", For: time.Hour, Now: noon}, {Value: "off", Modules: "a.example", For: time.Minute, Now: noon}} {
		plan, err := SumDB(t.Context(), e, nil, o)
		must(t, err)
		_, err = ch.Apply(t.Context(), plan)
		must(t, err)
	}
	for range 2 {
		plans, err := Expired(t.Context(), ch, noon.Add(2*time.Hour))
		must(t, err)
		_, err = ch.Apply(t.Context(), plans[0])
		must(t, err)
	}
	if got := read(t, e.UserFile); got != "GOFLAGS=-mod=mod\n" {
		t.Errorf("user file %q", got)
	}
}

// A later change stands on top of a period: what the period switched off is
// verified again at its end, what the later change switched off is not.
func TestExpiryUnderALaterChange(t *testing.T) {
	e, ch := user(t, "GOPRIVATE=own.example\n")
	at := func(o SumDBOptions) {
		t.Helper()
		now, err := env.Read(t.Context(), env.Options{Environ: e.Environ, Dir: t.TempDir()})
		must(t, err)
		o.Value, o.Now = "off", noon
		plan, err := SumDB(t.Context(), now, nil, o)
		must(t, err)
		_, err = ch.Apply(t.Context(), plan)
		must(t, err)
	}
	at(SumDBOptions{Modules: "a.example", For: time.Minute})
	at(SumDBOptions{Modules: "b.example"})
	plans, err := Expired(t.Context(), ch, noon.Add(time.Hour))
	if err != nil || len(plans) != 1 {
		t.Fatalf("%v %v", plans, err)
	}
	_, err = ch.Apply(t.Context(), plans[0])
	must(t, err)
	if got := read(t, e.UserFile); got != "GONOSUMDB=own.example,b.example\nGOPRIVATE=own.example\n" {
		t.Errorf("user file %q", got)
	}
	changes, err := ch.Changes(t.Context())
	must(t, err)
	if last := changes[len(changes)-1]; !last.Undone {
		t.Errorf("the period still waits for its end: %+v", last)
	}
	if plans, err := Expired(t.Context(), ch, noon.Add(time.Hour)); err != nil || len(plans) != 0 {
		t.Errorf("a second time: %v %v", plans, err)
	}
}

func TestUse(t *testing.T) {
	e, ch := user(t, "GOPROXY=https://old.example\n")
	c, err := chain.Parse("https://user:pass@new.example|direct")
	must(t, err)
	plan, err := Use(e, nil, c)
	must(t, err)
	if strings.Contains(plan.Title, "pass") || !strings.Contains(plan.Title, "new.example") {
		t.Errorf("title %q", plan.Title)
	}
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	if got := read(t, e.UserFile); got != "GOPROXY=https://user:pass@new.example|direct\n" {
		t.Errorf("user file %q", got)
	}
}

// What the toolchain takes by itself is never written down.
func TestUseOfTheDefaultUnsets(t *testing.T) {
	e, ch := user(t, "GOPROXY=https://old.example\nGOPRIVATE=corp.example\n")
	c, err := chain.Parse(unset(e, "GOPROXY"))
	must(t, err)
	plan, err := Use(e, nil, c)
	must(t, err)
	if !slices.Contains(plan.Commands, "go env -u GOPROXY") {
		t.Errorf("commands %q", plan.Commands)
	}
	_, err = ch.Apply(t.Context(), plan)
	must(t, err)
	if got := read(t, e.UserFile); got != "GOPRIVATE=corp.example\n" {
		t.Errorf("user file %q", got)
	}

	e, _ = user(t, "")
	if plan, err = Use(e, nil, c); err != nil || !plan.Empty() {
		t.Errorf("in force already: %+v, %v", plan, err)
	}
}

// A single file: chain exempts toolchains from the rule that they are always
// verified: then checksums must be on, or no toolchain be taken from it.
func TestUnverifiedToolchainIsRefused(t *testing.T) {
	newer := &project.Project{Go: "1.99", Toolchain: ""}
	const auto = "GOTOOLCHAIN=auto\n" // a distribution's go.env may say local
	tree := "GOPROXY=file:///srv/tree\n" + auto
	file, err := chain.Parse("file:///srv/tree")
	must(t, err)
	off := SumDBOptions{Value: "off"}
	e, _ := user(t, tree)
	_, err = SumDB(t.Context(), e, newer, off)
	if err == nil || !strings.Contains(err.Error(), "go1.99.0 would be taken from that tree and run unverified") {
		t.Errorf("sumdb off on a file: chain: %v", err)
	}
	_, err = SumDB(t.Context(), e, newer, SumDBOptions{Value: "off", Modules: "golang.org/*"})
	if err == nil {
		t.Error("sumdb off for golang.org/* on a file: chain was planned")
	}
	e, _ = user(t, "GOSUMDB=off\n"+auto)
	if _, err := Use(e, newer, file); err == nil {
		t.Error("a file: chain with checksums off was planned")
	}
	for name, file := range map[string]string{
		"two hops":          "GOPROXY=file:///srv/tree,direct\n" + auto,
		"no file: chain":    "GOPROXY=https://a.example\n" + auto,
		"GOTOOLCHAIN=local": tree + "GOTOOLCHAIN=local\n",
		"GOTOOLCHAIN=path":  tree + "GOTOOLCHAIN=path\n",
	} {
		e, _ := user(t, file)
		if _, err := SumDB(t.Context(), e, newer, off); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, _ = user(t, tree)
	for name, p := range map[string]*project.Project{"no project": nil, "an older Go": {Go: "1.21"}} {
		if _, err := SumDB(t.Context(), e, p, off); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := filepath.Join(e.Get("GOMODCACHE"), "golang.org", "toolchain@v0.0.1-go1.99.0."+e.Get("GOHOSTOS")+"-"+e.Get("GOHOSTARCH"))
	must(t, os.MkdirAll(dir, 0o777))
	if _, err := SumDB(t.Context(), e, newer, off); err != nil {
		t.Errorf("a toolchain that is there already: %v", err)
	}
}

// A toolchain that is not on the machine: offline mode stays with the one that
// is, and says what that means.
func TestOfflineToolchain(t *testing.T) {
	e, _ := user(t, "GOTOOLCHAIN=auto\n")
	plan, err := Offline(t.Context(), e, &project.Project{Go: "1.99"}, OfflineOptions{})
	must(t, err)
	local := false
	for _, c := range plan.Changes {
		local = local || c.Var == "GOTOOLCHAIN" && c.New == "local"
	}
	if !local || !strings.Contains(strings.Join(plan.Warnings, " "), "go1.99.0 is wanted") {
		t.Errorf("changes %+v, warnings %q", plan.Changes, plan.Warnings)
	}
	plan, err = Offline(t.Context(), e, &project.Project{Go: "1.21"}, OfflineOptions{})
	must(t, err)
	for _, c := range plan.Changes {
		if c.Var == "GOTOOLCHAIN" {
			t.Errorf("GOTOOLCHAIN is changed for an older Go: %+v", c)
		}
	}
}

func TestBareSumDB(t *testing.T) {
	const own = "sumdb.lab.example+00000000+x"
	for value, want := range map[string]string{
		"off": "", "sum.golang.org": "sum.golang.org", "sum.golang.google.cn": "sum.golang.org",
		"sum.golang.org https://sum.example.com": "sum.golang.org",
	} {
		db, err := chain.ParseSumDB(value)
		must(t, err)
		if got := bareSumDB(db); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	if got := bareSumDB(chain.SumDB{Name: "sumdb.lab.example", Key: own, URL: "https://x.example"}); got != own {
		t.Errorf("own database: %q", got)
	}
}

func TestWithVendor(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                "-mod=vendor",
		"-mod=mod":                        "-mod=vendor",
		"--mod=readonly -trimpath":        "-trimpath -mod=vendor",
		"-modcacherw '-ldflags=-s -w' -v": "-modcacherw '-ldflags=-s -w' -v -mod=vendor",
		`"-mod=mod"  -tags=a,b`:           "-tags=a,b -mod=vendor",
		"-modfile=x.mod":                  "-modfile=x.mod -mod=vendor",
		"-mod=vendor":                     "-mod=vendor",
		"'-tags=a b":                      "'-tags=a b -mod=vendor",
	} {
		if got := withVendor(flags); got != want {
			t.Errorf("%q becomes %q, want %q", flags, got, want)
		}
		if (&env.Env{Vars: []env.Var{{Name: "GOFLAGS", Value: withVendor(flags)}}}).Flag("mod") != "vendor" && !strings.HasPrefix(flags, "'-tags=a b") {
			t.Errorf("%q is not recognised as vendor mode", withVendor(flags))
		}
	}
}

func TestFileURL(t *testing.T) {
	for dir, want := range map[string]string{
		"/srv/tree":     "file:///srv/tree",
		"/a b,c|d%e?f#": "file:///a%20b%2Cc%7Cd%25e%3Ff%23",
		"/é":            "file:///%C3%A9",
	} {
		got := fileURL(dir)
		if got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
		c, err := chain.Parse(got)
		if err != nil || len(c.Hops) != 1 || c.Hops[0].Kind != chain.File {
			t.Errorf("%s: %+v %v", got, c, err)
		}
	}
}
