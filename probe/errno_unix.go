//go:build unix

package probe

import "syscall"

var (
	errnoRefused = []error{syscall.ECONNREFUSED}
	errnoReset   = []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
	errnoTimeout = []error{syscall.ETIMEDOUT}
	// EACCES and EPERM are what a local firewall answers; EADDRNOTAVAIL is no
	// local address of the needed family.
	errnoUnreachable = []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.EADDRNOTAVAIL, syscall.EACCES, syscall.EPERM, syscall.EAFNOSUPPORT}
)
