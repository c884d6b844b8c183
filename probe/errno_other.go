//go:build !unix && !windows

package probe

// Elsewhere the system's errors are not told apart.
var errnoRefused, errnoReset, errnoTimeout, errnoUnreachable []error
