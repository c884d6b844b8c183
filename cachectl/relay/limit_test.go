package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One more than the limit is accepted when another ends; and a connection still
// takes files from the kernel.
func TestLimit(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := limit(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		must(t, err)
		defer c.Close()
	}
	first, err := l.Accept()
	must(t, err)
	if _, ok := first.(io.ReaderFrom); !ok {
		t.Error("net/http has no way to hand a file down")
	}
	second := make(chan net.Conn)
	go func() {
		c, _ := l.Accept()
		second <- c
	}()
	select {
	case <-second:
		t.Error("two at a time")
	default:
	}
	must(t, first.Close())
	first.Close() // makes no more room
	c := <-second
	if c == nil {
		t.Fatal("nobody is accepted any more")
	}
	third := make(chan error)
	go func() {
		_, err := l.Accept()
		third <- err
	}()
	must(t, l.Close())
	if err := <-third; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	c.Close()
}

// What is kept of small files is what stands on the disk, and has a bound.
func TestSmalls(t *testing.T) {
	t.Parallel()
	var s smalls
	dir := t.TempDir()
	file := filepath.Join(dir, "v1.0.0.mod")
	read := func(want string) {
		t.Helper()
		for range 2 {
			got, err := s.read(file, 100)
			if err != nil || string(got.data) != want {
				t.Errorf("%q, %v, want %q", got.data, err, want)
			}
		}
	}
	must(t, os.WriteFile(file, []byte("one"), 0o644))
	read("one")
	must(t, os.WriteFile(file+".new", []byte("two"), 0o644)) // as long
	must(t, os.Rename(file+".new", file))
	read("two")
	must(t, os.WriteFile(file, []byte(strings.Repeat("x", 101)), 0o644))
	if got, err := s.read(file, 100); !errors.Is(err, errTooLarge) {
		t.Errorf("%d bytes, %v", len(got.data), err)
	}
	must(t, os.Remove(file))
	if got, err := s.read(file, 100); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q, %v", got.data, err)
	}
	must(t, os.Mkdir(file, 0o755))
	if _, err := s.read(file, 100); err == nil {
		t.Error("a folder is read")
	}
	for i := range 2 * maxSmall / smallFile {
		name := filepath.Join(dir, strings.Repeat("a", i%200+1))
		s.keep(name, small{data: make([]byte, smallFile)})
	}
	total := 0
	for name, kept := range s.by {
		total += len(name) + len(kept.data)
	}
	if total > maxSmall+smallFile+1000 || total == 0 {
		t.Errorf("%d bytes are kept", total)
	}
}
