package modcache

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

// byLibrary is what archive/zip says of the same zip.
func byLibrary(data []byte) (total, files int64, err error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return 0, 0, err
	}
	for _, f := range z.File {
		if f.Name != "" && !strings.HasSuffix(f.Name, "/") {
			files++
			total += int64(min(f.UncompressedSize64, uint64(math.MaxInt64-total)))
		}
	}
	return total, files, nil
}

var centralBuffer = make([]byte, zipTail)

func checkCentral(t *testing.T, data []byte) {
	t.Helper()
	wantTotal, wantFiles, wantErr := byLibrary(data)
	total, files, err := unzipped(bytes.NewReader(data), int64(len(data)), centralBuffer)
	if (err == nil) != (wantErr == nil) || total != wantTotal || files != wantFiles {
		t.Errorf("%d bytes: got %d in %d files, %v; archive/zip: %d in %d files, %v", len(data), total, files, err, wantTotal, wantFiles, wantErr)
	}
}

// archive is a zip with n files, each as long as its number.
func archive(t testing.TB, n int, comment string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("example.com/m@v1.0.0/dir/file%d.go", i), Comment: comment[:min(len(comment), i)]})
		if err == nil {
			_, err = f.Write(bytes.Repeat([]byte("x"), i%100))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Create("example.com/m@v1.0.0/folder/"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.SetComment(comment), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCentralDirectoriesAreReadAsArchiveZipReadsThem(t *testing.T) {
	small := archive(t, 3, "")
	patch := func(at int, with ...byte) []byte {
		data := bytes.Clone(small)
		if at < 0 {
			at += len(data)
		}
		copy(data[at:], with)
		return data
	}
	for name, data := range map[string][]byte{
		"nothing":                     nil,
		"text":                        []byte("<html>sign in</html>"),
		"no files":                    archive(t, 0, ""),
		"some files":                  archive(t, 20, ""),
		"larger than the buffer":      archive(t, 2000, ""),
		"more than 65535 files":       archive(t, 66000, ""),
		"with a comment":              archive(t, 5, strings.Repeat("PK\x05\x06", 100)),
		"with the longest comment":    archive(t, 5, strings.Repeat("c", math.MaxUint16)),
		"behind a program":            append(bytes.Repeat([]byte("#!"), 500), small...),
		"with garbage after it":       append(bytes.Clone(small), "garbage"...),
		"wrong number of files":       patch(-12, 9),
		"wrong size of the directory": patch(-10, 1),
		"wrong offset":                patch(-6, 1),
		"offset behind the end":       patch(-6, 0xff, 0xff, 0xff, 0x7f),
		"zip64 without a locator":     patch(-12, 0xff, 0xff),
		"comment longer than the zip": patch(-2, 0xff),
	} {
		t.Run(name, func(t *testing.T) { checkCentral(t, data) })
	}
	t.Run("cut short anywhere", func(t *testing.T) {
		for n := range small {
			checkCentral(t, small[:n])
		}
	})
	t.Run("one byte changed", func(t *testing.T) {
		for i := range small {
			checkCentral(t, patch(i, small[i]^0xff))
		}
	})
}

// endless is a zip of any size whose directory never ends.
type endless struct {
	size   int64
	header []byte
	end    []byte
}

func (e *endless) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		p[i] = e.header[(at+int64(i))%int64(len(e.header))]
	}
	if from := e.size - int64(len(e.end)); at+int64(len(p)) > from {
		copy(p[max(0, from-at):], e.end[max(0, at-from):])
	}
	return len(p), nil
}

func TestAHugeDirectoryNeedsNoMemory(t *testing.T) {
	header := make([]byte, zipHeaderLen)
	copy(header, zipHeader)
	binary.LittleEndian.PutUint32(header[24:], 1<<31) // two gigabytes each
	end := make([]byte, zipEndLen)
	copy(end, zipEnd)
	const records = 200_000
	binary.LittleEndian.PutUint16(end[10:], records&math.MaxUint16)
	binary.LittleEndian.PutUint32(end[12:], records*zipHeaderLen)
	e := &endless{size: records*zipHeaderLen + zipEndLen, header: header, end: end}
	buf := make([]byte, zipTail)
	allocs := testing.AllocsPerRun(1, func() {
		if _, _, err := unzipped(e, e.size, buf); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations", allocs)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestAZipThatCannotBeReadSaysWhy(t *testing.T) {
	broken := errors.New("input/output error")
	if _, _, err := unzipped(failing{broken}, 1000, make([]byte, zipTail)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, _, err := unzipped(failing{io.EOF}, 1000, make([]byte, zipTail)); !errors.Is(err, errZip) {
		t.Errorf("a file that became shorter: %v", err)
	}
}

func FuzzCentral(f *testing.F) {
	f.Add(archive(f, 3, ""))
	f.Add(archive(f, 1, "comment"))
	f.Add([]byte(zipEnd + strings.Repeat("\x00", zipEndLen-4)))
	f.Fuzz(func(t *testing.T, data []byte) { checkCentral(t, data) })
}
