package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// position is where a claimed user is: what the Durable Object said under our claim, and a look at the file.
type position struct {
	object wire.Status
	file   userfile.Version
}

// step is what a command does next. It returns what the object says then, if that is not the end.
type step[C any] func(C, context.Context, position) (next *wire.Status, err error)

// intent is what a command wants for a user, from whatever situation earlier commands left. A situation
// without a step is one that its claim does not lead to.
type intent[C any] struct {
	op    string
	steps map[userfile.Situation]step[C]
}

// The intents of a way into the Durable Object. An import under a claim of its own is not among the steps: it
// has nothing to go on with (importAndSwitch).
var (
	// moving is claim(migrate): the whole user to the object.
	moving = intent[*migration]{"resume", map[userfile.Situation]step[*migration]{
		userfile.Migrated:      (*migration).alreadyActive,
		userfile.FenceMissing:  (*migration).fenceGone,
		userfile.RollbackBegun: (*migration).fenceAndOpen,
		userfile.RollbackPut:   (*migration).importAfterExport,
		userfile.ExportAltered: (*migration).importAfterExport,
		userfile.FileMissing:   (*migration).missing,
		userfile.OtherFence:    (*migration).fenceGone,
	}}
	// reopening is claim(migrate) after a rollback that failed: the object serves as before.
	reopening = intent[*migration]{"open again", map[userfile.Situation]step[*migration]{
		userfile.RollbackBegun: (*migration).fenceAndOpen,
		userfile.RollbackPut:   (*migration).mayNotReopen,
		userfile.ExportAltered: (*migration).mayNotReopen,
		userfile.FileMissing:   (*migration).fenceAbsentAndOpen,
		userfile.OtherFence:    (*migration).fenceGone,
	}}
	// splitting is claim(split): the cold rows to the object.
	splitting = intent[*migration]{"resume the split of", map[userfile.Situation]step[*migration]{
		userfile.Split:             (*migration).touchHot,
		userfile.HotFenced:         (*migration).touchHot,
		userfile.SplitNotPut:       (*migration).divideAgain,
		userfile.SplitPut:          (*migration).openCold,
		userfile.HotAltered:        (*migration).openCold,
		userfile.MergeBegun:        (*migration).openBoth,
		userfile.MergeFenced:       (*migration).openBoth,
		userfile.MergeNotPut:       (*migration).fenceAndOpenBoth,
		userfile.MergePut:          (*migration).divideMerged,
		userfile.MergeAltered:      (*migration).divideMerged,
		userfile.PartsFenceMissing: (*migration).fenceGone,
		userfile.OtherFence:        (*migration).fenceGone,
		userfile.HotFileMissing:    (*migration).hotFileGone,
	}}
	// rejoining is claim(split) after a merge that failed: both sides serve as before.
	rejoining = intent[*migration]{"give back", map[userfile.Situation]step[*migration]{
		userfile.MergeBegun:        (*migration).openBoth,
		userfile.MergeFenced:       (*migration).openBoth,
		userfile.MergeNotPut:       (*migration).fenceAndOpenBoth,
		userfile.MergePut:          (*migration).mergeIsDone,
		userfile.MergeAltered:      (*migration).mergeIsDone,
		userfile.PartsFenceMissing: (*migration).fenceGone,
		userfile.OtherFence:        (*migration).fenceGone,
		userfile.HotFileMissing:    (*migration).hotFileGone,
	}}
)

// The intents of a way back into the file.
var (
	// returning is claim(rollback).
	returning = intent[*retreat]{"roll back", map[userfile.Situation]step[*retreat]{
		userfile.AtFile:            (*retreat).lift,
		userfile.MigrationFenced:   (*retreat).lift,
		userfile.RollbackBegun:     (*retreat).bringBack,
		userfile.FileMissing:       (*retreat).bringBack,
		userfile.RollbackPut:       (*retreat).releaseExported,
		userfile.ExportAltered:     (*retreat).releaseExported,
		userfile.SplitNotPut:       (*retreat).undoSplit,
		userfile.SplitPut:          (*retreat).sealCold,
		userfile.HotAltered:        (*retreat).sealCold,
		userfile.MergeBegun:        (*retreat).merge,
		userfile.MergeFenced:       (*retreat).merge,
		userfile.MergeNotPut:       (*retreat).merge,
		userfile.MergePut:          (*retreat).releaseMerged,
		userfile.MergeAltered:      (*retreat).releaseMerged,
		userfile.PartsFenceMissing: (*retreat).fenceGone,
		userfile.OtherFence:        (*retreat).fenceGone,
		userfile.HotFileMissing:    (*retreat).hotFileGone,
	}}
	// restoring is claim(rollback) with a file that is given. A split user is whole before that.
	restoring = intent[*retreat]{"restore", map[userfile.Situation]step[*retreat]{
		userfile.AtFile:          (*retreat).replaceFile,
		userfile.MigrationFenced: (*retreat).replaceFile,
		userfile.RollbackBegun:   (*retreat).bringBack,
		userfile.FileMissing:     (*retreat).bringBack,
		userfile.RollbackPut:     (*retreat).releaseExported,
		userfile.ExportAltered:   (*retreat).releaseExported,
		userfile.OtherFence:      (*retreat).fenceGone,
	}}
	// freeing is under claim(split): the file of the hot rows serves beside an object that does.
	freeing = intent[*retreat]{"lift the fence of", map[userfile.Situation]step[*retreat]{
		userfile.Split:          (*retreat).lift,
		userfile.HotFenced:      (*retreat).lift,
		userfile.HotFileMissing: (*retreat).lift,
	}}
)

// errLookAgain says that a conditional PUT lost its race, so that the user may be in another situation.
var errLookAgain = errors.New("the file changed since it was looked at")

// orLookAgain is the error of a step that replaces the file.
func orLookAgain(err error) error {
	if userdb.KindOf(err) == userdb.Precondition {
		return errLookAgain
	}
	return err
}

// command is a command under a claim.
type command interface {
	// lookAs looks at the file for the intent. It stops where a newer claim shows.
	lookAs(ctx context.Context, op string) (userfile.Version, error)
	id() userdb.UserID
	announces() *announcer
}

// fulfil brings a claimed user from any situation to where the intent ends. It is the only loop that decides
// by both sides: look, classify, take the step. A step that lost its race is no failure: it looks again.
func fulfil[C command](ctx context.Context, c C, want intent[C], object wire.Status) error {
	var tried attempts
	for tried.lost < putTries {
		next, err := takeStep(ctx, c, want, object, &tried)
		switch {
		case errors.Is(err, errLookAgain):
			tried.lost++
		case err != nil || next == nil:
			return err
		default:
			object, tried.lost = *next, 0
		}
	}
	return lostRaces(want.op, c.id())
}

// attempts are those of the step that is due.
type attempts struct {
	lost   int
	fenced bool // the file, when it was looked at last: no application writes it
}

// takeStep looks, and takes the step for what it sees. Once is bad luck: a step that lost twice is announced,
// since the application would be faster each time.
func takeStep[C command](ctx context.Context, c C, want intent[C], object wire.Status, tried *attempts) (*wire.Status, error) {
	if tried.lost > 1 && !tried.fenced {
		defer c.announces().announce(ctx, tried.lost > 2)()
	}
	file, err := c.lookAs(ctx, want.op)
	if err != nil {
		return nil, err
	}
	tried.fenced = file.Fenced()
	at := userfile.Classify(file, object)
	take := want.steps[at]
	if take == nil {
		return nil, noStep(want.op, c.id(), at, object)
	}
	return take(c, ctx, position{object, file})
}

func noStep(op string, u userdb.UserID, at userfile.Situation, object wire.Status) error {
	if at == userfile.BeingDeleted {
		return userfile.IsBeingDeleted(u)
	}
	if at == userfile.ForeignMark || at == userfile.ObjectSetBack {
		return claimedByOther(u, errors.New("the file shows a newer claim"))
	}
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.ProtocolError,
		Err: fmt.Errorf("the Durable Object is %s, which this claim does not lead to", object.Phase)}
}
