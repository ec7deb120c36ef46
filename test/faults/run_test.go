package faults

import (
	"testing"
	"time"
)

// TestRun draws troubles for a short while. `make soak` does it for an hour.
func TestRun(t *testing.T) {
	report, err := Run(t.Context(), cloud, binary, Config{Length: 45 * time.Second, Operators: 4, Log: t.Output()})
	t.Log("\n" + report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if report.Cases == 0 {
		t.Error("no command was in trouble")
	}
}
