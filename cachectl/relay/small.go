package relay

import (
	"errors"
	"io"
	"os"
	"sync"
)

const (
	// smallFile is more than nearly every go.mod has, in bytes.
	smallFile = 64 << 10
	// maxSmall bounds what is kept of small files, in bytes: some 10,000 of them.
	maxSmall = 8 << 20
	// smallCost is what one has beside its content and name.
	smallCost = 400
)

// Smalls keep the content of small files, as long as size, time and inode stay
// what they were: looking is a fifth of the work of reading.
type smalls struct {
	mu    sync.Mutex
	by    map[string]small
	total int64
}

type small struct {
	info os.FileInfo
	data []byte // nobody changes it
	gist string
}

var errTooLarge = errors.New("more than such a file may have")

// read is the content of a regular file of at most most bytes. gist is what one wants
// to know of it, which is kept as well; it is the same one at every read of a file.
func (s *smalls) read(name string, most int64, gist func(data []byte) string) (small, error) {
	info, err := os.Stat(name)
	if err != nil {
		return small{}, err
	}
	s.mu.Lock()
	had, ok := s.by[name]
	s.mu.Unlock()
	if ok && same(had.info, info) {
		return had, nil
	}
	f, err := openRegular(name)
	if err != nil {
		return small{}, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return small{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return small{}, err
	case int64(len(data)) > most:
		return small{}, errTooLarge
	}
	got := small{info, data, gist(data)}
	if len(data) <= smallFile {
		s.keep(name, got)
	}
	return got, nil
}

func (s *smalls) keep(name string, got small) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size := int64(len(got.data) + len(got.gist) + len(name) + smallCost); s.by == nil || s.total+size > maxSmall {
		s.by, s.total = map[string]small{}, 0
	} else {
		s.total += size
	}
	s.by[name] = got
}

// same reports whether a file is the one that it was, and as it was.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
