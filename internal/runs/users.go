package runs

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Users are the users of a run, in the order in which they were done, and how they ended then.
type Users struct {
	Run      record.Run
	IDs      []userdb.UserID
	Outcomes map[userdb.UserID]string
}

// UsersOf reads the record of a run over this bucket.
func UsersOf(ctx context.Context, place *record.Place, id, bucket string) (Users, error) {
	u := Users{Outcomes: map[userdb.UserID]string{}}
	var err error
	u.Run, err = place.Load(ctx, id, func(l record.UserLine) {
		if _, again := u.Outcomes[l.User]; !again {
			u.IDs = append(u.IDs, l.User)
		}
		u.Outcomes[l.User] = l.Outcome
	})
	if err == nil && u.Run.Bucket != bucket {
		err = userdb.UsageError("read run", id, "it was about the bucket "+u.Run.Bucket, "say --bucket "+u.Run.Bucket)
	}
	return u, err
}
