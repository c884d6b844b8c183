package history

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpx/envctl/change"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		if err := killChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if arg := os.Getenv(recorderVar); arg != "" {
		fmt.Fprintln(os.Stderr, recordChild(arg))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sound opens a store that must be on its file.
func sound(t *testing.T, path string) *Store {
	t.Helper()
	s := open(t, path)
	if s.InMemory() || s.Notice() != "" {
		t.Fatalf("in memory %v, notice %q", s.InMemory(), s.Notice())
	}
	return s
}

func record(id string) change.Record {
	return change.Record{
		ID: id, At: noon, Actor: "cli", Title: "use https://a.example", State: change.Begun,
		Actions: []change.Action{
			{Kind: change.SetVariable, Target: "GOPROXY", Old: "https://xxxxx@old.example", New: "https://a.example", Undoable: true},
			{Kind: change.WriteFile, Target: "/cache/supported", Old: "absent", New: "empty file", Bytes: 7},
		},
		Hashes: []string{change.HashValue("https://a.example"), ""},
	}
}

// ending is a record of a change that has an end.
func ending(id string) change.Record {
	r := record(id)
	r.Expires = noon.Add(time.Hour)
	return r
}

func list(t *testing.T, s *Store) []change.Record {
	t.Helper()
	rs, err := s.Journal().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestJournalSurvivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history.db")
	s := sound(t, path)
	j := s.Journal()
	want := []change.Record{ending("aaaaaa"), record("bbbbbb"), record("cccccc"), {ID: "dddddd", At: noon, State: change.Begun}}
	for _, r := range want {
		if err := j.Begin(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	must(t, j.Commit(t.Context(), "bbbbbb", noon.Add(time.Second)))
	must(t, j.Commit(t.Context(), "cccccc", noon.Add(time.Second)))
	must(t, j.MarkUndone(t.Context(), "bbbbbb", "cccccc", noon.Add(time.Minute)))
	must(t, j.Abort(t.Context(), "dddddd", "disk full"))
	want[1].State, want[1].DoneAt, want[1].UndoneAt, want[1].UndoneBy = change.Undone, noon.Add(time.Second), noon.Add(time.Minute), "cccccc"
	want[2].State, want[2].DoneAt = change.Applied, noon.Add(time.Second)
	want[3].State, want[3].Why = change.Aborted, "disk full"
	s.Close()

	if got := list(t, sound(t, path)); !reflect.DeepEqual(got, want) {
		t.Errorf("after reopening:\n%+v\nwant\n%+v", got, want)
	}
}

func TestJournalRefuses(t *testing.T) {
	j := sound(t, filepath.Join(t.TempDir(), "history.db")).Journal()
	must(t, j.Begin(t.Context(), record("aaaaaa")))
	if err := j.Begin(t.Context(), record("aaaaaa")); err == nil {
		t.Error("an ID was taken twice")
	}
	for name, err := range map[string]error{
		"commit": j.Commit(t.Context(), "nobody", noon),
		"abort":  j.Abort(t.Context(), "nobody", ""),
		"undone": j.MarkUndone(t.Context(), "nobody", "aaaaaa", noon),
	} {
		if err == nil || !strings.Contains(err.Error(), "nobody") {
			t.Errorf("%s of an unknown change: %v", name, err)
		}
	}
}

func TestSettingsAndProjects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	for _, s := range []*Store{sound(t, path), open(t, "")} {
		ctx := t.Context()
		if _, ok, err := s.Setting(ctx, "consent"); ok || err != nil {
			t.Errorf("a setting that was never set: %v %v", ok, err)
		}
		must(t, s.SetSetting(ctx, "consent", "no"))
		must(t, s.SetSetting(ctx, "consent", "yes"))
		if v, ok, err := s.Setting(ctx, "consent"); v != "yes" || !ok || err != nil {
			t.Errorf("consent = %q %v %v", v, ok, err)
		}
		at := noon
		s.now = func() time.Time { at = at.Add(time.Second); return at }
		for _, root := range []string{"/a", "/b", "/a"} {
			must(t, s.RememberProject(ctx, root))
		}
		if got, err := s.Projects(ctx); err != nil || !reflect.DeepEqual(got, []string{"/a", "/b"}) {
			t.Errorf("projects %v %v", got, err)
		}
	}
}

// TestProjectIsWrittenOnceAnHour: what is the last used already costs no write.
func TestProjectIsWrittenOnceAnHour(t *testing.T) {
	s := sound(t, filepath.Join(t.TempDir(), "history.db"))
	at := noon
	s.now = func() time.Time { return at }
	for _, tt := range []struct {
		root  string
		after time.Duration
		want  bool
	}{
		{"/a", 0, true}, {"/a", time.Minute, false}, {"/b", time.Minute, true}, {"/a", time.Minute, true},
		{"/a", 59 * time.Minute, false}, {"/a", 2 * time.Minute, true}, {"/a", -3 * time.Hour, true},
	} {
		at = at.Add(tt.after)
		must(t, s.RememberProject(t.Context(), tt.root))
		var last int64
		must(t, s.db.QueryRow(`SELECT last_seen FROM projects WHERE root = ?`, tt.root).Scan(&last))
		if written := last == at.UnixMicro(); written != tt.want {
			t.Errorf("%s at %v: written %v", tt.root, at, written)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a b#c?d%41.db")
	must(t, os.WriteFile(path, nil, 0o644))
	s := sound(t, path)
	must(t, s.Journal().Begin(t.Context(), record("aaaaaa")))
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if !strings.HasPrefix(f.Name(), filepath.Base(path)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
	if len(files) != 4 {
		t.Errorf("%d files, want the database, -wal, -shm and .lock", len(files))
	}
}

func TestUnusableFileBecomesMemory(t *testing.T) {
	schema := func(statements string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite3", path)
			must(t, err)
			defer db.Close()
			_, err = db.Exec(statements)
			must(t, err)
		}
	}
	cases := []struct {
		name    string
		prepare func(*testing.T, string)
		notice  string
	}{
		{"newer schema", schema("PRAGMA application_id=1735424049; CREATE TABLE t(x); PRAGMA user_version=1000"), "a newer gpx wrote it (schema 1000"},
		{"another program's", schema("CREATE TABLE bookmarks(x)"), "another program"},
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is a directory"},
		{"parent is a file", func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Dir(path)))
			must(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, "not a directory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "history.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			s := open(t, path)
			if !s.InMemory() || !strings.Contains(s.Notice(), c.notice) || strings.Contains(s.Notice(), "\n") {
				t.Errorf("in memory %v, notice %q, want %q", s.InMemory(), s.Notice(), c.notice)
			}
			must(t, s.Journal().Begin(t.Context(), record("aaaaaa")))
			must(t, s.Journal().Commit(t.Context(), "aaaaaa", noon))
			if rs := list(t, s); len(rs) != 1 || rs[0].State != change.Applied {
				t.Errorf("memory journal holds %+v", rs)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	fill := func(t *testing.T, path string) {
		s := sound(t, path)
		for i := range 200 {
			must(t, s.Journal().Begin(t.Context(), record(fmt.Sprintf("%06d", i))))
		}
		s.Close()
	}
	cases := []struct {
		name   string
		damage func(t *testing.T, path string)
	}{
		{"not a database", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600))
			must(t, os.WriteFile(path+"-wal", []byte("log"), 0o600))
		}},
		{"zeroed header", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			_, err = f.WriteAt(make([]byte, 100), 0)
			must(t, err)
		}},
		{"cut in the middle", func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()/2))
		}},
		{"a page of noise", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), 4096)
			must(t, err)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			fill(t, path)
			c.damage(t, path)
			was, err := os.ReadFile(path)
			must(t, err)

			// Several processes find the damage at once: one sets aside.
			var wg sync.WaitGroup
			stores := make([]*Store, 4)
			for i := range stores {
				wg.Go(func() {
					stores[i], _ = Open(context.Background(), path, Options{Now: func() time.Time { return noon }})
				})
			}
			wg.Wait()
			said := 0
			for i, s := range stores {
				if s.InMemory() {
					t.Errorf("store %d is a memory: %s", i, s.Notice())
				}
				if strings.Contains(s.Notice(), "history.db.damaged-20261123T120000Z") {
					said++
				} else if s.Notice() != "" {
					t.Errorf("store %d says %q", i, s.Notice())
				}
				must(t, s.Journal().Begin(t.Context(), record(fmt.Sprintf("new%03d", i))))
			}
			if said != 1 {
				t.Errorf("%d stores say that they set the file aside, want 1", said)
			}
			for _, s := range stores {
				if n := len(list(t, s)); n != len(stores) {
					t.Errorf("a store holds %d changes, want %d", n, len(stores))
				}
				s.Close()
			}
			if got, err := os.ReadFile(path + ".damaged-20261123T120000Z"); err != nil || !bytes.Equal(got, was) {
				t.Errorf("the damaged bytes are not what they were: %v", err)
			}
			if aside, _ := filepath.Glob(path + ".damaged-*"); c.name == "not a database" && len(aside) != 2 {
				t.Errorf("set aside: %v, want the database and its -wal", aside)
			}
		})
	}
}

func TestLockedFileBecomesMemoryAndComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s, err := Open(t.Context(), path, Options{Busy: 50 * time.Millisecond})
	must(t, err)
	defer s.Close()
	db, err := sql.Open("sqlite3", path+"?_txlock=exclusive")
	must(t, err)
	defer db.Close()
	tx, err := db.Begin()
	must(t, err)
	start := time.Now()
	must(t, s.Journal().Begin(t.Context(), record("memory")))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a locked file held the change up for %v", took)
	}
	if !strings.Contains(s.Notice(), "memory only") {
		t.Errorf("notice %q", s.Notice())
	}
	must(t, tx.Rollback())
	must(t, s.Journal().Begin(t.Context(), record("stored")))
	must(t, s.Journal().Commit(t.Context(), "memory", noon))
	must(t, s.Journal().Commit(t.Context(), "stored", noon))
	rs := list(t, s)
	if len(rs) != 2 || rs[0].ID != "stored" || rs[1].ID != "memory" || rs[1].State != change.Applied {
		t.Errorf("journal %+v", rs)
	}
}

func TestManyStoresAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	const stores, each = 8, 10
	errs := make([]error, stores)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := Open(context.Background(), path, Options{})
			if err != nil {
				errs[i] = err
				return
			}
			defer s.Close()
			for n := range each {
				id := fmt.Sprintf("s%dn%d", i, n)
				errs[i] = errors.Join(errs[i], s.Journal().Begin(context.Background(), record(id)),
					s.Journal().Commit(context.Background(), id, noon))
			}
			if s.Notice() != "" {
				errs[i] = errors.Join(errs[i], errors.New(s.Notice()))
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	if n := len(list(t, sound(t, path))); n != stores*each {
		t.Errorf("%d changes, want %d", n, stores*each)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "history.db"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The screen opens the store before its first frame: the goal is 5 ms for a
// file that exists and is in the page cache.
func BenchmarkOpenWarm(b *testing.B) {
	path := filepath.Join(b.TempDir(), "history.db")
	s, err := Open(b.Context(), path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		s.Journal().Begin(b.Context(), record(fmt.Sprint(i)))
	}
	s.Close()
	for b.Loop() {
		s, err := Open(b.Context(), path, Options{})
		if err != nil || s.InMemory() {
			b.Fatal(err, s.Notice())
		}
		s.Close()
	}
}

func BenchmarkBeginCommit(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "history.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		n++
		id := fmt.Sprint(n)
		if err := errors.Join(s.Journal().Begin(b.Context(), record(id)), s.Journal().Commit(b.Context(), id, noon)); err != nil {
			b.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		t.Fatalf("%s:%d: %v", filepath.Base(file), line, err)
	}
}

func TestSomebodysFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	const notes = "what I must not forget\n"
	must(t, os.WriteFile(path, []byte(notes), 0o644))
	s, err := Open(t.Context(), path, Options{Named: true})
	must(t, err)
	defer s.Close()
	if !s.InMemory() || !strings.Contains(s.Notice(), "--db") {
		t.Errorf("in memory: %v, notice %q", s.InMemory(), s.Notice())
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != notes {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if aside, _ := filepath.Glob(path + ".damaged-*"); len(aside) != 0 {
		t.Errorf("set aside: %v", aside)
	}
}
