package history

import (
	"slices"

	"golang.org/x/sys/unix"
)

// networkFS are the file systems (statfs f_type) that may be shared by several
// machines or have no shared memory mapping: NFS, SMB, CIFS, SMB2, AFS, Coda,
// Ceph, 9P and FUSE, which may be anything (sshfs).
var networkFS = []uint32{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
	unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC,
}

// onNetwork reports whether dir is on a file system where WAL cannot be
// trusted.
func onNetwork(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && slices.Contains(networkFS, uint32(st.Type))
}
