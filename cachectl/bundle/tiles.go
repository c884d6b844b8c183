package bundle

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"gpx/envctl/bounded"
)

// tiles reads tiles for tlog, and keeps those that were proven.
type tiles struct {
	ctx context.Context
	q   *prover
	c   *candidate
}

func (t *tiles) Height() int { return 8 }

func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range list {
		data, err := t.read(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// read reads a tile, or the part that is asked for out of the whole one, as the
// go command's client does (x/mod/sumdb, readTile).
func (t *tiles) read(tile tlog.Tile) ([]byte, error) {
	whole := tile
	whole.W = 1 << uint(tile.H)
	for _, want := range []tlog.Tile{tile, whole} {
		size := want.W * tlog.HashSize
		data, err := bounded.ReadFile(filepath.Join(t.q.cache(), t.q.o.SumDB.Name, filepath.FromSlash(want.Path())), limits[partTile])
		if err != nil || len(data) != size {
			data, err = t.q.ask(t.ctx, "/"+want.Path())
		}
		if err == nil && len(data) == size {
			return data[:tile.W*tlog.HashSize], nil
		}
	}
	return nil, fmt.Errorf("%s: %w", tile.Path(), fs.ErrNotExist)
}

func (t *tiles) SaveTiles(list []tlog.Tile, data [][]byte) {
	for i, tile := range list {
		if at, err := t.q.p.spool.add(data[i]); err == nil {
			t.c.files["sumdb/"+t.q.o.SumDB.Name+"/"+tile.Path()] = at
		}
	}
}
