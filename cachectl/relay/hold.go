package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gpx/cachectl/internal/flock"
)

// A Hold is a file that tells through which relay of this process the user's
// settings lead. It is locked as long as the process lives, so that another one can
// tell a relay that is at work from one that was killed and has left the settings
// behind:
//
//	empty            nothing leads through a relay
//	URL, locked      it is at work
//	URL, not locked  its process was killed
type Hold struct{ f flock.File }

// ErrInUse says that another process has a relay that settings lead through.
var ErrInUse = errors.New("another gpx has a relay in use")

// maxHold is more than a URL of loopback has, in bytes.
const maxHold = 1 << 10

// TakeHold takes the file at path. left is what a process wrote that was killed, ""
// without one. An error wraps [ErrInUse] while another process has it.
func TakeHold(ctx context.Context, path string) (h *Hold, left string, err error) {
	f, err := takeFile(ctx, path)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHold))
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return &Hold{f}, strings.TrimSpace(string(data)), nil
}

// shortHold is the longest wait for who has the file and has not written to it: it
// looks whether somebody was killed, or is about to write.
const shortHold = 2 * time.Second

func takeFile(ctx context.Context, path string) (flock.File, error) {
	ctx, cancel := context.WithTimeout(ctx, shortHold)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := flock.Try(path)
		if !errors.Is(err, flock.ErrHeld) {
			return f, err
		}
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			return flock.File{}, ErrInUse
		}
		select {
		case <-ctx.Done():
			return flock.File{}, ErrInUse
		case <-tick.C:
		}
	}
}

// Set says where the settings are about to lead. It is on the disk when Set returns.
func (h *Hold) Set(url string) error {
	if err := h.f.Truncate(0); err != nil {
		return err
	}
	if _, err := h.f.WriteAt([]byte(url), 0); err != nil {
		return err
	}
	return h.f.Sync()
}

// Release gives the file back; nothing leads through a relay any more. The file
// stays: who has just opened it would otherwise lock one that is gone.
func (h *Hold) Release() error { return errors.Join(h.f.Truncate(0), h.f.Close()) }

// Leave gives the file back as it is, for who comes next.
func (h *Hold) Leave() error { return h.f.Close() }
