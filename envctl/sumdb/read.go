package sumdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/lockedfile"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/redact"
)

// A lookup serves one of x/mod's clients ([sumdb.ClientOps]) and notes what
// that used and what failed.
type lookup struct {
	c     *Client
	ctx   context.Context
	alone bool

	mu      sync.Mutex
	used    map[string][]byte // by name below Cache
	missed  map[string]string // a partial tile that is not there, by the name of the whole one
	failed  []failure
	unknown bool // the database has no record
	asked   bool // Remote was, for this lookup or for one whose proof it shares
	fork    bool
}

// A failure is a request without an answer.
type failure struct {
	path string
	err  error
}

// ReadCache reads a file that the go command keeps, or that was asked for and
// proven before.
func (l *lookup) ReadCache(name string) ([]byte, error) {
	data, err := l.read(name)
	if err == nil {
		data, err = l.c.underHead(name, data)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	whole, _, partial := strings.Cut(name, ".p/")
	switch {
	case partial && err != nil:
		l.missed[whole] = name // the client asks for the whole tile next
	case l.missed[name] != "":
		// Of a whole tile in the place of a partial one the client proves the
		// part that it asked for.
		asked := l.missed[name]
		delete(l.missed, name)
		if n := prefixLen(asked); err == nil && n <= len(data) {
			l.used[asked] = data[:n]
		}
	case err == nil:
		l.used[name] = data
	}
	return data, err
}

// prefixLen is the size of a partial tile, by its name.
func prefixLen(name string) int {
	if i := strings.LastIndex(name, "/tile/"); i >= 0 {
		if t, err := tlog.ParseTilePath(name[i+1:]); err == nil {
			return t.W * tlog.HashSize
		}
	}
	return 0
}

func (l *lookup) read(name string) ([]byte, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if data, ok := l.c.recall(name); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = true
		return data, nil
	}
	if l.c.o.Cache == "" {
		return nil, fs.ErrNotExist
	}
	path, err := File(l.c.o.Cache, name)
	if err != nil {
		return nil, err
	}
	data, err := readLocked(path)
	if err == nil && len(data) == 0 {
		// The go command takes a file that is being written for none.
		err = fs.ErrNotExist
	}
	return data, err
}

// ReadRemote asks the database.
func (l *lookup) ReadRemote(path string) ([]byte, error) {
	if l.c.o.Remote == nil {
		return nil, l.fail(path, errors.New("not among the cached answers, and nobody is asked"))
	}
	l.mu.Lock()
	l.asked = true
	l.mu.Unlock()
	data, err := l.c.remote.do(l.ctx, path, func() ([]byte, error) { return l.c.o.Remote(l.ctx, path) })
	if err == nil {
		data, err = l.c.underHead(l.c.o.DB.Name+path, data)
	}
	if err != nil {
		return nil, l.fail(path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The whole tile makes up for a part of it that could not be had.
	l.failed = slices.DeleteFunc(l.failed, func(f failure) bool { return strings.HasPrefix(f.path, path+".p/") })
	return data, nil
}

// fail notes a request without an answer. A partial tile that is gone is no
// failure yet: the client asks for the whole one.
func (l *lookup) fail(path string, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case absent && strings.HasPrefix(path, "/lookup/"):
		l.unknown = true
	case absent && strings.Contains(path, ".p/"):
	default:
		l.failed = append(l.failed, failure{path, err})
	}
	return err
}

// ReadConfig gives the key, and the tree head to begin with.
func (l *lookup) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(l.c.o.DB.Key), nil
	}
	if l.c.o.Head != nil {
		return l.c.o.Head, nil
	}
	if l.alone {
		return nil, nil
	}
	head, err := l.c.heads.current()
	if err != nil {
		return nil, l.fail(file, err)
	}
	return head, nil
}

// WriteConfig remembers a newer head for the lookups that follow.
func (l *lookup) WriteConfig(_ string, old, new []byte) error {
	if l.alone {
		return nil
	}
	return l.c.heads.swap(old, new)
}

// WriteCache is given what was asked for and is proven now.
func (l *lookup) WriteCache(name string, data []byte) {
	l.c.remember(name, data)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[name] = data
}

// Log is not used by the client.
func (l *lookup) Log(string) {}

// SecurityError is called when two tree heads contradict each other.
func (l *lookup) SecurityError(string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fork = true
}

// underHead puts a record under the head that all are to be proven in.
func (c *Client) underHead(name string, data []byte) ([]byte, error) {
	if c.o.Head == nil || !strings.HasPrefix(name, c.o.DB.Name+"/lookup/") {
		return data, nil
	}
	id, text, _, err := tlog.ParseRecord(data)
	if err != nil {
		return data, nil // the client says it better
	}
	record, err := tlog.FormatRecord(id, text)
	return append(record, c.o.Head...), err
}

// remembered is the head that the go command has seen last.
func (c *Client) remembered() ([]byte, error) {
	if c.o.Fresh {
		return nil, nil
	}
	if c.o.Config == "" {
		return nil, errors.New("missing $GOPATH")
	}
	path, err := File(c.o.Config, c.o.DB.Name+"/latest")
	if err != nil {
		return nil, err
	}
	head, err := readLocked(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(head) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(c.o.DB.Key)
	if err == nil {
		_, err = note.Open(head, note.VerifierList(v))
	}
	if err != nil {
		return nil, fmt.Errorf("$GOPATH/pkg/sumdb/%s/latest is no tree head of the database, which fails the go command too; remove it", c.o.DB.Name)
	}
	return head, nil
}

// heads are the signed tree heads that the lookups of a client share.
type heads struct {
	read func() ([]byte, error) // the one to begin with

	mu    sync.Mutex
	begun bool
	head  []byte
	err   error
}

// begin reads the first head. h is locked.
func (h *heads) begin() {
	if !h.begun {
		h.begun = true
		h.head, h.err = h.read()
	}
}

func (h *heads) current() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begin()
	return h.head, h.err
}

// swap replaces the head unless it was replaced meanwhile.
func (h *heads) swap(old, new []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begin()
	if !bytes.Equal(h.head, old) {
		return sumdb.ErrWriteConflict
	}
	h.head = new
	return nil
}

// fileMost bounds one file: a full tile has 8 KiB, a record some 400 bytes, and
// a head as many signatures as somebody likes.
const fileMost = 1 << 20

// readLocked reads a file under the lock that the go command writes it under,
// so that it is never half of one.
func readLocked(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := lockedfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileMost+1))
	if err == nil && len(data) > fileMost {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("too large for a file of a checksum database")}
	}
	return data, err
}

// File is where a file of a database lies below dir, which is a Cache or a
// Config; name has slashes. A name that leads out is refused: a database's name
// is outside text.
func File(dir, name string) (string, error) {
	name = filepath.FromSlash(name)
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%s: not a name below %s", redact.Clean(name), redact.Clean(dir))
	}
	return filepath.Join(dir, name), nil
}
