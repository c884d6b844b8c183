package bundle

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"gpx/envctl/advice"
)

// A stream that a stranger made can unpack into far more than it is. These
// readers stand between the decompression and the tar reader.

// errBomb: a few bytes unpack into more than a bundle can hold.
var errBomb = errors.New("it unpacks into far more than a bundle of its size holds; nothing of it is used")

// A guard fails once more came out of a stream than may: in proportion to what
// went in, until the manifest says how much there is.
type guard struct {
	r   io.Reader
	in  *counter // what was read of the bundle itself
	out int64
	max int64 // 0: not known yet
}

// Zips are deflated, so that a bundle unpacks into less than twice its size;
// go.mod files, of which some bundles have many, into ten times theirs.
const (
	maxRatio = 100
	freely   = 64 << 20 // that much may come out whatever went in
)

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.out += int64(n)
	if g.max > 0 && g.out > g.max || g.out > freely+maxRatio*g.in.n.Load() {
		return 0, errBomb
	}
	return n, err
}

// A counter counts. The decompression reads ahead on a goroutine of its own.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// A tail knows how many zeros a stream has ended in so far: a tar archive ends
// in two blocks of them, and one that does not was cut short, also where it was
// cut between two files.
type tail struct {
	r     io.Reader
	zeros int64
}

const tarEnd = 2 * 512

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	i := n
	for i > 0 && p[i-1] == 0 {
		i--
	}
	if i > 0 {
		t.zeros = 0
	}
	t.zeros += int64(n - i)
	return n, err
}

// maxPadding bounds what follows the end of an archive, in bytes: tar fills its
// last record, which has 10 KiB unless somebody asks for more.
const maxPadding = 1 << 20

// finish reads to the end of the stream: an archive was there whole, and
// nothing but padding follows it.
func (t *tail) finish() error {
	if t.zeros < tarEnd {
		return advice.Add(errors.New("it was cut short: the end of the archive is missing"), "fetch it again")
	}
	buf := make([]byte, 32<<10)
	for n := int64(0); ; {
		k, err := t.Read(buf)
		if n += int64(k); t.zeros < tarEnd+n || n > maxPadding {
			return errors.New("something follows the end of the archive; a bundle has nothing there")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after the end of the archive: %w", err)
		}
	}
}
