package ziphash

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"
)

type entry struct {
	name   string
	data   []byte
	method uint16
}

func makeZip(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		must(t, err)
		_, err = w.Write(e.data)
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// The hash is dirhash's, whatever the zip looks like.
func TestSumIsDirhash(t *testing.T) {
	var many []entry
	for i := range 300 {
		many = append(many, entry{fmt.Sprintf("m@v1.0.0/%03d.go", (i*7)%300), random(i * 100), zip.Deflate})
	}
	cases := map[string][]entry{
		"no file":               nil,
		"one":                   {{"m@v1.0.0/go.mod", []byte("module m\n"), zip.Deflate}},
		"stored":                {{"m@v1.0.0/a", random(100_000), zip.Store}},
		"empty files":           {{"m@v1.0.0/b", nil, zip.Deflate}, {"m@v1.0.0/a", nil, zip.Store}},
		"a folder":              {{"m@v1.0.0/d/", nil, zip.Store}, {"m@v1.0.0/d/x", []byte("x"), zip.Deflate}},
		"not in order":          many,
		"the same name":         {{"m@v1.0.0/a", []byte("1"), zip.Deflate}, {"m@v1.0.0/a", []byte("2"), zip.Deflate}},
		"larger than a buffer":  {{"m@v1.0.0/a", bytes.Repeat([]byte("abc"), 1<<20), zip.Deflate}},
		"larger than one piece": {{"m@v1.0.0/a", bytes.Repeat([]byte("abc"), oneShot/3+1), zip.Deflate}},
	}
	for name, entries := range cases {
		t.Run(name, func(t *testing.T) {
			data := makeZip(t, entries...)
			file := filepath.Join(t.TempDir(), "x.zip")
			must(t, os.WriteFile(file, data, 0o666))
			want, err := dirhash.HashZip(file, dirhash.Hash1)
			must(t, err)
			for range 2 { // the second with used memory
				got, err := Sum(t.Context(), bytes.NewReader(data), int64(len(data)))
				if err != nil || got != want {
					t.Fatalf("got %s %v, want %s", got, err, want)
				}
			}
		})
	}
}

func TestSumRefuses(t *testing.T) {
	whole := makeZip(t, entry{"m@v1.0.0/a", random(50_000), zip.Deflate})
	changed := bytes.Clone(whole)
	changed[1000] ^= 1
	// An entry whose directory says that it is smaller than what it inflates to.
	lying := makeZip(t, entry{"m@v1.0.0/a", make([]byte, 1<<20), zip.Deflate})
	dir := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	copy(lying[dir+24:], []byte{10, 0, 0, 0})
	cases := map[string][]byte{
		"nothing":             nil,
		"truncated":           whole[:len(whole)-10],
		"a changed byte":      changed,
		"a lying directory":   lying,
		"a newline in a name": makeZip(t, entry{"a\nb", nil, zip.Store}),
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			if sum, err := Sum(t.Context(), bytes.NewReader(data), int64(len(data))); err == nil {
				t.Errorf("the hash is %s", sum)
			}
		})
	}
}

// A directory that would take gigabytes of memory is not even read.
func TestSumBoundsTheDirectory(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	long := strings.Repeat("x", 60_000)
	for i := range maxDirectory/60_000 + 2 {
		_, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(long, i), Method: zip.Store})
		must(t, err)
	}
	must(t, z.Close())
	if _, err := Sum(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len())); !errors.Is(err, ErrDirectory) {
		t.Errorf("got %v, want %v", err, ErrDirectory)
	}
}

func TestSumCanBeCancelled(t *testing.T) {
	data := makeZip(t, entry{"m@v1.0.0/a", random(100_000), zip.Deflate}, entry{"m@v1.0.0/b", random(100_000), zip.Deflate})
	ctx, cancel := context.WithCancel(t.Context())
	r := &cancelling{bytes.NewReader(data), cancel}
	if _, err := Sum(ctx, r, int64(len(data))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// cancelling cancels as soon as the first file is read.
type cancelling struct {
	io.ReaderAt
	cancel func()
}

func (c *cancelling) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		c.cancel()
	}
	return c.ReaderAt.ReadAt(p, off)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
