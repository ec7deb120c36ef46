package record

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// RunTime begins the name of a run.
const RunTime = "20060102T150405Z"

// NewRun names a run in receipts, flags and records: its time, for people, and a random part.
func NewRun(now time.Time) string {
	var random [4]byte
	rand.Read(random[:]) // never fails
	return now.UTC().Format(RunTime) + "-" + hex.EncodeToString(random[:])
}
