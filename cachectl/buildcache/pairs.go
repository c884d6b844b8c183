package buildcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A pair is what goes or stays together: an output with the action entries
// that point to it. Without its output an entry is a miss; without an entry
// nothing leads to an output. Either is garbage.
type pair struct {
	id      ID // of the output, or what the entries would have as their output
	output  *outputFile
	actions []actionFile
	stray   *strayFile // then there is nothing else
	bytes   int64
	used    time.Time // the last use of any of it
}

func (p *pair) garbage() bool { return p.output == nil || len(p.actions) == 0 }

type outputFile struct {
	id   ID
	dir  bool
	size int64
	used int64 // Unix nanoseconds, as the other times here: there are many
}

type actionFile struct {
	id, output ID
	used       int64
}

type strayFile struct {
	shard byte
	dir   bool
	name  string
	size  int64
	used  int64
}

func newStray(f file) strayFile {
	shard, _ := strconv.ParseUint(f.shard, 16, 8) // it was found in one of 00 … ff
	return strayFile{byte(shard), f.dir, f.name, f.size, f.used.UnixNano()}
}

// contents is what the shards hold. An entry that cannot be read, or is none,
// is a stray: the go command takes it for a miss.
type contents struct {
	outputs []outputFile
	actions []actionFile
	strays  []strayFile
	bytes   int64 // of all files of the cache, also beside the shards
}

// read reads the whole cache, every action entry with it.
func (c *Cache) read(ctx context.Context) (*contents, error) {
	root, err := os.OpenRoot(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &contents{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var (
		mu      sync.Mutex
		k       contents
		folders = map[string]int64{} // sizes of what is in a shard's folders
	)
	problem := func(string, error) {} // what cannot be read stays; a scan names it
	err = c.list(ctx, 0, problem, func(_ string, _ bool, files []file) {
		part := contents{}
		for _, f := range files {
			if ctx.Err() != nil {
				return
			}
			part.bytes += f.size
			switch f.class {
			case output:
				part.outputs = append(part.outputs, outputFile{f.id, f.dir, f.size, f.used.UnixNano()})
			case action:
				part.addAction(root, f)
			case stray:
				part.strays = append(part.strays, newStray(f))
			case inside:
				mu.Lock()
				folders[f.shard+"/"+f.name] += f.size
				mu.Unlock()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		k.add(&part)
	})
	if err != nil {
		return nil, err
	}
	for i := range k.outputs {
		if o := &k.outputs[i]; o.dir {
			o.size = folders[o.id.Shard()+"/"+o.id.OutputFile()]
		}
	}
	for i := range k.strays {
		if s := &k.strays[i]; s.dir {
			s.size = folders[shardName(int(s.shard))+"/"+s.name]
		}
	}
	k.sort()
	return &k, nil
}

func (k *contents) add(l *contents) {
	k.outputs = append(k.outputs, l.outputs...)
	k.actions = append(k.actions, l.actions...)
	k.strays = append(k.strays, l.strays...)
	k.bytes += l.bytes
}

func (k *contents) addAction(root *os.Root, f file) {
	e, err := readEntry(root, f.shard+"/"+f.name)
	switch {
	case err == nil && e.Action == f.id:
		k.actions = append(k.actions, actionFile{f.id, e.Output, f.used.UnixNano()})
	case errors.Is(err, fs.ErrNotExist):
	default:
		k.strays = append(k.strays, newStray(f))
	}
}

// readEntry reads an action entry.
func readEntry(root *os.Root, path string) (Entry, error) {
	f, err := root.Open(path)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	var buf [EntrySize + 1]byte // one more tells whether it is too long
	n, err := io.ReadFull(f, buf[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Entry{}, err
	}
	return ParseEntry(buf[:n])
}

func (k *contents) sort() {
	slices.SortFunc(k.outputs, func(a, b outputFile) int { return bytes.Compare(a.id[:], b.id[:]) })
	slices.SortFunc(k.actions, func(a, b actionFile) int {
		if c := bytes.Compare(a.output[:], b.output[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
}

// pairs joins outputs and entries, both sorted by the output's ID.
func (k *contents) pairs() iter.Seq[pair] {
	return func(yield func(pair) bool) {
		outs, acts := k.outputs, k.actions
		for len(outs) > 0 || len(acts) > 0 {
			var p pair
			if len(acts) == 0 || len(outs) > 0 && bytes.Compare(outs[0].id[:], acts[0].output[:]) <= 0 {
				p.output, p.id, outs = &outs[0], outs[0].id, outs[1:]
			} else {
				p.id = acts[0].output
			}
			n := 0
			for n < len(acts) && acts[n].output == p.id && (n == 0 || p.output != nil) {
				n++ // without an output each entry is garbage by itself
			}
			p.actions, acts = acts[:n], acts[n:]
			p.sum()
			if !yield(p) {
				return
			}
		}
		for i := range k.strays {
			s := &k.strays[i]
			if !yield(pair{stray: s, bytes: s.size, used: time.Unix(0, s.used)}) {
				return
			}
		}
	}
}

// An Output is an output with the entries that lead to it.
type Output struct {
	ID      ID
	Program bool // a folder with one file in it
	Size    int64
	Used    time.Time // the last use of any of it, to within an hour
	Actions []ID      // sorted; never empty
}

// Outputs lists what a go command can find in the cache, by the outputs' IDs.
// It reads every action entry first.
func (c *Cache) Outputs(ctx context.Context) (iter.Seq[Output], error) {
	k, err := c.read(ctx)
	if err != nil {
		return nil, failed(c.dir, err)
	}
	return func(yield func(Output) bool) {
		for p := range k.pairs() {
			if p.stray != nil || p.garbage() {
				continue
			}
			o := Output{ID: p.id, Program: p.output.dir, Size: p.output.size, Used: p.used}
			for _, a := range p.actions {
				o.Actions = append(o.Actions, a.id)
			}
			if !yield(o) {
				return
			}
		}
	}, nil
}

// sum adds up the sizes of a pair and finds its last use.
func (p *pair) sum() {
	used := int64(0)
	if p.output != nil {
		p.bytes, used = p.output.size, p.output.used
	}
	for _, a := range p.actions {
		p.bytes += EntrySize
		used = max(used, a.used)
	}
	p.used = time.Unix(0, used)
}

// compare orders pairs by their last use, the oldest first.
func (p *pair) compare(q *pair) int {
	if c := p.used.Compare(q.used); c != 0 {
		return c
	}
	return bytes.Compare(p.id[:], q.id[:])
}
