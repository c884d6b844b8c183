package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// A spool keeps small files out of memory: the tiles of ten thousand versions
// have 80 MB. It is one temporary file.
type spool struct {
	mu   sync.Mutex
	f    *os.File
	size int64
	have map[string]piece // by SHA-256
	err  error
}

// A piece is a part of the spool.
type piece struct {
	offset, size int64
	sha256       string
}

func newSpool() *spool {
	f, err := os.CreateTemp("", "gpx-bundle-*")
	if err == nil {
		// Where an open file can be removed, a killed process leaves nothing.
		os.Remove(f.Name())
	}
	return &spool{f: f, err: err, have: map[string]piece{}}
}

func (s *spool) close() {
	if s.f != nil {
		s.f.Close()
		os.Remove(s.f.Name())
	}
}

func (s *spool) add(data []byte) (piece, error) {
	sum := sha256.Sum256(data)
	key := hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.have[key]; ok || s.err != nil {
		return p, s.err
	}
	p := piece{offset: s.size, size: int64(len(data)), sha256: key}
	if _, s.err = s.f.WriteAt(data, s.size); s.err != nil {
		return p, s.err
	}
	s.size += p.size
	s.have[key] = p
	return p, nil
}

func (s *spool) read(p piece) ([]byte, error) {
	data := make([]byte, p.size)
	_, err := io.ReadFull(io.NewSectionReader(s.f, p.offset, p.size), data)
	return data, err
}
