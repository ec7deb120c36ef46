package faults

import (
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// TestRun draws troubles for a while. `make soak` does it for an hour.
func TestRun(t *testing.T) {
	length := effort.Amount(t, "of troubles by chance", 10*time.Second, 10*time.Minute)
	report, err := Run(t.Context(), cloud, binary, Config{Length: length, Operators: 4, Log: t.Output()})
	t.Log("\n" + report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if report.Cases == 0 {
		t.Error("no command was in trouble")
	}
}
