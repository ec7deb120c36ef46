package faults

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// commands are the columns of the table.
var commands = []string{"migrate", "verify", "rollback", "gc"}

// services are named for people.
var services = map[string]string{bucket: "R2", flags: "KV", worker: "Worker"}

// table counts how commands ended, by kind of trouble. Its methods may be called from any goroutine.
type table struct {
	mu   sync.Mutex
	ends map[cell]Ends
}

type cell struct{ trouble, service, command string }

// Ends counts commands by their end. Finished got over the trouble; Stopped left every user served and said
// why. Open left a user with writes that wait, or may come to wait, and said so. Failed broke a promise.
type Ends struct{ Finished, Stopped, Open, Failed int }

// Report is the account of a run.
type Report struct {
	Took  time.Duration
	Cases int
	Ends
	cells map[cell]Ends
}

func (t *table) add(trouble, service, command string, ends Ends) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends == nil {
		t.ends = map[cell]Ends{}
	}
	at := cell{trouble, services[service], command}
	t.ends[at] = t.ends[at].plus(ends)
}

func endOf(f harness.Finished) Ends {
	for _, a := range f.Accounts {
		if a.Open {
			return Ends{Open: 1}
		}
	}
	if f.Exit != 0 {
		return Ends{Stopped: 1}
	}
	return Ends{Finished: 1}
}

func (e Ends) plus(o Ends) Ends {
	return Ends{e.Finished + o.Finished, e.Stopped + o.Stopped, e.Open + o.Open, e.Failed + o.Failed}
}

func (e Ends) String() string {
	var parts []string
	for _, part := range []struct {
		count int
		what  string
	}{{e.Finished, "finished"}, {e.Stopped, "stopped"}, {e.Open, "open"}, {e.Failed, "**failed**"}} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	return strings.Join(parts, ", ")
}

func (t *table) report(took time.Duration) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Report{Took: took, cells: map[cell]Ends{}}
	for at, ends := range t.ends {
		r.cells[at] = ends
		r.Ends = r.Ends.plus(ends)
	}
	r.Cases = r.Finished + r.Stopped + r.Open + r.Failed
	return r
}

// Markdown is the report as a table, ready for a page.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"%d commands in trouble in %s: %d finished, %d stopped with every user served, %d left a user open and said so, %d failed. "+
			"Each but the failed was then run again without trouble and finished, and at no time was an acknowledged write missing.\n\n",
		r.Cases,
		r.Took.Round(time.Second),
		r.Finished,
		r.Stopped,
		r.Open,
		r.Failed,
	)
	fmt.Fprintf(
		&b,
		"| trouble | at | %s |\n|---|---|%s\n",
		strings.Join(commands, " | "),
		strings.Repeat("---|", len(commands)),
	)
	for _, row := range r.rows() {
		fmt.Fprintf(&b, "| %s | %s |", row.trouble, row.service)
		for _, command := range commands {
			fmt.Fprintf(&b, " %v |", r.cells[cell{row.trouble, row.service, command}])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// rows are the troubles that were met, without their commands.
func (r Report) rows() []cell {
	var rows []cell
	for at := range r.cells {
		at.command = ""
		if !slices.Contains(rows, at) {
			rows = append(rows, at)
		}
	}
	slices.SortFunc(
		rows,
		func(a, b cell) int { return strings.Compare(a.trouble+a.service, b.trouble+b.service) },
	)
	return rows
}
