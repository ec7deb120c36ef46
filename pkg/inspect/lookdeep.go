package inspect

import (
	"context"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// LookDeep says whether a user's file could be moved. It begins with the header and the schema, which need a
// few ranged reads; a file that these block is not downloaded. For every other file it is Preflight. It
// changes nothing.
func (e *Inspector) LookDeep(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	report, _, sure, err := e.Source().FirstLook(ctx, u)
	if err == nil && sure {
		return report, nil
	}
	if err != nil &&
		userdb.KindOf(err) != userdb.Precondition { // the application saved a new version meanwhile
		return sqlitefile.Report{}, err
	}
	return e.Preflight(ctx, u)
}

// Preflight downloads a user's file, checks everything, every row of it, and counts what a move would write.
// It changes nothing.
func (e *Inspector) Preflight(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	file, err := e.download(ctx, u)
	var encoded *userdb.EncodedError
	if errors.As(err, &encoded) {
		return sqlitefile.Encoded(encoded.Object.Headers.Coding()), nil
	}
	if err != nil {
		return sqlitefile.Report{}, err
	}
	defer file.Remove()
	report, err := e.Source().FirstCheck().Survey(ctx, file.Path, e.Limits)
	if err != nil {
		return report, err
	}
	beside, err := e.Source().Beside(ctx, u)
	if err != nil || len(beside) == 0 {
		return report, err
	}
	both := sqlitefile.NewReport(append(beside, report.Findings...))
	both.Tables, both.Rows = report.Tables, report.Rows
	return *both, nil
}
