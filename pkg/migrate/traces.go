package migrate

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Traces are what there is of a user.
type Traces struct {
	User   userdb.UserID
	File   userfile.Version
	Object wire.Status
	// Kept are the R2 objects that commands made for the user: receipts, copies, notes.
	Kept []userdb.Object
}

// None says that there is nothing to delete.
func (t Traces) None() bool { return t.atRest() && len(t.Kept) == 0 }

// atRest says that neither side has anything of the user.
func (t Traces) atRest() bool {
	return t.File.Absent && t.Object.Phase == userdb.Empty && !t.Object.Clearing
}

// Bytes is the size of all that goes.
func (t Traces) Bytes() int64 {
	sum := t.File.Size
	if !userfile.HoldsNothing(t.Object.Phase) {
		sum += t.Object.DatabaseBytes
	}
	for _, o := range t.Kept {
		sum += o.Size
	}
	return sum
}

// Traces looks for everything of a user. A non-empty archivePrefix is the one that gc was told.
func (e *Engine) Traces(ctx context.Context, u userdb.UserID, archivePrefix string) (Traces, error) {
	t := Traces{User: u}
	var err error
	if t.Object, err = e.Stores.Status(ctx, u); err != nil {
		return t, err
	}
	if t.File, err = e.source().Look(ctx, u); err != nil {
		return t, err
	}
	t.Kept, err = e.keptOf(ctx, u, archivePrefix)
	return t, err
}

// keptFolders hold a folder for each user.
var keptFolders = []string{
	userfile.ReceiptFolder, leftBehindFolder, overwrittenFolder, quarantine.Folder,
}

// keptOf lists what commands keep of a user.
func (e *Engine) keptOf(
	ctx context.Context,
	u userdb.UserID,
	archivePrefix string,
) (kept []userdb.Object, err error) {
	list := func(prefix string, is func(userdb.ObjectKey) bool) {
		if err != nil {
			return
		}
		err = e.Files.List(ctx, prefix, "", func(objects []userdb.Object, _ []string) error {
			for _, o := range objects {
				if is(o.Key) {
					kept = append(kept, o)
				}
			}
			return nil
		})
	}
	everything := func(userdb.ObjectKey) bool { return true }
	for _, folder := range keptFolders {
		list(folder+string(u)+"/", everything)
	}
	for _, own := range []userdb.ObjectKey{rehearsalKey(u), e.fencingKey(u)} {
		list(string(own), func(key userdb.ObjectKey) bool { return key == own })
	}
	if archivePrefix != "" {
		folder := archivePrefix + string(u) + "/"
		list(folder, func(key userdb.ObjectKey) bool { return isArchive(strings.TrimPrefix(string(key), folder)) })
	}
	return kept, err
}

// isArchive says whether gc names an archived file so. The application's objects may lie under the prefix,
// too.
func isArchive(name string) bool {
	number, isFile := strings.CutSuffix(name, ".sqlite")
	_, err := strconv.ParseUint(number, 10, 32)
	return isFile && err == nil
}

// CountBeside counts the R2 objects beside the user's file, such as videos, for plans. Where the layout gives
// users no folder of their own, nothing is beside it.
func (e *Engine) CountBeside(ctx context.Context, u userdb.UserID) (count int, err error) {
	key := e.Layout.Key(u)
	folder := path.Dir(string(key)) + "/"
	if path.Base(path.Dir(string(key))) != string(u) {
		return 0, nil
	}
	err = e.Files.List(ctx, folder, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if o.Key != key {
				count++
			}
		}
		return nil
	})
	return count, err
}
