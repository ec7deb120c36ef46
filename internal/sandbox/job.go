package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// The checks, as the processes name them to each other.
const (
	checkAll    = "all"    // preflight.Check
	checkCount  = "count"  // preflight.Survey
	checkSchema = "schema" // preflight.JudgeSkimmed
)

// job is one line to a process.
type job struct {
	Check    string        `json:"check"`
	Path     string        `json:"path"`
	Limits   wire.Limits   `json:"limits"`
	Bytes    int64         `json:"bytes"` // of the file
	Deadline time.Duration `json:"deadline"`
}

// scratchBytes is how large a file may become that SQLite makes over the check: a copy in UTF-8, or rows to
// be sorted.
func (j job) scratchBytes() int64 { return 2*j.Bytes + 256<<20 }

// answer is one line from it.
type answer struct {
	Report sqlitefile.Report `json:"report"`
	Sure   bool              `json:"sure,omitempty"`
	Failed *failed           `json:"failed,omitempty"`
	// These say that the budget ended the check: of time, of memory, of the disk.
	Late      bool `json:"late,omitempty"`
	Greedy    bool `json:"greedy,omitempty"`
	Sprawling bool `json:"sprawling,omitempty"`
}

// failed is a *userdb.Error on its way.
type failed struct {
	Op, Thing, Text, Hint string
	Kind                  userdb.Kind
}

func (f *failed) err() error {
	return &userdb.Error{Op: f.Op, Thing: f.Thing, Kind: f.Kind, Err: errors.New(f.Text), Hint: f.Hint}
}

// do makes one check in this process.
func (j job) do() answer {
	ctx, cancel := context.WithTimeout(context.Background(), j.Deadline)
	defer cancel()
	a := answer{}
	var err error
	switch j.Check {
	case checkAll:
		a.Report, err = preflight.Check(ctx, j.Path, j.Limits)
	case checkCount:
		a.Report, err = preflight.Survey(ctx, j.Path, j.Limits)
	case checkSchema:
		a.Report, a.Sure, err = preflight.JudgeSkimmed(ctx, j.Path, j.Limits)
	default:
		err = fmt.Errorf("there is no check %q", j.Check)
	}
	switch {
	case err == nil:
		return a
	case ctx.Err() != nil:
		return answer{Late: true}
	case capi.IsNoMemory(err):
		return answer{Greedy: true}
	case capi.IsFileTooLarge(err):
		return answer{Sprawling: true}
	}
	return answer{Failed: describe(err)}
}

func describe(err error) *failed {
	var e *userdb.Error
	if !errors.As(err, &e) {
		return &failed{Op: "check the file", Kind: userdb.Internal, Text: err.Error()}
	}
	f := &failed{Op: e.Op, Thing: e.Thing, Kind: e.Kind, Hint: e.Hint}
	if e.Err != nil {
		f.Text = e.Err.Error()
	}
	return f
}
