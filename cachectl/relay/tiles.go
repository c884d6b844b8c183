package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/bits"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/bounded"
	"gpx/envctl/redact"
	"gpx/envctl/sumdb"
)

// A head is a signed tree.
type head struct {
	note []byte
	tree tlog.Tree
}

// covering are the heads that are known of trees with at least n records, the
// smallest first.
func (s *sums) covering(n int64) []head {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.client.Head(); known != nil { // the go command's own may have grown
		s.keepHead(known)
	}
	var list []head
	for _, size := range slices.Sorted(maps.Keys(s.heads)) {
		if size >= n && size > 0 {
			list = append(list, s.heads[size])
		}
	}
	return list
}

// tile is the content of a tile, proven in a signed tree that holds it. Tiles only
// ever grow, so those of a smaller tree are the beginnings of a larger one's.
func (s *sums) tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if data := s.known(t); data != nil {
		return data, nil
	}
	if bits.Len64(uint64(t.N))+t.H*(t.L+1) > 62 { // no log is so long
		return nil, errSumPath
	}
	first := t.N << t.H // hash of its level
	need := (first + int64(t.W)) << (t.H * t.L)
	heads := s.covering(need)
	if len(heads) == 0 {
		if _, err := s.askHead(ctx); err != nil {
			return nil, err
		}
		if heads = s.covering(need); len(heads) == 0 {
			return nil, fmt.Errorf("%w: no tree that it signed is so large", sumdb.ErrUnknown)
		}
	}
	indexes := make([]int64, t.W)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(t.L*t.H, first+int64(i))
	}
	// What the go command keeps suffices for the trees that it has seen.
	for _, h := range heads[:min(4, len(heads))] {
		if data, err := s.prove(ctx, h.tree, indexes, nil); err == nil {
			return data, nil
		}
	}
	data, err := s.ask(ctx, heads[len(heads)-1].tree, indexes)
	if err != nil && len(heads) > 1 { // a mirror that lags behind has no others
		data, err = s.ask(ctx, heads[0].tree, indexes)
	}
	return data, err
}

func (s *sums) ask(ctx context.Context, tree tlog.Tree, indexes []int64) (data []byte, err error) {
	err = s.trusted(func(get getter) (err error) {
		data, err = s.prove(ctx, tree, indexes, get)
		return err
	})
	return data, err
}

// prove reads hashes of a tree; what does not lead to its root is an error.
// Without get nobody is asked.
func (s *sums) prove(ctx context.Context, tree tlog.Tree, indexes []int64, get getter) ([]byte, error) {
	r := &tileReader{s: s, ctx: ctx, get: get}
	hashes, err := tlog.TileHashReader(tree, r).ReadHashes(indexes)
	if err != nil {
		if r.read { // all came, and it is not so
			return nil, fmt.Errorf("%w: %w", sumdb.ErrUntrusted, err)
		}
		return nil, err
	}
	var b bytes.Buffer
	for _, h := range hashes {
		b.Write(h[:])
	}
	return b.Bytes(), nil
}

// known is a tile out of memory.
func (s *sums) known(t tlog.Tile) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data := s.tiles[t.Path()]; data != nil {
		return data
	}
	whole := t
	whole.W = 1 << t.H
	if data := s.tiles[whole.Path()]; len(data) >= t.W*tlog.HashSize {
		return data[:t.W*tlog.HashSize]
	}
	return nil
}

// A tileReader reads tiles from wherever they are; what it read is proven
// afterwards.
type tileReader struct {
	s    *sums
	ctx  context.Context
	get  getter // nil: only what is on this machine
	read bool   // all that was asked for
}

// Height implements [tlog.TileReader].
func (*tileReader) Height() int { return tileHeight }

// ReadTiles implements [tlog.TileReader].
func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data, errs := make([][]byte, len(tiles)), make([]error, len(tiles))
	var all sync.WaitGroup
	for i, t := range tiles {
		all.Go(func() { data[i], errs[i] = r.tile(t) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	r.read = true
	return data, nil
}

// SaveTiles implements [tlog.TileReader]: these are proven.
func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for i, t := range tiles {
		r.s.keepTile(t.Path(), data[i])
	}
}

// tile reads one, or the beginning of the whole one.
func (r *tileReader) tile(t tlog.Tile) ([]byte, error) {
	if data := r.s.known(t); data != nil {
		return data, nil
	}
	whole := t
	whole.W = 1 << t.H
	size := t.W * tlog.HashSize
	for _, path := range slices.Compact([]string{t.Path(), whole.Path()}) {
		if data, err := r.s.onDisk(path); err == nil && len(data) >= size {
			return data[:size], nil
		}
	}
	if r.get == nil {
		return nil, fs.ErrNotExist
	}
	data, err := r.get(r.ctx, "/"+t.Path())
	if errors.Is(err, fs.ErrNotExist) && whole != t {
		data, err = r.get(r.ctx, "/"+whole.Path())
	}
	if err != nil {
		return nil, err
	}
	if len(data) < size {
		return nil, fmt.Errorf("%w: %s has %d bytes, want %d", sumdb.ErrUntrusted, redact.Clean(t.Path()), len(data), size)
	}
	return data[:size], nil
}

// onDisk is a tile that the go command keeps.
func (s *sums) onDisk(path string) ([]byte, error) {
	if s.o.Cache == "" {
		return nil, fs.ErrNotExist
	}
	return bounded.ReadFile(filepath.Join(s.o.Cache, filepath.FromSlash(s.o.DB.Name), filepath.FromSlash(path)), 1<<tileHeight*tlog.HashSize)
}
