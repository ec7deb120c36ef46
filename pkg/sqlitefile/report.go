package sqlitefile

import (
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Report says whether a Durable Object can hold a database exactly, and if not, why.
type Report struct {
	Level    Level     `json:"level"` // the gravest of Findings
	Findings []Finding `json:"findings"`
	Tables   int       `json:"tables"` // that hold rows
	Rows     int64     `json:"rows"`
	// Entries are counted by preflight.Survey, for databases that can be moved only.
	Entries Entries `json:"entries"`
}

// NewReport sums up findings of TrySchema, CheckIntegrity, RowCheckers and others; those of one reason
// about one object and column become one.
func NewReport(list []Finding) *Report {
	found := findings{}
	found.add(list...)
	return &Report{Level: found.level(), Findings: found.list}
}

// Err is nil for a database that can be moved; otherwise a *userdb.Error of kind NotSQLite, Damaged or
// Blocked with the gravest finding in it.
func (r *Report) Err() error {
	if r.Level.rank() < Fixable.rank() {
		return nil
	}
	var grave []Finding
	for _, f := range r.Findings {
		if f.Level == r.Level {
			grave = append(grave, f)
		}
	}
	first := &grave[0]
	return &userdb.Error{Op: "preflight", Kind: first.kind(), Err: &refusal{first, grave}, Hint: first.WayOut}
}

// findings gathers findings, merging those of one reason about one object and column.
type findings struct{ list []Finding }

func (fs *findings) add(added ...Finding) {
	for _, f := range added {
		i := slices.IndexFunc(
			fs.list,
			func(g Finding) bool { return g.Reason == f.Reason && g.Object == f.Object && g.Column == f.Column },
		)
		switch {
		case i < 0:
			fs.list = append(fs.list, f)
		case f.Key != "" && fs.list[i].Key == "": // a row's own finding says more than the integrity check's
			fs.list[i] = f
		}
	}
}

func (fs *findings) level() Level {
	level := Ready
	for _, f := range fs.list {
		if f.Level.rank() > level.rank() {
			level = f.Level
		}
	}
	return level
}
