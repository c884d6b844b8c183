package trash

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"gpx/envctl/advice"
)

func TestMountsWithinTheCacheAreExplained(t *testing.T) {
	for _, c := range []struct {
		err     error
		advised bool
	}{
		{nil, false},
		{fs.ErrPermission, false},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EXDEV}, true},
	} {
		if err := crossing(c.err); !errors.Is(err, c.err) || (advice.Of(err) != "") != c.advised {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}
