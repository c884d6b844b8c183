//go:build !windows && (!unix || aix || solaris)

package flock

import (
	"errors"
	"os"
)

func try(*os.File) error { return errors.ErrUnsupported }
