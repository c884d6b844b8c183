package modcache

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

// A sealed file is what gpx itself wrote beside its history, as one line that
// says what it is and has the hash of all that follows, and JSON, or what the
// scan's index is made of:
//
//	gpx verification 1 <hex SHA-256 of the rest>
//	{…}
//
// One that is cut, changed, of another kind or of another version is not read:
// what stands in such a file saves work, and nothing is lost with it.

var errNotSealed = errors.New("not a file of this kind, or a damaged one")

// sealedMost bounds such a file: 100,000 versions.
const sealedMost = 64 << 20

// seal is the content of a sealed file.
func seal(kind string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return sealBytes(kind, append(body, '\n')), nil
}

func sealBytes(kind string, body []byte) []byte { return append(sealLine(kind, body), body...) }

func sealLine(kind string, body []byte) []byte {
	return fmt.Appendf(nil, "gpx %s 1 %x\n", kind, sha256.Sum256(body))
}

// unseal reads the content of a sealed file into v.
func unseal(kind string, data []byte, v any) error {
	body, err := unsealBytes(kind, data)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

func unsealBytes(kind string, data []byte) (body []byte, err error) {
	line, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || !bytes.Equal(append(line[:len(line):len(line)], '\n'), sealLine(kind, body)) {
		return nil, errNotSealed
	}
	return body, nil
}

// readSealed reads a sealed file.
func readSealed(file, kind string, v any) error {
	data, err := bounded.ReadFile(file, sealedMost)
	if err != nil {
		return err
	}
	return unseal(kind, data, v)
}

// writeSealed writes a sealed file.
func writeSealed(file, kind string, v any) error {
	data, err := seal(kind, v)
	if err != nil {
		return err
	}
	return writePrivate(file, data)
}

// writePrivate writes a file that the user alone can read. At every instant the
// old one or the new one is there, whole.
func writePrivate(file string, data []byte) (err error) {
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
