package race

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// figures gathers what a run measures. Its methods may be called from any goroutine.
type figures struct {
	acknowledged, refused, unknown, lost, duplicated atomic.Int64
	epochs, evictions, restarts, killed, audited     atomic.Int64
	turns, twice, missing                            atomic.Int64 // of split users
	anywhere, merged, located                        atomic.Int64 // requests of theirs, of these kinds
	deleted, replaced, setBack                       atomic.Int64
	called, grown, died, compared                    atomic.Int64

	mu            sync.Mutex
	writes, reads latencies // of the answered
	both          []time.Duration
	longestWait   time.Duration
	windows       map[result.Action][]time.Duration
	outcomes      map[string]int64
	in, out       int64 // cutovers into the Durable Object and back
}

// latencies are kept apart by who answered.
type latencies struct{ byFile, byStore []time.Duration }

func (l *latencies) add(took time.Duration, byFile bool) {
	if byFile {
		l.byFile = append(l.byFile, took)
	} else {
		l.byStore = append(l.byStore, took)
	}
}

// found counts what an audit found.
func (f *figures) found(x finding) {
	f.lost.Add(int64(len(x.lost)))
	f.duplicated.Add(int64(len(x.duplicated)))
}

// wrote counts an acknowledged write that took so long from its first attempt on. One that met a runtime
// which was not there (severed) says nothing about cutovers.
func (f *figures) wrote(took time.Duration, byFile, severed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if severed {
		return
	}
	f.writes.add(took, byFile)
	f.longestWait = max(f.longestWait, took)
}

func (f *figures) didRead(took time.Duration, byFile bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads.add(took, byFile)
}

func (f *figures) didReadBoth(took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.both = append(f.both, took)
}

// looked counts what a read of everything found.
func (f *figures) looked(s snapshot) {
	f.twice.Add(int64(len(s.twice)))
	f.missing.Add(int64(len(s.missing)))
}

// commanded counts how a command ended.
func (f *figures) commanded(r result.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outcomes == nil {
		f.outcomes, f.windows = map[string]int64{}, map[result.Action][]time.Duration{}
	}
	name := fmt.Sprintf("%s %s", r.Action, r.Outcome)
	if err := r.Err(); err != nil {
		name += ", " + string(userdb.KindOf(err))
	}
	f.outcomes[name]++
	switch r.Outcome {
	case result.OutcomeMigrated, result.OutcomeResumed, result.OutcomeSplit:
		f.in++
		if r.Action == result.ActionThaw {
			f.out++ // before that
		}
	case result.OutcomeRestored, result.OutcomeExported, result.OutcomeMerged:
		f.out++
	}
	if r.Window > 0 && r.Err() == nil {
		f.windows[r.Action] = append(f.windows[r.Action], r.Window)
	}
}

// cycles is how often users went there and back.
func (f *figures) cycles() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return min(f.in, f.out)
}

// Report is the account of a run.
type Report struct {
	Took                           time.Duration
	Acknowledged, Lost, Duplicated int64
	Cycles                         int64 // cutovers there and back
	Epochs                         int64 // histories that were checked
	Compared                       int64 // pairs of backups in which dbdigest.py found the same database
	Refused, Unknown               int64 // answers: nothing was written; nobody knows
	Evictions, Restarts, Killed    int64
	Called, Grown                  int64 // writes by a method of a class, and with a migration of the schema
	Died                           int64 // users who were deleted with all they had, and began again
	Deleted, Replaced, SetBack     int64 // files that somebody deleted, or replaced by older ones; objects that were set back
	// How long writes had to wait, by the operator's clock, per cutover.
	MigrateWindow, RollbackWindow, ThawWindow Spread
	LongestWait                               time.Duration
	Audited                                   int64  // users with entries that were counted once more at the end
	FileWrites, StoreWrites                   Spread // latency of the acknowledged, from the first attempt on
	FileReads, StoreReads                     Spread
	Outcomes                                  map[string]int64

	// Of users who are split.
	Split          bool
	Twice, Missing int64  // rows that a read of both halves found in both, or in neither
	Turns          int64  // requests that did not find their row on the side that they asked, and asked the other one
	BothReads      Spread // reads of both halves
	// Requests that the router took to their half by itself, reads that it put together, and rows that it
	// located.
	Anywhere, Merged, Located int64
}

// Spread summarizes durations.
type Spread struct {
	Count                int
	Median, P99, Longest time.Duration
}

func spread(d []time.Duration) Spread {
	if len(d) == 0 {
		return Spread{}
	}
	d = slices.Sorted(slices.Values(d))
	return Spread{Count: len(d), Median: d[len(d)/2], P99: d[len(d)*99/100], Longest: d[len(d)-1]}
}

func (s Spread) String() string {
	return fmt.Sprintf(
		"%d: median %s, p99 %s, longest %s",
		s.Count,
		millis(s.Median),
		millis(s.P99),
		millis(s.Longest),
	)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func (f *figures) report(split bool, took time.Duration) Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	outcomes := make(map[string]int64, len(f.outcomes))
	for name, n := range f.outcomes {
		outcomes[name] = n
	}
	return Report{Took: took,
		Acknowledged: f.acknowledged.Load(), Lost: f.lost.Load(), Duplicated: f.duplicated.Load(),
		Cycles: min(
			f.in,
			f.out,
		), Epochs: f.epochs.Load(), Refused: f.refused.Load(), Unknown: f.unknown.Load(),
		Evictions: f.evictions.Load(), Restarts: f.restarts.Load(), Killed: f.killed.Load(),
		Deleted: f.deleted.Load(), Replaced: f.replaced.Load(), SetBack: f.setBack.Load(),
		Called: f.called.Load(), Grown: f.grown.Load(), Died: f.died.Load(), Compared: f.compared.Load(),
		MigrateWindow: spread(
			f.windows[result.ActionMigrate],
		), RollbackWindow: spread(f.windows[result.ActionRollback]),
		ThawWindow:  spread(f.windows[result.ActionThaw]),
		LongestWait: f.longestWait, Audited: f.audited.Load(), Outcomes: outcomes,
		FileWrites: spread(
			f.writes.byFile,
		), StoreWrites: spread(f.writes.byStore), FileReads: spread(f.reads.byFile), StoreReads: spread(f.reads.byStore),
		Split: split, Twice: f.twice.Load(), Missing: f.missing.Load(), Turns: f.turns.Load(), BothReads: spread(f.both),
		Anywhere: f.anywhere.Load(), Merged: f.merged.Load(), Located: f.located.Load(),
	}
}

// Markdown is the report as a table, ready for a page.
func (r Report) Markdown() string {
	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "| %s | %v |\n", name, value) }
	b.WriteString("| figure | value |\n|---|---|\n")
	row("time", r.Took.Round(time.Second))
	row("acknowledged writes", r.Acknowledged)
	row("lost", r.Lost)
	row("duplicated", r.Duplicated)
	if r.Split {
		row(
			"rows that a read of both halves found in both, in neither",
			fmt.Sprintf("%d, %d", r.Twice, r.Missing),
		)
	}
	row("cycles (cutovers there and back)", r.Cycles)
	row("histories checked for linearizability", r.Epochs)
	row("pairs of backups that an independent program compared", r.Compared)
	row("users counted once more at the end", r.Audited)
	row("writes refused by cutovers, and repeated by the client", r.Refused)
	row("writes of unknown outcome", r.Unknown)
	row("of the writes: by a method of a class, with a migration of the schema",
		fmt.Sprintf("%d, %d", r.Called, r.Grown))
	row("users who were deleted, and began again under the same name", r.Died)
	row("evictions, restarts, killed commands", fmt.Sprintf("%d, %d, %d", r.Evictions, r.Restarts, r.Killed))
	if !r.Split {
		row(
			"files deleted, replaced by older ones, Durable Objects set back",
			fmt.Sprintf("%d, %d, %d", r.Deleted, r.Replaced, r.SetBack),
		)
	}
	row("writes waited for a migrate", r.MigrateWindow)
	row("writes waited for a rollback", r.RollbackWindow)
	if r.Split {
		row("writes waited for a thaw", r.ThawWindow)
	}
	row("longest wait of a write, behind killed commands too", millis(r.LongestWait))
	row("writes that the file took", r.FileWrites)
	row("writes that the Durable Object took", r.StoreWrites)
	row("reads that the file answered", r.FileReads)
	row("reads that the Durable Object answered", r.StoreReads)
	if r.Split {
		row("reads of both halves", r.BothReads)
		row("writes by writeBoth, reads that were merged, rows that were located",
			fmt.Sprintf("%d, %d, %d", r.Anywhere, r.Merged, r.Located))
		row("requests that did not find the row on the side that they asked", r.Turns)
	}
	b.WriteString("\n| command and outcome | times |\n|---|---|\n")
	for _, name := range sortedNames(r.Outcomes) {
		row(name, r.Outcomes[name])
	}
	return b.String()
}

func sortedNames(m map[string]int64) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
