package modcache

import (
	"sync"
	"time"
)

// A meter counts what was verified.
type meter struct {
	report func(VerifyProgress)
	now    func() time.Time

	mu       sync.Mutex
	progress VerifyProgress
	told     time.Time
}

// tell reports the progress when it is time, or at the end. m is locked.
func (m *meter) tell(always bool) {
	if m.report == nil {
		return
	}
	if now := m.now(); always || now.Sub(m.told) >= reportEvery {
		m.told = now
		m.report(m.progress)
	}
}

func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tell(true)
}

func (m *meter) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.progress.Bytes
}

// A versionMeter counts what was read of one version. However much that is, it
// counts as the version's weight once it is through.
type versionMeter struct {
	m    *meter
	left int64
}

func (m *meter) begin(weight int64) *versionMeter { return &versionMeter{m, weight} }

func (v *versionMeter) add(n int64) {
	n = max(min(n, v.left), 0)
	v.left -= n
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.m.progress.Bytes += n
	v.m.tell(false)
}

func (v *versionMeter) end() {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.m.progress.Bytes += v.left
	v.left = 0
	v.m.progress.Done++
	v.m.tell(false)
}
