package preflight

import (
	"context"
	"errors"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Check opens the private copy at path and checks it with the limits that a Worker stated, or with those of
// production, wire.DefaultLimits. What is wrong with the database stands in the report, even when it is no
// database at all; an error means that the check could not be done.
func Check(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	return opened(ctx, path, func(f *sqlitefile.File) (sqlitefile.Report, error) { return CheckFile(ctx, f, limits) })
}

// Survey is Check that counts the entries, too, for those who want to know what a move would write.
func Survey(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	return opened(ctx, path, func(f *sqlitefile.File) (sqlitefile.Report, error) {
		report, err := CheckFile(ctx, f, limits)
		if err == nil && report.Err() == nil {
			report.Entries, err = f.CountEntries(ctx)
		}
		return report, err
	})
}

func opened(
	ctx context.Context,
	path string,
	check func(*sqlitefile.File) (sqlitefile.Report, error),
) (sqlitefile.Report, error) {
	f, err := sqlitefile.Open(ctx, path)
	var finding *sqlitefile.Finding
	if errors.As(err, &finding) {
		return *sqlitefile.NewReport([]sqlitefile.Finding{*finding}), nil
	}
	if err != nil {
		return sqlitefile.Report{}, err
	}
	report, err := check(f)
	return report, errors.Join(err, f.Close())
}

// CheckFile is Check of a file that is open: its schema, the integrity of the whole file, every row.
func CheckFile(ctx context.Context, f *sqlitefile.File, limits wire.Limits) (sqlitefile.Report, error) {
	schema, err := checkSchema(ctx, f, limits)
	if err != nil {
		return sqlitefile.Report{}, err
	}
	integrity := startIntegrityCheck(ctx, f)
	read := int64(0)
	rows, err := checkRows(ctx, f, limits, &read, sqlitefile.NewReport(schema).Level)
	damage, integrityErr := integrity()
	if err := errors.Join(err, integrityErr); err != nil {
		return sqlitefile.Report{}, err
	}
	if slices.ContainsFunc(rows, func(f sqlitefile.Finding) bool { return f.Reason == sqlitefile.ReasonRowTooLarge }) {
		damage = slices.DeleteFunc(
			damage,
			func(f sqlitefile.Finding) bool { return f.Reason == sqlitefile.ReasonTooCostly },
		) // it met the same value
	}
	report := *sqlitefile.NewReport(slices.Concat(schema, damage, rows))
	report.Tables, report.Rows = len(f.Tables()), read
	return report, nil
}

// startIntegrityCheck runs the check beside the reading of the rows; the returned function waits for it.
func startIntegrityCheck(ctx context.Context, f *sqlitefile.File) func() ([]sqlitefile.Finding, error) {
	type result struct {
		findings []sqlitefile.Finding
		err      error
	}
	done := make(chan result, 1)
	go func() {
		list, err := f.CheckIntegrity(ctx)
		done <- result{list, err}
	}()
	return func() ([]sqlitefile.Finding, error) {
		r := <-done
		return r.findings, r.err
	}
}

// checkRows reads every row once, and counts them in read.
func checkRows(
	ctx context.Context,
	f *sqlitefile.File,
	limits wire.Limits,
	read *int64,
	schema sqlitefile.Level,
) ([]sqlitefile.Finding, error) {
	if schema == sqlitefile.Blocked && f.Encoding() != sqlitefile.UTF8 {
		return nil, nil // its rows are read from a copy, and a copy of such a schema may be impossible
	}
	var list []sqlitefile.Finding
	for i := range f.Tables() {
		t := &f.Tables()[i]
		if t.Hidden {
			continue // the schema's finding
		}
		checker := sqlitefile.NewRowChecker(t, limits)
		stored, end, err := f.NewStoredChecker(ctx, t)
		if err == nil {
			err = f.Rows(ctx, t, nil, func(row []wire.Value) error {
				checker.Check(row)
				*read++
				return stored.Check(row)
			})
		}
		end()
		list = append(list, checker.Findings()...)
		list = append(list, stored.Findings()...)
		var finding *sqlitefile.Finding
		if errors.As(err, &finding) {
			list = append(list, *finding)
		} else if err != nil {
			return nil, err
		}
	}
	return list, nil
}
