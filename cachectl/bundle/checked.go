package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/module"

	"gpx/envctl/bounded"
)

// To know that a zip matches its .ziphash it has to be unpacked, which costs
// many times what reading it does. So what was found is remembered, by the
// SHA-256 of the zip's bytes: the next export reads every zip anyway, hashes it
// on the way, and begins again without the memory where the bytes are others.
//
//	gpx checked zips 1
//	"/home/me/go/pkg/mod"
//	<sha256> <h1> <size> <mtime, Unix nanoseconds> <path below cache/download>
//	…
//	sum <sha256 of all lines before>

const checkedHeader = "gpx checked zips 1\n"

// maxChecked bounds what is read of such a file, in bytes: a line has about 250.
const maxChecked = 64 << 20

// zipSums are what is remembered of a zip.
type zipSums struct {
	sha256, h1  string
	size, mtime int64 // when it was hashed
}

// checked remembers zips of one cache. It may be used by several goroutines.
type checked struct {
	file     string // "" remembers nothing beyond this process
	cache    string
	download string

	mu    sync.Mutex
	by    map[string]zipSums // by path below cache/download, with slashes
	dirty bool
}

// loadChecked reads the file. One that is damaged, foreign or about another
// cache is taken for empty: it saves time, and is never needed.
func loadChecked(file, cache string) *checked {
	c := &checked{file: file, cache: cache, download: filepath.Join(cache, "cache", "download"), by: map[string]zipSums{}}
	if file == "" {
		return c
	}
	if data, err := bounded.ReadFile(file, maxChecked); err == nil {
		if by, ok := parseChecked(data, cache); ok {
			c.by = by
		}
	}
	return c
}

func parseChecked(data []byte, cache string) (map[string]zipSums, bool) {
	at := bytes.LastIndex(data, []byte("\nsum "))
	if at < 0 {
		return nil, false
	}
	lines := data[:at+1]
	if string(data[at+1:]) != checkedTrailer(lines) {
		return nil, false
	}
	text, ok := strings.CutPrefix(string(lines), checkedHeader+strconv.Quote(cache)+"\n")
	if !ok {
		return nil, false
	}
	by := map[string]zipSums{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
		if len(f) != 5 || len(f[0]) != 2*sha256.Size || !isSum(f[1]) {
			return nil, false
		}
		size, serr := strconv.ParseInt(f[2], 10, 64)
		mtime, merr := strconv.ParseInt(f[3], 10, 64)
		if serr != nil || merr != nil {
			return nil, false
		}
		by[f[4]] = zipSums{sha256: f[0], h1: f[1], size: size, mtime: mtime}
	}
	return by, true
}

func checkedTrailer(lines []byte) string {
	sum := sha256.Sum256(lines)
	return "sum " + hex.EncodeToString(sum[:]) + "\n"
}

// sums says what is known of the zip, from memory when it looks unchanged.
func (c *checked) sums(ctx context.Context, path string, m module.Version) (zipSums, error) {
	key, err := filepath.Rel(c.download, path)
	if err != nil {
		return zipSums{}, err
	}
	key = filepath.ToSlash(key)
	c.mu.Lock()
	s, ok := c.by[key]
	c.mu.Unlock()
	if info, err := os.Stat(path); ok && err == nil && info.Size() == s.size && info.ModTime().UnixNano() == s.mtime {
		return s, nil
	}
	if s, err = hashZip(ctx, path, m); err != nil {
		c.forget(path)
		return zipSums{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[key], c.dirty = s, true
	return s, nil
}

// forget makes sure that the file at path is read whole the next time.
func (c *checked) forget(path string) {
	key, err := filepath.Rel(c.download, path)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.by[filepath.ToSlash(key)]; ok {
		delete(c.by, filepath.ToSlash(key))
		c.dirty = true
	}
}

// save writes the file when there is something new, in one instant.
func (c *checked) save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == "" || !c.dirty {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(checkedHeader + strconv.Quote(c.cache) + "\n")
	for _, key := range slices.Sorted(maps.Keys(c.by)) {
		if s := c.by[key]; b.Len() < maxChecked/2 && !strings.ContainsAny(key, "\r\n") {
			fmt.Fprintf(&b, "%s %s %d %d %s\n", s.sha256, s.h1, s.size, s.mtime, key)
		}
	}
	b.WriteString(checkedTrailer(b.Bytes()))
	err := os.MkdirAll(filepath.Dir(c.file), 0o700)
	if err == nil {
		err = replaceFile(c.file+".new", c.file, b.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("remembering which zips were checked: %w", err)
	}
	c.dirty = false
	return nil
}
