package userfile

import (
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Clean says whether no earlier command can have left anything behind or under way: the user was never
// claimed, or the newest claim was a rollback that stamped the file.
func Clean(st wire.Status, file Version) bool {
	return st.Phase == userdb.Empty && !file.Fenced() && file.Stamp == st.Gen.Stamp()
}

// LiftedAlone says whether the fence of this lineage was lifted without its Durable Object. The metadata says
// so until a writer drops it; the stamp in the bytes is then the lineage's own number, while an export's is
// the number of a later claim.
func LiftedAlone(file Version, lin userdb.Lineage) bool {
	return userdb.MetadataLifted(file.Object.Metadata) == lin || file.Stamp.Claim() == lin.Claim()
}

// MayLackWrites says whether the Durable Object took writes that the file is not proved to have:
// its fence was lifted alone, or a writer dropped the metadata that says what was put there. The stamp in the
// bytes does not tell a lift from an export: after a reopening both are later than the lineage.
func MayLackWrites(file Version, st wire.Status) bool {
	meta := file.Object.Metadata
	proved := userdb.MetadataStamp(meta) != 0 || userdb.HasContent(meta)
	return st.Writes != st.WritesAtActivation && (!proved || LiftedAlone(file, st.Lin))
}

// WritesMayBeLost stops a command before it empties such a Durable Object.
func WritesMayBeLost(op string, u userdb.UserID, file Version, st wire.Status) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"the Durable Object took %d write transactions, and nothing proves that %s has them: the file went back without the object, or a writer dropped its metadata; the object is sealed and keeps them",
			st.Writes-st.WritesAtActivation,
			file.Key,
		),
		Hint: "compare a copy of the file with the Durable Object; `dbmigrate rollback --discard-writes` lets the file serve as it is, and keeps what the object has as a SQLite file in R2"}
}

// IsBeingDeleted stops every command but a deletion: the file is gone, and the object is emptied.
func IsBeingDeleted(u userdb.UserID) error {
	return &userdb.Error{Op: "work on", Thing: string(u), Kind: userdb.Superseded,
		Err:  errors.New("a deletion of this user has begun, and owns the user now"),
		Hint: "nothing more was changed; `dbmigrate forget` ends the deletion"}
}

// HotArrived demands of a file without the fence that the PUT of the hot rows took it away, and no writer
// that knows no fence: then the file may have the cold rows, too.
func HotArrived(u userdb.UserID, file Version, st wire.Status) error {
	if file.ExportedFrom(st.Lin) || userdb.MetadataHotOf(file.Object.Metadata) == st.Lin {
		if userdb.HasOtherContent(file.Object) {
			return otherHot(u, file)
		}
		return nil
	}
	return FenceGone(u, file, st)
}

// WholeArrived demands of a file without the fence that the PUT of the whole file took it away: only then may
// the cold rows go.
func WholeArrived(u userdb.UserID, file Version, st wire.Status) error {
	if file.ExportedFrom(st.Lin+1) && userdb.MetadataHotOf(file.Object.Metadata) == 0 {
		if userdb.HasOtherContent(file.Object) {
			return OtherWhole("release", u, file)
		}
		return nil
	}
	return FenceGone(u, file, st)
}

// AlteredParts says whether the file of a split user, as a command of ours put it, may hold other bytes than
// were sent.
func AlteredParts(file Version, st wire.Status) bool {
	return (st.Phase == userdb.Merging || st.Phase == userdb.SplitReady) &&
		!file.Absent && !file.Fenced() && userdb.HasOtherContent(file.Object)
}

// OtherWhole is OtherContent of a merge. The file has the only copy of the hot rows.
func OtherWhole(op string, u userdb.UserID, file Version) error {
	return onlyCopy(op, u, file,
		"the Durable Object is sealed and keeps the cold rows; nothing but the file has the hot ones",
		"`dbmigrate rollback --discard-writes` ends the merge, and keeps the cold rows as a SQLite file in R2")
}

func otherHot(u userdb.UserID, file Version) error {
	return onlyCopy("go on with", u, file,
		"the Durable Object keeps the cold rows; nothing but the file has the hot ones",
		"`dbmigrate rollback --discard-writes` brings the cold rows back into it")
}

// OtherUnderStamp is of a file that only had its mark changed, while the Durable Object may have nothing.
func OtherUnderStamp(op string, u userdb.UserID, file Version) error {
	return onlyCopy(op, u, file, "nothing else may have its rows", "run the same command again")
}

func onlyCopy(op string, u userdb.UserID, file Version, holds, ends string) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s holds other bytes than were sent: something on the way altered them, or a writer that is no router saved since; %s",
			file.Key,
			holds,
		),
		Hint: "keep a copy of the file first, and check it; if it is right, or put in order and back in its place, " + ends}
}

// OtherContent stops a command before it empties a Durable Object that was exported: the export may have been
// altered on its way, and the sealed object then has the only true copy.
func OtherContent(op string, u userdb.UserID, file Version) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s holds other bytes than the rollback sent: something on the way altered them, or a writer that is no router saved since; the Durable Object is sealed and keeps everything",
			file.Key,
		),
		Hint: "copy the file first, and compare the copy with the Durable Object; if the file is right, `dbmigrate rollback --discard-writes` ends it, and keeps what the object has as a SQLite file in R2; if not, remove the file and roll back"}
}

// Untouched demands of a file that carries the fence of this lineage that nobody saved it since: what was
// acknowledged then is in the file only.
func Untouched(u userdb.UserID, file Version, st wire.Status) error {
	if !file.FencedBy(st.Lin) || !changedUnderFence(file, st.Receipt) {
		return nil
	}
	return Overwritten(
		u,
		fmt.Errorf(
			"%s carries the fence, but was saved again since: a writer kept its mark and not its write version",
			file.Key,
		),
	)
}

// changedUnderFence: some SQLite builds rewrite the versions of the header when they export a database. That
// takes the fence's lock off but not its mark.
func changedUnderFence(file Version, receipt *wire.Receipt) bool {
	if file.Tombstone() {
		return false
	}
	ours := receipt != nil && file.Non == receipt.Claim.Nonce()
	return !file.Locked || ours && file.ETag != receipt.FencedETag
}

// errOverwritten marks the conflict of a file that something other than dbmigrate wrote or deleted behind its
// fence.
var errOverwritten = errors.New("something other than dbmigrate wrote or deleted it")

func IsOverwritten(err error) bool { return errors.Is(err, errOverwritten) }

func Overwritten(u userdb.UserID, cause error) error {
	return &userdb.Error{
		Op:    "check the fence of",
		Thing: string(u),
		Kind:  userdb.Conflict,
		Err:   fmt.Errorf("%w: %w", cause, errOverwritten),
		Hint:  "the Durable Object's data is untouched; see docs/runbook.md, \"The fence is gone\"",
	}
}

func FenceGone(u userdb.UserID, file Version, st wire.Status) error {
	return Overwritten(
		u,
		fmt.Errorf(
			"the Durable Object is %s with lineage %d, but %s (%s) no longer carries that fence",
			st.Phase,
			st.Lin,
			file.Key,
			file.Word(),
		),
	)
}

// Missing is NoFile, or FenceGone, of a user with a command that was left open. A rollback ends it.
func Missing(op string, u userdb.UserID, key userdb.ObjectKey, st wire.Status) error {
	e := &userdb.Error{
		Op:    op,
		Thing: string(u),
		Kind:  userdb.NotFound,
		Err:   fmt.Errorf("there is no object %s, and the Durable Object is %s", key, st.Phase),
		Hint:  "`dbmigrate rollback` ends what was begun: the user then is without a file and without rows",
	}
	if st.Birth {
		e.Err = fmt.Errorf("there is no object %s: the user's first write is under way or was cut off", key)
		e.Hint = "nothing was written; the user's next write begins in the Durable Object, and `dbmigrate rollback` ends what was begun"
	}
	if st.Phase == userdb.Sealed {
		e.Kind, e.Err = userdb.Conflict, fmt.Errorf("%w: %w", e.Err, errOverwritten)
		e.Hint = "`dbmigrate rollback` builds the file again from the Durable Object, which keeps everything"
	}
	return e
}

func HotFileGone(u userdb.UserID, key userdb.ObjectKey) error {
	return Overwritten(u, fmt.Errorf("%s, which holds the user's hot rows, is gone", key))
}

func NoFile(op string, u userdb.UserID, key userdb.ObjectKey) error {
	return &userdb.Error{
		Op:    op,
		Thing: string(u),
		Kind:  userdb.NotFound,
		Err:   fmt.Errorf("there is no object %s", key),
		Hint:  "check the user id and --layout",
	}
}
