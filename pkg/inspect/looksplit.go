package inspect

import (
	"context"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// LookSplit says what a split of a user's file by the policy would move at that moment. It changes nothing. A
// file that a Durable Object cannot hold is refused as by Migrate: report says why, and the plan is nil.
func (e *Inspector) LookSplit(
	ctx context.Context,
	u userdb.UserID,
	policy *split.Policy,
	at time.Time,
) (plan *split.Plan, report sqlitefile.Report, err error) {
	report, _, sure, err := e.Source().FirstLook(ctx, u)
	if err == nil && sure {
		return nil, report, report.Err()
	}
	if err != nil &&
		userdb.KindOf(err) != userdb.Precondition { // the application saved a new version meanwhile
		return nil, report, err
	}
	file, err := e.download(ctx, u)
	if err != nil {
		return nil, report, err
	}
	defer file.Remove()
	report, err = e.Source().FirstCheck().Preflight(ctx, file.Path, e.Limits)
	if err := errors.Join(err, report.Err()); err != nil {
		return nil, report, err
	}
	plan, err = split.NewPlan(ctx, file.Path, policy, at)
	return plan, report, withoutPath(err, file.Path)
}

// ProposeSplit writes a first policy from a user's file, at that moment. It changes nothing.
func (e *Inspector) ProposeSplit(ctx context.Context, u userdb.UserID, at time.Time) (string, error) {
	file, err := e.download(ctx, u)
	if err != nil {
		return "", err
	}
	defer file.Remove()
	report, err := e.Source().FirstCheck().Preflight(ctx, file.Path, e.Limits)
	if err := errors.Join(err, report.Err()); err != nil {
		return "", err
	}
	policy, err := split.Propose(ctx, file.Path, at)
	return policy, withoutPath(err, file.Path)
}

// withoutPath names the user's file and not its copy on this machine.
func withoutPath(err error, path string) error {
	var named *userdb.Error
	if errors.As(err, &named) && named.Thing == path {
		renamed := *named
		renamed.Thing = "the file"
		return &renamed
	}
	return err
}
