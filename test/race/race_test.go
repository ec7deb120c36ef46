package race

import (
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// short is a short race. `make soak` is the long one.
var short = Config{
	Users:        3,
	Clients:      4,
	Operators:    2,
	Cycles:       5,
	Writes:       500,
	Retire:       120,
	Limit:        10 * time.Minute,
	FilePause:    500 * time.Millisecond,
	Pause:        100 * time.Millisecond,
	Rest:         time.Second,
	EvictEvery:   3 * time.Second,
	RestartEvery: 45 * time.Second,
	MeddleEvery:  4 * time.Second,
	Deaths:       0.2,
	Kills:        0.1,
	Referee:      "../../scripts/dbdigest.py",
}

func TestRace(t *testing.T) {
	split := short
	split.Split, split.Writes = true, 300 // some of them dawdle
	all := []kind{{"users in one place", short, 200}, {"users who are split", split, 120}}
	for _, k := range effort.Some(t, "kinds of races", all, 1) {
		t.Run(k.name, func(t *testing.T) { onStack(t, sized(t, k.config, k.little)) })
	}
}

// kind is a race, and how many writes it has in a run that is not whole.
type kind struct {
	name   string
	config Config
	little int64
}

// sized leaves cycles and writes out where the run is not whole.
func sized(t *testing.T, config Config, writes int64) Config {
	config.Cycles = effort.Amount(t, "cycles", 2, config.Cycles)
	config.Writes = effort.Amount(t, "writes", writes, config.Writes)
	if !effort.Whole(t) {
		config.RestartEvery = 7 * time.Second // it would be over before the first one
	}
	return config
}

func onStack(t *testing.T, config Config) {
	s, err := stack.Start(t.Context(), stack.Options{ConfigPath: "../../" + WorkerConfig, Vars: WorkerVars()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	config.Log = t.Output()
	report, err := Run(t.Context(), []*stack.Stack{s}, config)
	t.Log("\n" + report.Markdown())
	if err != nil {
		t.Fatal(err)
	}
	if report.Lost != 0 || report.Duplicated != 0 || report.Twice != 0 || report.Missing != 0 {
		t.Errorf(
			"lost %d, duplicated %d, in both halves %d, in neither %d",
			report.Lost,
			report.Duplicated,
			report.Twice,
			report.Missing,
		)
	}
	if config.Split && (report.Anywhere == 0 || report.Merged == 0 || report.Located == 0) {
		t.Errorf("writes anywhere %d, merged reads %d, located %d", report.Anywhere, report.Merged, report.Located)
	}
	if report.Compared == 0 {
		t.Error("no backup was compared with another one")
	}
	if report.Called == 0 || report.Died == 0 || report.Grown == 0 {
		t.Errorf("%d calls, %d migrations, %d deaths", report.Called, report.Grown, report.Died)
	}
	if report.Cycles < config.Cycles || report.Acknowledged < config.Writes {
		t.Errorf("cycles %d, acknowledged %d", report.Cycles, report.Acknowledged)
	}
}
