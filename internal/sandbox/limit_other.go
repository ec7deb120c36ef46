//go:build !linux

package sandbox

// limitMemory does nothing: there is no limit of address space that Go's own reservations would not exceed.
// The deadline holds.
func limitMemory(int64) error { return nil }

func limitFiles(int64) error { return nil }

func ignoreFileLimit() {}
