// Package sandbox opens users' files in processes of their own, which can be stopped and have a bounded
// memory. A file may be made, or may happen, so that SQLite takes hours or gigabytes over it, and much of
// that SQLite does without looking whether it should stop. The processes are the same program; they get no
// credentials, and one that had to be stopped is replaced.
package sandbox

import (
	"fmt"
	"time"
)

// Budget is what the check of one file may take.
type Budget struct {
	// Floor is the time for the smallest file, PerMiB what each MiB adds.
	Floor, PerMiB time.Duration
	// Memory is how much address space a process may take beyond what it starts with; 0 for no bound. It is
	// in force on Linux only.
	Memory int64
}

// DefaultBudget is more than a hundred times what files take on an idle machine, since many are checked at
// once. docs/preflight.md promises it.
var DefaultBudget = Budget{Floor: 15 * time.Second, PerMiB: time.Second, Memory: 512 << 20}

func (b Budget) deadline(bytes int64) time.Duration {
	return b.Floor + time.Duration(float64(b.PerMiB)*float64(bytes)/(1<<20))
}

func (b Budget) tookTooLong(bytes int64) string {
	return fmt.Sprintf(
		"to check its %d bytes takes more than %s",
		bytes,
		b.deadline(bytes).Round(time.Second/10),
	)
}

func (b Budget) tookTooMuch() string {
	return fmt.Sprintf("to check it takes more than %d MiB of memory", b.Memory>>20)
}
