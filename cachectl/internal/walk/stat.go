package walk

import (
	"context"
	"sync"
	"sync/atomic"
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
	for range min(w.opt.Workers, len(paths)/chunk+1) {
		all.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(chunk)) - chunk
				if from >= len(paths) {
					return
				}
				for i := from; i < min(from+chunk, len(paths)); i++ {
					e, err := w.base.stat(paths[i])
					each(i, e, err)
				}
			}
		})
	}
	all.Wait()
	return ctx.Err()
}
