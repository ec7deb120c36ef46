//go:build linux || darwin

package migrate

import "syscall"

// freeOn is how many bytes a file in the folder may still take.
func freeOn(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
