package probe

import "golang.org/x/sys/windows"

var (
	errnoRefused     = []error{windows.WSAECONNREFUSED}
	errnoReset       = []error{windows.WSAECONNRESET, windows.WSAECONNABORTED}
	errnoTimeout     = []error{windows.WSAETIMEDOUT}
	errnoUnreachable = []error{windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH, windows.WSAENETDOWN,
		windows.WSAEHOSTDOWN, windows.WSAEADDRNOTAVAIL, windows.WSAEACCES, windows.WSAEAFNOSUPPORT}
)
