package deps

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// seal gives a command a network namespace of its own, with nothing in it but a
// loopback that is down. Who is not root needs a user namespace for that, in
// which the files look as before.
func seal(cmd *exec.Cmd) bool {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	return true
}

// cannotSeal reports whether the kernel refuses namespaces: many containers do.
func cannotSeal(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES)
}
