package deps

import "sync"

// A memo computes a value for each key once, however many ask at a time.
type memo[K comparable, V any] struct {
	mu sync.Mutex
	by map[K]*memoEntry[V]
}

type memoEntry[V any] struct {
	once  sync.Once
	value V
}

func (m *memo[K, V]) do(key K, compute func() V) V {
	m.mu.Lock()
	e := m.by[key]
	if e == nil {
		if m.by == nil {
			m.by = map[K]*memoEntry[V]{}
		}
		e = &memoEntry[V]{}
		m.by[key] = e
	}
	m.mu.Unlock()
	e.once.Do(func() { e.value = compute() })
	return e.value
}

// all are the values so far. It may not be called beside do.
func (m *memo[K, V]) all() map[K]V {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[K]V, len(m.by))
	for k, e := range m.by {
		out[k] = e.value
	}
	return out
}
