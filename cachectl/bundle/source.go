package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// A source is a file that goes into a bundle: a file on disk, a piece of a
// larger one, or bytes in memory.
type source struct {
	File
	from string
	at   io.ReaderAt
	data []byte
}

// sourceOf is a file that lies in memory.
func sourceOf(n name, data []byte) source {
	sum := sha256.Sum256(data)
	return source{
		File: File{Path: n.path, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), name: n},
		data: data,
	}
}

func (s *source) open() (io.ReadCloser, error) {
	switch {
	case s.from != "":
		return os.Open(s.from)
	case s.at != nil:
		return io.NopCloser(io.NewSectionReader(s.at, 0, s.Size)), nil
	default:
		return io.NopCloser(bytes.NewReader(s.data)), nil
	}
}
