package userfile

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Checks are the ways in which a user's file is opened for the first time. Nothing else opens a version of a
// file that they have not let pass. What takes more than it may is a report with the reason too-costly.
type Checks interface {
	Preflight(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error)
	// PreflightAhead is Preflight while the user's writes wait for it: it has no queue of others before it.
	PreflightAhead(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error)
	// Survey is Preflight that counts the entries, too.
	Survey(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error)
	JudgeSkimmed(
		ctx context.Context,
		path string,
		limits wire.Limits,
	) (report sqlitefile.Report, sure bool, err error)
}

// checksHere are without a budget, in this process.
type checksHere struct{}

func (c checksHere) PreflightAhead(
	ctx context.Context,
	path string,
	limits wire.Limits,
) (sqlitefile.Report, error) {
	return c.Preflight(ctx, path, limits)
}

func (checksHere) Preflight(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	return preflight.Check(ctx, path, limits)
}

func (checksHere) Survey(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	return preflight.Survey(ctx, path, limits)
}

func (checksHere) JudgeSkimmed(
	ctx context.Context,
	path string,
	limits wire.Limits,
) (sqlitefile.Report, bool, error) {
	return preflight.JudgeSkimmed(ctx, path, limits)
}
