package lab

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// filler is how many made-up records stand before and after the real ones: more
// than one full tile (256 records), so that clients read full and partial tiles.
const filler = 300

// A sumLog is the lab's checksum database: a signed transparency log in memory.
// It never changes after it was built.
type sumLog struct {
	name     string
	verifier string
	signed   []byte // the signed head
	forged   []byte // the same head signed by a key that nobody trusts
	records  [][]byte
	ids      map[module.Version]int64
	hashes   memHashes
	server   http.Handler
}

// newSumLog builds the database of all public modules.
func newSumLog(name string, modules []*Module) (*sumLog, error) {
	l := &sumLog{name: name, ids: make(map[module.Version]int64)}
	fill := func(part string) error {
		for i := range filler {
			m := module.Version{Path: fmt.Sprintf("filler.example.com/%s%03d", part, i), Version: "v1.0.0"}
			h := sha256.Sum256([]byte(m.Path))
			h1 := "h1:" + base64.StdEncoding.EncodeToString(h[:])
			if err := l.add(m, fmt.Sprintf("%s v1.0.0 %s\n%s v1.0.0/go.mod %s\n", m.Path, h1, m.Path, h1)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := fill("a"); err != nil {
		return nil, err
	}
	for _, m := range modules {
		if m.Private {
			continue
		}
		if err := l.add(m.Version, m.GoSum()); err != nil {
			return nil, err
		}
	}
	if err := fill("b"); err != nil {
		return nil, err
	}
	root, err := tlog.TreeHash(int64(len(l.records)), l.hashes)
	if err != nil {
		return nil, err
	}
	head := string(tlog.FormatTree(tlog.Tree{N: int64(len(l.records)), Hash: root}))
	signer, verifier, err := signerFor(name, "gpx lab checksum database")
	if err != nil {
		return nil, err
	}
	l.verifier = verifier
	if l.signed, err = note.Sign(&note.Note{Text: head}, signer); err != nil {
		return nil, err
	}
	stranger, _, err := signerFor(name, "a stranger's key")
	if err != nil {
		return nil, err
	}
	if l.forged, err = note.Sign(&note.Note{Text: head}, stranger); err != nil {
		return nil, err
	}
	l.server = sumdb.NewServer(l)
	return l, nil
}

func (l *sumLog) add(m module.Version, record string) error {
	id := int64(len(l.records))
	hashes, err := tlog.StoredHashes(id, []byte(record), l.hashes)
	if err != nil {
		return err
	}
	l.records = append(l.records, []byte(record))
	l.hashes = append(l.hashes, hashes...)
	l.ids[m] = id
	return nil
}

// signerFor makes the key of a name out of a seed, so that a lab's key is the
// same every time: nothing here is secret. Its textual form is that of x/mod's
// note package: PRIVATE+KEY+name+hash+base64(algorithm, seed).
func signerFor(name, seed string) (note.Signer, string, error) {
	sum := sha256.Sum256([]byte(seed))
	key := ed25519.NewKeyFromSeed(sum[:])
	verifier, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, "", err
	}
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return nil, "", err
	}
	const ed25519Algorithm = 1
	text := base64.StdEncoding.EncodeToString(append([]byte{ed25519Algorithm}, sum[:]...))
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, v.KeyHash(), text))
	return signer, verifier, err
}

// The methods of [sumdb.ServerOps].

func (l *sumLog) Signed(context.Context) ([]byte, error) { return l.signed, nil }

func (l *sumLog) ReadRecords(_ context.Context, id, n int64) ([][]byte, error) {
	if id < 0 || n < 0 || id+n > int64(len(l.records)) {
		return nil, fs.ErrNotExist
	}
	return l.records[id : id+n], nil
}

func (l *sumLog) Lookup(_ context.Context, m module.Version) (int64, error) {
	id, ok := l.ids[m]
	if !ok {
		// x/mod turns a *fs.PathError into 404; it does not look into others.
		return 0, &fs.PathError{Op: "lookup", Path: m.String(), Err: fs.ErrNotExist}
	}
	return id, nil
}

func (l *sumLog) ReadTileData(_ context.Context, t tlog.Tile) ([]byte, error) {
	// A tile beyond the log is no tile; x/mod would index past the end.
	if (t.N<<uint(t.H)+int64(t.W))<<uint(t.L*t.H) > int64(len(l.records)) {
		return nil, fs.ErrNotExist
	}
	return tlog.ReadTileData(t, l.hashes)
}

// get answers a request below the database's base: /lookup/…, /tile/…, /latest.
func (l *sumLog) get(path string) response {
	req, err := http.NewRequest("GET", "http://sumdb"+path, nil)
	if err != nil {
		return text(http.StatusBadRequest, err.Error())
	}
	w := recorder{header: make(http.Header), status: http.StatusOK}
	l.server.ServeHTTP(&w, req)
	return response{status: w.status, contentType: w.header.Get("Content-Type"), body: w.body.Bytes()}
}

// tamper changes an answer of the database as a mode says.
func (l *sumLog) tamper(mode Mode, path string, r response) response {
	if r.status != http.StatusOK {
		return r
	}
	tile := strings.HasPrefix(path, "/tile/")
	switch {
	case mode == ModeBadTile && tile:
		r.body = bytes.Clone(r.body)
		for i := 0; i < len(r.body); i += tlog.HashSize {
			r.body[i] ^= 1
		}
	case mode == ModeBadRecord && strings.HasPrefix(path, "/lookup/"):
		other := sha256.Sum256([]byte("other bytes"))
		h1 := []byte("h1:" + base64.StdEncoding.EncodeToString(other[:]))
		if i := bytes.Index(r.body, []byte("h1:")); i >= 0 {
			r.body = bytes.Clone(r.body)
			copy(r.body[i:], h1)
		}
	case mode == ModeBadSignature && !tile:
		// The first six characters after the name are the key's hash; what
		// follows is the signature.
		r.body = bytes.Clone(r.body)
		if i := bytes.LastIndexByte(r.body, ' '); i >= 0 {
			at := r.body[i+12:]
			for j := range min(8, len(at)) {
				at[j] = 'A'
			}
		}
	case mode == ModeOtherKey && !tile:
		r.body = bytes.Replace(r.body, l.signed, l.forged, 1)
	}
	return r
}

// memHashes is a tlog.HashReader over a slice.
type memHashes []tlog.Hash

func (h memHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, id := range indexes {
		if id < 0 || id >= int64(len(h)) {
			return nil, fmt.Errorf("hash %d of %d", id, len(h))
		}
		list[i] = h[id]
	}
	return list, nil
}

// recorder is an http.ResponseWriter in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
