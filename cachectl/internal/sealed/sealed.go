// Package sealed keeps what saves work and can be made again: indexes, and what
// was verified. A sealed file is one line that says what it is and has the hash
// of all that follows, and then whatever its owner writes:
//
//	gpx verification 1 <hex SHA-256 of the rest>
//	{…}
//
// One that is cut, changed, of another kind or of another version is not read:
// nothing is lost with it.
package sealed

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gpx/envctl/bounded"
)

// ErrNotSealed says that a file is none, or damaged.
var ErrNotSealed = errors.New("not a file of this kind, or a damaged one")

// most bounds such a file, in bytes: 100,000 module versions.
const most = 64 << 20

// Bytes is the content of a sealed file.
func Bytes(kind string, body []byte) []byte { return append(line(kind, body), body...) }

func line(kind string, body []byte) []byte {
	return fmt.Appendf(nil, "gpx %s 1 %x\n", kind, sha256.Sum256(body))
}

// Open is what a sealed file holds.
func Open(kind string, data []byte) (body []byte, err error) {
	first, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || !bytes.Equal(append(first[:len(first):len(first)], '\n'), line(kind, body)) {
		return nil, ErrNotSealed
	}
	return body, nil
}

// Read reads a sealed file.
func Read(file, kind string) (body []byte, err error) {
	data, err := bounded.ReadFile(file, most)
	if err != nil {
		return nil, err
	}
	return Open(kind, data)
}

// ReadJSON reads a sealed file of JSON into v.
func ReadJSON(file, kind string, v any) error {
	body, err := Read(file, kind)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// WriteJSON writes v as a sealed file.
func WriteJSON(file, kind string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Write(file, Bytes(kind, append(body, '\n')))
}

// Write writes a file that the user alone can read. At every instant the
// old one or the new one is there, whole.
func Write(file string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	removeStale(file)
	return os.Rename(tmp.Name(), file)
}

// removeStale removes what killed processes left of the file. One that another
// process is writing now is moments old.
func removeStale(file string) {
	dir, base := filepath.Split(file)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base+".") || !strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > time.Hour {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
