package history

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpx/envctl/change"
)

func TestNoSecretIsStored(t *testing.T) {
	dir := t.TempDir()
	s := sound(t, filepath.Join(dir, "history.db"))
	r := record("aaaaaa")
	secret := "s3cr3tt0ken"
	r.Title = "use https://user:" + secret + "@a.example"
	r.Actions[0].New = "https://" + secret + "@a.example"
	r.Hashes[0] = change.HashValue(r.Actions[0].New)
	must(t, s.Journal().Begin(t.Context(), r))
	must(t, s.Journal().Abort(t.Context(), "aaaaaa", "get https://"+secret+"@a.example: refused"))
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s holds the secret", f.Name())
		}
	}
	if !change.MatchesHash(list(t, s)[0].Hashes[0], r.Actions[0].New) {
		t.Error("the salted hash does not recognise the value")
	}
}

// Another process, or another program, has written to the file: no escape and
// no bidi control of it reaches a terminal.
func TestHostileTextInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := sound(t, path)
	must(t, s.Journal().Begin(t.Context(), record("a")))
	must(t, s.SetSetting(t.Context(), "k", "v"))
	const hostile = "\x1b]0;owned\x07\u202e https://user:secret@a.example"
	for _, q := range []string{
		"UPDATE changes SET title = ?1, actor = ?1, undoes = ?1, undone_by = ?1, why = ?1, id = ?1",
		"UPDATE change_actions SET kind = ?1, target = ?1, old = ?1, new = ?1",
		"UPDATE settings SET value = ?1",
	} {
		if _, err := s.db.Exec(q, hostile); err != nil {
			t.Fatal(err)
		}
	}
	rs, err := s.Journal().List(t.Context())
	must(t, err)
	value, _, err := s.Setting(t.Context(), "k")
	must(t, err)
	if text := fmt.Sprintf("%+v %s", rs, value); strings.ContainsAny(text, "\x1b\x07\u202e") {
		t.Errorf("%q", text)
	}
	if text := fmt.Sprintf("%+v", rs); strings.Contains(text, "secret") || !strings.Contains(text, "a.example") {
		t.Errorf("%q", text)
	}
}

// What must end is not begun where nothing would remember that it must.
func TestMemoryTakesNoChangeWithAnEnd(t *testing.T) {
	s := open(t, "")
	if n := s.Notice(); strings.Contains(n, ": :") || !strings.Contains(n, "HOME") {
		t.Errorf("notice %q", n)
	}
	if err := s.Journal().Begin(t.Context(), ending("a")); err == nil || !strings.Contains(err.Error(), "without an end") {
		t.Errorf("error %v", err)
	}
	if rs, err := s.Journal().List(t.Context()); err != nil || len(rs) != 0 {
		t.Errorf("journal %+v %v", rs, err)
	}
	must(t, s.Journal().Begin(t.Context(), record("a")))
}
