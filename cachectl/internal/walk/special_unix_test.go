//go:build unix

package walk

import "syscall"

// special makes something that is no file, folder or link.
func special(name string) error { return syscall.Mkfifo(name, 0o666) }
