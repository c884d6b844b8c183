package modcache

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"gpx/cachectl/internal/trash"
	"gpx/probe/lab"
)

// Whatever stands in a resume file, also in one whose hash is right, only what
// was seen of a version is taken for that.
func FuzzResume(f *testing.F) {
	for _, s := range []resumeState{{}, {Root: "/c", Begun: noon, Seen: []seen{{Path: "example.com/m", Version: "v1.0.0", ID: "x", Zip: otherHash}}}} {
		body, err := json.Marshal(s)
		check(f, err)
		f.Add(body)
		f.Add(body[:len(body)/2])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var state resumeState
		if json.Unmarshal(body, &state) != nil {
			return
		}
		r := openResume("", "/c", false, noon)
		r.goOn(state, noon)
		for m, i := range r.found {
			s := r.state.Seen[i]
			if s.Path != m.Path || s.Version != m.Version {
				t.Errorf("%s is at %+v", m, s)
			}
			if _, ok := r.find(m, s.ID+"x"); ok {
				t.Errorf("%s is found with another identity", m)
			}
			if f, ok := r.find(m, s.ID); ok {
				judge(f, &proofs{})
			}
		}
	})
}

// What passes for a hash is one.
func FuzzZipHash(f *testing.F) {
	for _, s := range []string{"", otherHash, otherHash + "\n", "h1:", "h2:x", "h1:AAAA", "h1:" + strings.Repeat("A", 44), "\x1b]0;x\x07"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, text := parseZipHash(data)
		if text != strings.TrimSpace(string(data)) {
			t.Errorf("the text is %q", text)
		}
		if sum == "" {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
		if err != nil || len(raw) != 32 || sum != text || len(sum) != 47 {
			t.Errorf("%q passes for a hash", sum)
		}
	})
}

// What passes for an .info names a version.
func FuzzInfo(f *testing.F) {
	for _, s := range []string{"", "{}", `{"Version":"v1.0.0"}`, `{"Version":1}`, "[]", "null", `{"Version":"v1.0.0"`, strings.Repeat("[", 10_000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if version, invalid := parseInfo(data); (version == "") != (invalid != "") {
			t.Errorf("version %q, invalid %q", version, invalid)
		}
	})
}

// A zip has a hash for gpx when it has one for the go command, and the same.
func FuzzZip(f *testing.F) {
	m := module.Version{Path: "example.com/m", Version: "v1.0.0"}
	made, err := lab.NewModule(m.Path, m.Version, time.Time{}, map[string]string{"go.mod": "module example.com/m\n", "x.go": "package x\n"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.Zip)
	f.Add(made.Zip[:len(made.Zip)/2])
	f.Add([]byte("PK\x03\x04"))
	f.Add(bytes.ReplaceAll(made.Zip, []byte("x.go"), []byte("../y")))
	root := f.TempDir()
	n, err := trash.NamesOf(m)
	check(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(root, filepath.FromSlash(n.File("zip")))
		plantFile(t, file, string(data))
		got, err := observe(t.Context(), root, m, (&meter{now: time.Now}).begin(0))
		check(t, err)
		want, err := dirhash.HashZip(file, dirhash.Hash1)
		if err != nil {
			want = ""
		}
		if got.zip.sum != want {
			t.Errorf("the hash is %q, dirhash says %q (%v); %s %s", got.zip.sum, want, err, got.zip.damage, got.zip.reason)
		}
		if (got.zip.sum == "") == (got.zip.damage == "" && got.zip.err == nil) {
			t.Errorf("%+v", got.zip)
		}
	})
}
