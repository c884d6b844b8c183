package walk

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gpx/cachectl/internal/overlap"
)

// Stat measures what stands at each of paths, named from the folder base with
// slashes, a symbolic link as itself. It tells each, from several goroutines at
// once, in no order; an error is that there is nothing, or why it cannot be
// seen. Stat itself fails when base cannot be opened, or with the context's
// error, after which not all were told.
func Stat(ctx context.Context, base string, paths []string, opt Options, each func(i int, e Entry, err error)) error {
	w, err := newWalker(base, opt)
	if err != nil {
		return err
	}
	defer w.base.hold().release()
	const chunk = 64 // enough that nobody waits for the counter
	var next atomic.Int64
	var all sync.WaitGroup
	var more sync.Once
	end := func() {}
	begin := time.Now()
	several := min(w.opt.Workers, len(paths)/chunk+1)
	few := min(several, overlap.Cores()+1)
	var work func()
	work = func() {
		for ctx.Err() == nil {
			from := int(next.Add(chunk)) - chunk
			if from >= len(paths) {
				return
			}
			for i := from; i < min(from+chunk, len(paths)); i++ {
				e, err := w.base.stat(paths[i])
				each(i, e, err)
				if i%8 == 0 && time.Since(begin) > w.opt.atOnce {
					more.Do(func() {
						end = overlap.Calls()
						for range several - few {
							all.Go(work)
						}
					})
				}
			}
		}
	}
	for range few {
		all.Go(work)
	}
	all.Wait()
	end()
	return ctx.Err()
}

// atOnce is how long a Stat takes that waits for no disk: several thousand paths.
// More goroutines than processors are then in each other's way; where there is
// waiting they wait together.
const atOnce = 10 * time.Millisecond
