package sandbox

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// limitMemory bounds the address space of this process to what it has now and so many bytes more. What SQLite
// then cannot have it reports.
func limitMemory(more int64) error {
	var pages uint64
	content, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(content), &pages)
	}
	if err != nil {
		return fmt.Errorf("read how much memory there is: %w", err)
	}
	most := pages*uint64(os.Getpagesize()) + uint64(more)
	if err := limit(syscall.RLIMIT_AS, most); err != nil {
		return fmt.Errorf("limit memory to %d bytes: %w", most, err)
	}
	return nil
}

// ignoreFileLimit makes a write beyond limitFiles fail, instead of ending the process.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }

// limitFiles bounds how large a file may become. What goes beyond it SQLite reports as a full disk.
func limitFiles(bytes int64) error {
	if err := limit(syscall.RLIMIT_FSIZE, uint64(bytes)); err != nil {
		return fmt.Errorf("limit files to %d bytes: %w", bytes, err)
	}
	return nil
}

// limit leaves the hard limit alone, so that the other one can be raised again.
func limit(resource int, most uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(resource, &now); err != nil {
		return err
	}
	now.Cur = min(now.Max, most)
	return syscall.Setrlimit(resource, &now)
}
