// Package overlap lets system calls that wait for a disk wait together.
//
// A goroutine in a system call keeps its processor, of which there are
// GOMAXPROCS, until the runtime's monitor takes it away, 20 µs to 10 ms later
// (runtime/proc.go, sysmon and retake). Reading a folder from a disk takes about
// as long. With one processor for each core, all of them are therefore often
// kept by calls that only wait, whatever the number of goroutines: on two cores
// a cold walk of 230,000 files left a third of the cores' time unused.
package overlap

import (
	"os"
	"runtime"
	"sync"
)

// Processors is how many there are while calls overlap, and more on a machine
// with more cores. Eight take a fifth off a cold walk on two cores, and add a
// twentieth to a warm one; more gain nothing.
const Processors = 8

var state struct {
	sync.Mutex
	users  int
	before int // GOMAXPROCS without us
}

// Calls raises GOMAXPROCS to at least [Processors] until the last one that asked
// for it calls end. It starts and ends with all goroutines of the program
// stopped for some microseconds: it is for work that may take seconds. A number
// that the user chose with GOMAXPROCS stays.
func Calls() (end func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	state.Lock()
	defer state.Unlock()
	if state.users++; state.users == 1 {
		if state.before = runtime.GOMAXPROCS(0); state.before < Processors {
			runtime.GOMAXPROCS(Processors)
		}
	}
	return sync.OnceFunc(release)
}

func release() {
	state.Lock()
	defer state.Unlock()
	if state.users--; state.users == 0 && state.before < Processors {
		runtime.GOMAXPROCS(state.before)
	}
}

// Cores is how many goroutines can compute at once: GOMAXPROCS as it is when no
// calls overlap.
func Cores() int {
	state.Lock()
	defer state.Unlock()
	if state.users > 0 {
		return state.before
	}
	return runtime.GOMAXPROCS(0)
}
