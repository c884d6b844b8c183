package history

import "testing"

// BenchmarkStats is all time of 300,000 samples, 380 hours' rollups.
func BenchmarkStats(b *testing.B) {
	now := began
	s := recorded(b, &now)
	f := newFeed(8, began)
	fill(b, s, f, 300_000, false)
	now = f.at
	b.ResetTimer()
	for range b.N {
		if _, err := s.Stats(b.Context(), StatsOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
