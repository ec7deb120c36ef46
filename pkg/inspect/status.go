package inspect

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// State is where one user lives, as both sides and the flag say.
type State struct {
	User   userdb.UserID  `json:"user"`
	Serves userfile.Side  `json:"servedBy"`
	Phase  userdb.Phase   `json:"phase"`
	Gen    userdb.Claim   `json:"gen"`
	Lin    userdb.Lineage `json:"lin"`
	File   string         `json:"file"` // none, plain, stamped, fenced, tombstone, not-a-database
	Bytes  int64          `json:"bytes"`
	ETag   userdb.ETag    `json:"-"`
	Writes int64          `json:"writesSince"` // application write transactions since the migration
	At     int64          `json:"migratedAt,omitempty"`
	Run    string         `json:"run,omitempty"`
	Thaws  int64          `json:"thaws,omitempty"` // rows that the application wants back in the file
	// UserVersion is PRAGMA user_version on the side that serves; nil where there is no database.
	UserVersion *int32 `json:"userVersion,omitempty"`
	// ForeignMark is the file's claim, where the Durable Object knows none so high.
	ForeignMark userdb.Claim `json:"foreignMark,omitempty"`
	Problem     string       `json:"problem,omitempty"`
	Next        string       `json:"next,omitempty"` // the command that ends the problem
}

// Status asks both sides of one user. It changes nothing.
func (e *Inspector) Status(ctx context.Context, u userdb.UserID) (State, error) {
	st, file, err := e.Sides().Seen(ctx, u)
	if err != nil {
		return State{}, err
	}
	s := State{
		User:  u,
		Phase: st.Phase,
		Gen:   st.Gen,
		Lin:   st.Lin,
		File:  file.Word(),
		Bytes: file.Size,
		ETag:  file.ETag,
	}
	if r := st.Receipt; r != nil {
		s.At, s.Run, s.Writes = r.MigratedAt, r.Run, st.Writes-st.WritesAtActivation
	}
	if st.Phase.Split() {
		s.Thaws = st.Thaws
	}
	if file.Shown() > st.Gen {
		s.ForeignMark = file.Shown()
	}
	s.Serves, s.Problem, s.Next = userfile.Serves(st, file)
	s.Next = userfile.For(u, s.Next)
	s.UserVersion = userVersion(st, file, s.Serves)
	return s, nil
}

func userVersion(st wire.Status, file userfile.Version, serves userfile.Side) *int32 {
	if serves == userfile.SideObject || st.Phase == userdb.Sealed {
		return st.UserVersion
	}
	if file.Absent || file.What != userdb.SQLiteFile {
		return nil
	}
	return &file.UserVersion
}
