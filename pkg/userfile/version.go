// Package userfile is a user's file in R2: what a look at it says, a copy of one version on this machine, the
// first look into it, and its conditional replacement under a mark. It knows no command.
package userfile

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// lookBytes covers the SQLite header with its mark, and a whole tombstone.
const lookBytes = 16 << 10

// Version is what one strongly consistent read of the object says. A tombstone shows its fence like a file
// does.
type Version struct {
	userdb.Object
	userdb.Mark
	What   userdb.FileKind
	Absent bool
	Locked bool // no SQLite writes it

	// Deletion is the id of the deletion that has begun; "": the user is not being deleted.
	Deletion string

	UserVersion int32 // PRAGMA user_version of a database
}

// Look reads the head of the user's object. An absent object is a state, not an error.
func (s *Source) Look(ctx context.Context, u userdb.UserID) (Version, error) {
	key := s.Layout.Key(u)
	head, obj, err := s.Files.GetRange(ctx, key, "", 0, lookBytes)
	if userdb.KindOf(err) == userdb.NotFound {
		return Version{Object: userdb.Object{Key: key}, Absent: true}, nil
	}
	if err != nil {
		return Version{}, err
	}
	return ReadVersion(obj, head)
}

// ReadVersion reads the mark of an object from its first lookBytes.
func ReadVersion(obj userdb.Object, head []byte) (Version, error) {
	f := Version{Object: obj, What: userdb.Classify(head), Locked: userdb.Locked(head)}
	var err error
	switch f.What {
	case userdb.SQLiteFile:
		f.Mark, err = userdb.ParseMark(head)
		f.UserVersion = userdb.UserVersion(head)
	case userdb.TombstoneFile:
		var stone userdb.Tombstone
		stone, err = userdb.ParseTombstone(head)
		f.Mark = userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}
		f.Deletion = stone.Deletion()
	}
	if err != nil {
		return Version{}, &userdb.Error{
			Op:    "read the mark of",
			Thing: string(obj.Key),
			Kind:  userdb.Damaged,
			Err:   err,
		}
	}
	return f, nil
}

// Newest is the highest claim number that the file shows.
func (f Version) Newest() userdb.Claim { return max(f.Non.Claim(), f.Stamp.Claim()) }

func (f Version) Fenced() bool { return f.Kind == userdb.FenceMark }

// FencedBy says whether the file is fenced by the lineage.
func (f Version) FencedBy(lin userdb.Lineage) bool { return f.Fenced() && f.Lin == lin }

// ExportedFrom says whether an unfenced file came back from the lineage. The stamp of a rollback is always
// newer than the lineage (that of a lift without the Durable Object may equal it). The application's VACUUM
// clears the stamp; the metadata, which routers carry along, still has it.
func (f Version) ExportedFrom(lin userdb.Lineage) bool {
	return max(f.Stamp, userdb.MetadataStamp(f.Object.Metadata)).Claim() >= lin.Claim()
}

// ExportedSince says whether an unfenced file came back from what the Durable Object holds. An export from
// before the object was last opened lacks what was written since: where somebody sets the bucket back, a slow
// command's PUT meets the version that it expects once more (docs/cutover/model, EXPORT_NOOPEN).
func (f Version) ExportedSince(st wire.Status) bool {
	return f.ExportedFrom(max(st.Lin, userdb.Lineage(st.Opened)))
}

// Carries says whether the fence of this claim is there as it was put: a writer may keep its mark and take
// off its lock.
func (f Version) Carries(g userdb.Claim) bool {
	return f.Fenced() && f.Non == g.Nonce() && (f.Locked || f.Tombstone())
}

func (f Version) Tombstone() bool { return f.What == userdb.TombstoneFile }

// Superseded stops a command if its claim g is older than what the file shows.
func (f Version) Superseded(op string, u userdb.UserID, g userdb.Claim) error {
	if f.Newest() <= g {
		return nil
	}
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Superseded,
		Err:  fmt.Errorf("claim %d was superseded by claim %d", g, f.Newest()),
		Hint: "another command owns this user now; nothing more was changed, run it again if it does not finish"}
}

// Shown is the highest claim that the file shows, its metadata included.
func (f Version) Shown() userdb.Claim {
	return max(f.Newest(), userdb.MetadataHotOf(f.Object.Metadata).Claim())
}

// Plain says that dbmigrate has left nothing on it.
func (f Version) Plain() bool {
	return !f.Absent && f.Mark.Kind == userdb.NoMark && f.What != userdb.TombstoneFile &&
		userdb.MetadataHotOf(f.Object.Metadata) == 0
}

// Word is the file's state as docs/scripting.md lists them.
func (f Version) Word() string {
	switch {
	case f.Absent:
		return "none"
	case f.Tombstone():
		return "tombstone"
	case f.What != userdb.SQLiteFile:
		return "not-a-database"
	case f.Fenced():
		return "fenced"
	case f.Kind == userdb.StampMark:
		return "stamped"
	}
	return "plain"
}
