package relay

import (
	"os"
	"sync"
)

// Spares are temporary files that are made before they are needed. Making one takes
// ext4 a millisecond where many were removed a moment ago, since it does not use their
// inodes again at once: a twentieth of the way to a server that is 20 ms away, for
// each file.
type spares struct {
	make func() (*os.File, error)
	// ready is how many are kept, in its capacity: what a go command asks for at once
	// on a small machine.
	ready  chan *os.File
	making sync.WaitGroup
}

// maxSpares is as many descriptors as they cost.
const maxSpares = 4

func newSpares(create func() (*os.File, error)) *spares {
	return &spares{make: create, ready: make(chan *os.File, maxSpares)}
}

// take is a file that nobody has; then the next is made.
func (s *spares) take() (*os.File, error) {
	defer s.making.Go(s.more)
	for {
		select {
		case f := <-s.ready:
			if _, err := os.Lstat(f.Name()); err == nil {
				return f, nil
			}
			f.Close() // somebody tidies up what is old, and it has waited long
		default:
			return s.make()
		}
	}
}

func (s *spares) more() {
	f, err := s.make()
	if err != nil { // who needs one is told
		return
	}
	select {
	case s.ready <- f:
	default:
		drop(f)
	}
}

// close removes what nobody took. Nobody takes any more.
func (s *spares) close() {
	s.making.Wait()
	close(s.ready)
	for f := range s.ready {
		drop(f)
	}
}

func drop(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}
