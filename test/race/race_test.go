package race

import (
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/stack"
)

// TestRace is a short race. `make soak` is the long one.
func TestRace(t *testing.T) {
	s, err := stack.Start(t.Context(), stack.Options{ConfigPath: "../../" + WorkerConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	report, err := Run(t.Context(), []*stack.Stack{s}, Config{Users: 3, Clients: 4, Operators: 2, Cycles: 5, Writes: 500, Retire: 120, Limit: 10 * time.Minute,
		FilePause: 500 * time.Millisecond, Pause: 100 * time.Millisecond, Rest: time.Second, EvictEvery: 3 * time.Second, RestartEvery: 45 * time.Second, Kills: 0.1, Log: t.Output()})
	t.Log("\n" + report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if report.Lost != 0 || report.Duplicated != 0 || report.Cycles < 5 || report.Acknowledged < 500 {
		t.Errorf("lost %d, duplicated %d, cycles %d, acknowledged %d", report.Lost, report.Duplicated, report.Cycles, report.Acknowledged)
	}
}
