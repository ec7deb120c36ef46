package migrate

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The methods below are those of Inspect and GarbageCollector; new code calls these.

// Scan is the Inspector's.
func (e *Engine) Scan(ctx context.Context, opts inspect.ScanOptions) ([]inspect.Found, error) {
	return e.Inspect().Scan(ctx, opts)
}

// ScanEach is the Inspector's.
func (e *Engine) ScanEach(ctx context.Context, opts inspect.ScanOptions, yield func(inspect.Found) error) error {
	return e.Inspect().ScanEach(ctx, opts, yield)
}

func (e *Engine) Moved(
	ctx context.Context,
	opts inspect.ScanOptions,
	since time.Time,
) ([]inspect.Found, error) {
	return e.Inspect().Moved(ctx, opts, since)
}

func (e *Engine) Recorded(
	ctx context.Context,
	u userdb.UserID,
	claim userdb.Claim,
	meta userdb.FlagMeta,
) (inspect.Found, bool, error) {
	return e.Inspect().Recorded(ctx, u, claim, meta)
}

func (e *Engine) LookUp(ctx context.Context, users []userdb.UserID) ([]inspect.Found, error) {
	return e.Inspect().LookUp(ctx, users)
}

func (e *Engine) Survey(
	ctx context.Context,
	prefix string,
	yield func(inspect.FlaggedUser) error,
) (unflagged int, err error) {
	return e.Inspect().Survey(ctx, prefix, yield)
}

func (e *Engine) Status(ctx context.Context, u userdb.UserID) (inspect.State, error) {
	return e.Inspect().Status(ctx, u)
}

func (e *Engine) Verify(ctx context.Context, u userdb.UserID) result.Result {
	return e.canMergeBack(ctx, e.Inspect().Verify(ctx, u))
}

func (e *Engine) Preview(
	ctx context.Context,
	u userdb.UserID,
	opts inspect.PreviewOptions,
) (inspect.Preview, error) {
	return e.Inspect().Preview(ctx, u, opts)
}

func (e *Engine) LookDeep(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	return e.Inspect().LookDeep(ctx, u)
}

func (e *Engine) Preflight(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	return e.Inspect().Preflight(ctx, u)
}

func (e *Engine) LookSplit(
	ctx context.Context,
	u userdb.UserID,
	policy *split.Policy,
	at time.Time,
) (*split.Plan, sqlitefile.Report, error) {
	return e.Inspect().LookSplit(ctx, u, policy, at)
}

func (e *Engine) ExplainGC(
	ctx context.Context,
	u userdb.UserID,
	opts gc.Options,
) (inspect.Explanation, error) {
	return e.Inspect().Explain(ctx, u, opts.OlderThan)
}

func (e *Engine) PlanGC(
	ctx context.Context,
	f inspect.Found,
	olderThan time.Duration,
) (*gc.Item, result.Result) {
	return e.GarbageCollector().Look(ctx, f, olderThan)
}

func (e *Engine) GC(ctx context.Context, item gc.Item, flag userdb.FlagMeta, opts gc.Options) result.Result {
	item.Flag = flag
	return e.GarbageCollector().Free(ctx, item, opts)
}

func (e *Engine) GCMarked(
	ctx context.Context,
	item gc.Item,
	flag userdb.FlagMeta,
	flagged bool,
	opts gc.Options,
) result.Result {
	return e.GarbageCollector().FreeMarked(ctx, item, flag, flagged, opts)
}

func (e *Engine) MarkGC(ctx context.Context, plan gc.Plan, hold time.Duration) (gc.Mark, error) {
	return e.GarbageCollector().Mark(ctx, plan, hold)
}

func (e *Engine) GCMarks(ctx context.Context) ([]gc.Mark, error) {
	return e.GarbageCollector().Marks(ctx)
}

func (e *Engine) UnmarkGC(ctx context.Context, plan string) error {
	return e.GarbageCollector().Unmark(ctx, plan)
}
