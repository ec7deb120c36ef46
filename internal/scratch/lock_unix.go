//go:build unix

package scratch

import (
	"errors"
	"os"
	"syscall"
)

var (
	errLocked  = errors.New("another process holds the folder")
	errNoLocks = errors.New("the file system has no locks")
)

// lock takes the folder itself for as long as this process lives: the system drops the lock when a process
// dies, however it dies.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, errNoLocks
}
