package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"

	"gpx/envctl/redact"
)

// Extract writes the .info, .mod and .zip files of the versions that want asks for
// into dir, as they are called in the bundle. What is wrong with the bundle as a
// whole is an error; of the files only size and name were looked at, so that the
// caller has to compare their hashes with something better than the manifest.
func Extract(ctx context.Context, in, dir string, want func(m module.Version) bool) error {
	err := readBundle(ctx, in, visitor{
		manifest: func(*Manifest, []byte) (bool, error) { return false, nil },
		file: func(m member) error {
			if part := m.name.part; part != partInfo && part != partMod && part != partZip || !want(m.name.version) {
				_, err := io.Copy(io.Discard, m.r)
				return err
			}
			to := filepath.Join(dir, filepath.FromSlash(m.name.path))
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				return err
			}
			f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, m.r)
			return errors.Join(err, f.Close())
		},
	})
	if err != nil {
		return fmt.Errorf("cache import: %s: %w", redact.Clean(in), err)
	}
	return nil
}
