package deps

import "sync"

// A once computes a value for each key once, however many ask at a time.
type once[K comparable, V any] struct {
	mu sync.Mutex
	by map[K]*onceEntry[V]
}

type onceEntry[V any] struct {
	once  sync.Once
	value V
}

func (o *once[K, V]) do(key K, compute func() V) V {
	o.mu.Lock()
	e := o.by[key]
	if e == nil {
		if o.by == nil {
			o.by = map[K]*onceEntry[V]{}
		}
		e = &onceEntry[V]{}
		o.by[key] = e
	}
	o.mu.Unlock()
	e.once.Do(func() { e.value = compute() })
	return e.value
}

// count is how many values there are.
func (o *once[K, V]) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.by)
}
