package sqlitefile

import "errors"

// Problem is a finding in the shape that dbmigrate promises in its JSON (docs/scripting.md): a stable code,
// the object, what is wrong, and the way out.
type Problem struct {
	Code   Reason `json:"code"`
	Object string `json:"object,omitempty"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Verdict is Ready, Fixable or Blocked; a database with no more than a Warning is ready.
func (r *Report) Verdict() Level {
	if r.Level.rank() < Fixable.rank() {
		return Ready
	}
	return r.Level
}

// Problems are all findings, warnings among them, in the order in which they were found.
func (r *Report) Problems() []Problem { return problemsOf(r.Findings) }

// ProblemsOf returns what stands against a database in an error of Report.Err or of Open, the first being the
// gravest; nil for any other error.
func ProblemsOf(err error) []Problem {
	var all *refusal
	if errors.As(err, &all) {
		return problemsOf(all.list)
	}
	var one *Finding
	if errors.As(err, &one) {
		return problemsOf([]Finding{*one})
	}
	return nil
}

func problemsOf(list []Finding) []Problem {
	var problems []Problem
	for i := range list {
		f := &list[i]
		alone := *f
		alone.Object = "" // it has a member of its own
		problems = append(
			problems,
			Problem{Code: f.Reason, Object: f.Object, Detail: alone.Error(), Fix: f.WayOut},
		)
	}
	return problems
}

// refusal is the gravest finding as an error, and with it all others that are as grave.
type refusal struct {
	*Finding
	list []Finding
}

func (r *refusal) Unwrap() error { return r.Finding }
