package overlap

import (
	"os"
	"runtime"
	"testing"
)

func TestCalls(t *testing.T) {
	unset(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	first, second := Calls(), Calls()
	for _, end := range []func(){first, first} { // a second end of the same is none
		if got := runtime.GOMAXPROCS(0); got != Processors {
			t.Errorf("while calls overlap there are %d processors, want %d", got, Processors)
		}
		if got := Cores(); got != 3 {
			t.Errorf("cores: %d, want 3", got)
		}
		end()
	}
	second()
	if got := runtime.GOMAXPROCS(0); got != 3 {
		t.Errorf("afterwards there are %d processors, want 3", got)
	}
	if got := Cores(); got != 3 {
		t.Errorf("cores: %d, want 3", got)
	}
}

// A machine with more cores keeps them, and a user's own number stays.
func TestCallsLeaveMoreAlone(t *testing.T) {
	unset(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(Processors + 1))
	end := Calls()
	if got := runtime.GOMAXPROCS(0); got != Processors+1 {
		t.Errorf("%d processors, want %d", got, Processors+1)
	}
	end()

	runtime.GOMAXPROCS(1)
	t.Setenv("GOMAXPROCS", "1")
	end = Calls()
	defer end()
	if got := runtime.GOMAXPROCS(0); got != 1 {
		t.Errorf("%d processors, want the user's 1", got)
	}
}

func unset(t *testing.T) {
	t.Setenv("GOMAXPROCS", "") // put back afterwards
	os.Unsetenv("GOMAXPROCS")
}
