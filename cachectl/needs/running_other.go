//go:build !linux

package needs

import (
	"context"
	"runtime"
)

// processes cannot tell without a system interface of its own for every system:
// versions that only a running command of an unknown project needs are not
// protected there, and that is said.
func processes(context.Context, string) Run {
	return Run{Unseen: "which go commands run cannot be seen on " + runtime.GOOS}
}
