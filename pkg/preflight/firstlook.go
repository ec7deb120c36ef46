package preflight

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FirstLook judges a file of size bytes that is elsewhere by its header and its schema, and reads no more of
// it than these. It is for refusing early: sure is true when these alone block the file; then the report has
// what they show, and rows may have more. Everything else, damage included, only the whole file can tell. It
// makes a file at path, which must not exist, and leaves it to the caller to remove. An error means that the
// look could not be had; those of read are passed on. Judge is JudgeSkimmed, or does the same elsewhere.
func FirstLook(
	ctx context.Context,
	path string,
	size int64,
	limits wire.Limits,
	read RangeReader,
	judge Judge,
) (report sqlitefile.Report, sure bool, err error) {
	s, err := newSkim(path, size, read)
	if err != nil {
		return sqlitefile.Report{}, false, err
	}
	defer func() { err = errors.Join(err, s.to.Close()) }()
	if err := s.take(0, SkimBytes); err != nil {
		return sqlitefile.Report{}, false, err
	}
	pageSize, usable, err := sqlitefile.Pages(path)
	var finding *sqlitefile.Finding
	if errors.As(err, &finding) {
		return *sqlitefile.NewReport([]sqlitefile.Finding{*finding}), true, nil
	}
	if err != nil {
		return sqlitefile.Report{}, false, fmt.Errorf("read header: %w", err)
	}
	if err := s.schema(pageSize, usable); errors.Is(err, errUnclear) {
		return sqlitefile.Report{}, false, nil
	} else if err != nil {
		return sqlitefile.Report{}, false, err
	}
	return judge(ctx, path, limits)
}

// Judge judges a file that has no more than its header and its schema, with the limits that a Worker stated.
type Judge func(ctx context.Context, path string, limits wire.Limits) (report sqlitefile.Report, sure bool, err error)

// JudgeSkimmed is the Judge that opens the file in this process.
func JudgeSkimmed(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, bool, error) {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return sqlitefile.Report{}, false, ctx.Err() // it may need pages that are not here, such as the options of a full-text table
	}
	defer f.Close()
	list, err := checkSchemaAlone(ctx, f, limits)
	if err != nil {
		return sqlitefile.Report{}, false, err
	}
	report := *sqlitefile.NewReport(list)
	report.Tables = len(f.Tables())
	return report, report.Level == sqlitefile.Blocked, nil
}
