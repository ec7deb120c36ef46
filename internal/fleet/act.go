package fleet

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// The acts that change something without going through users.
const (
	ActMark   = "gc-mark"
	ActUnmark = "gc-unmark"
)

// Leave writes the audit line of such an act, once it is done. What cannot be written is a warning: the act
// is done.
func (w *Watch) Leave(e *migrate.Engine, action string, users int, bytes int64, summary any) {
	now := time.Now().UnixMilli()
	act := record.Act{
		Audit:   record.ActVersion,
		Run:     e.Run,
		State:   record.ActEnded,
		Action:  action,
		At:      now,
		EndAt:   now,
		Who:     record.Operator(w.Getenv),
		Reason:  w.Reason,
		Command: w.Command,
		Version: e.Version,
		Bucket:  e.Bucket,
		Users:   users,
		Bytes:   bytes,
		Summary: summary,
	}
	if err := act.Write(context.Background(), w.stateDir(), e.Files); err != nil {
		w.Warn("write the audit line: %v", err)
	}
}
