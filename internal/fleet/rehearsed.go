package fleet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// RehearsalKey is where R2 keeps when a rollback was last rehearsed. A CI job has no disk that stays.
const RehearsalKey = userdb.ObjectKey(userdb.ReservedPrefix + "rehearsals/last.json")

// rehearsed is that note.
type rehearsed struct {
	At    int64  `json:"at"` // Unix milliseconds
	Run   string `json:"run"`
	Users int    `json:"users"`
}

// rehearsals know when a rollback was last rehearsed.
type rehearsals struct {
	files migrate.Files
	last  atomic.Int64
}

// read asks the bucket; where it does not answer, there is no figure.
func (r *rehearsals) read(ctx context.Context) {
	var note rehearsed
	if _, err := reserved.Get(ctx, r.files, RehearsalKey, &note); err == nil {
		r.last.Store(note.At)
	}
}

func (r *rehearsals) when() time.Time {
	if at := r.last.Load(); at != 0 {
		return time.UnixMilli(at)
	}
	return time.Time{}
}

// note writes down a rehearsal in which somebody was rehearsed and nothing failed.
func (r *rehearsals) note(ctx context.Context, now time.Time, s *Summary) error {
	users := s.Outcomes[result.OutcomeRehearsed]
	if s.Action != result.ActionRehearse || s.Exit != ExitDone || users == 0 {
		return nil
	}
	r.last.Store(now.UnixMilli())
	return reserved.Put(ctx, r.files, RehearsalKey, rehearsed{now.UnixMilli(), s.Run, users}, userdb.PutOptions{})
}
