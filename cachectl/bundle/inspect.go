package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"gpx/envctl/redact"
)

// Contents are what a bundle holds.
type Contents struct {
	Path     string
	Manifest bool      // it says so itself; else every file was read
	Versions []Version // by path, then by semantic version
	Database string    // the checksum database inside; empty without one
	Files    int
	Bytes    int64
	// Unverifiable are path@version that the manifest says have no proof of the
	// checksum database.
	Unverifiable []string

	id    string // SHA-256 of the manifest, "" without one
	files []File
}

// Inspect says what is in a bundle, a folder or an archive. Where there is a
// manifest nothing else is read, and nothing is checked but that the manifest is
// one; without it, as in a tree that was made by hand, every file is read.
func Inspect(ctx context.Context, in string) (*Contents, error) {
	c, err := inspect(ctx, in, nil)
	if err != nil {
		return nil, fmt.Errorf("cache import: %s: %w", redact.Clean(in), err)
	}
	return c, nil
}

func inspect(ctx context.Context, in string, report func(Progress)) (*Contents, error) {
	c := &Contents{Path: in}
	h := sha256.New()
	err := readBundle(ctx, in, visitor{
		manifest: func(m *Manifest, text []byte) (bool, error) {
			sum := sha256.Sum256(text)
			c.id, c.Manifest, c.files = hex.EncodeToString(sum[:]), true, m.Files
			c.Database, c.Unverifiable = m.Database, m.Unverifiable
			return true, nil
		},
		file: func(m member) error {
			f, err := hashMember(h, m)
			if err != nil {
				return err
			}
			if m.name.db != "" {
				c.Database = m.name.db
			}
			c.files = append(c.files, f)
			c.Bytes += f.Size
			if report != nil {
				report(Progress{Phase: Listing, Done: c.Bytes})
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	c.Versions = versions(c.files)
	c.Files, c.Bytes = len(c.files), 0
	for i := range c.files {
		c.Bytes += c.files[i].Size
	}
	for i := range c.Unverifiable {
		c.Unverifiable[i] = redact.Clean(c.Unverifiable[i])
	}
	if len(c.Versions) == 0 {
		return nil, errors.New("it holds no module")
	}
	return c, nil
}

// hashMember reads a member to its end.
func hashMember(h hash.Hash, m member) (File, error) {
	h.Reset()
	n, err := io.Copy(h, m.r)
	if err == nil && n != m.size {
		err = io.ErrUnexpectedEOF
	}
	return File{Path: m.name.path, Size: n, SHA256: hex.EncodeToString(h.Sum(nil)), name: m.name}, err
}
