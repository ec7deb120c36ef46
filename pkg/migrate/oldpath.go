package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// oldPathLook is how often the fence is looked at while requests that loaded before it may still
	// overwrite it.
	oldPathLook = time.Second
	// aheadPatience bounds the writing of a flag that nothing depends on.
	aheadPatience = 10 * time.Second
	// overwrittenTries is how often, at least, a fence that was overwritten is put again.
	overwrittenTries = 4
)

// errFenceOverwritten: a request of the old path that had loaded before the fence has saved over it.
var errFenceOverwritten = errors.New("a save of the old path overwrote the fence")

// untilOldPathEnded waits behind the fence until the requests of an old path that loaded before it have
// ended: they save whatever is there by then. One that overwrites the fence has what it acknowledged in the
// file only, so the move begins again with that. Meanwhile neither side takes writes: the old path's SQLite
// refuses to write what is fenced, and the router does not save files beside an old path.
func (m *migration) untilOldPathEnded(ctx context.Context) error {
	begun := m.now()
	patience := m.Procedure.KVWindow + 2*m.Procedure.LongestRequest
	for try := 1; ; try++ {
		err := m.outwaitOldPath(ctx)
		if !errors.Is(err, errFenceOverwritten) {
			return err
		}
		if try >= overwrittenTries && m.now().Sub(begun) > patience {
			return oldPathTooLong(m.user)
		}
		m.file.Remove()
		m.file, m.copied, m.hurried = nil, nil, true
		if err := m.untilFenced(ctx); err != nil {
			return err
		}
	}
}

func oldPathTooLong(u userdb.UserID) error {
	return &userdb.Error{Op: "fence", Thing: string(u), Kind: userdb.Precondition,
		Err:  errors.New("saves of the old path overwrote every fence"),
		Hint: "the user stays on the old path; pass a longer --longest-request, or run the command again when the user is less busy"}
}

// outwaitOldPath waits from the fence on, and copies meanwhile what is not copied. The flag is set first:
// until they see it, the user's requests fail at the fenced file.
func (m *migration) outwaitOldPath(ctx context.Context) error {
	longest := m.Procedure.LongestRequest
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.switchTime()+longest)
	defer cancel()
	begun := time.Now()
	m.flagAhead(ctx)
	if m.copied == nil {
		if err := m.copyAndCompare(ctx, true); err != nil {
			return err
		}
	}
	for {
		left := longest - time.Since(begun)
		if left > 0 && !pause(ctx, min(left, oldPathLook)) {
			return ctx.Err()
		}
		err := m.fenceStands(ctx)
		if left <= 0 || errors.Is(err, errFenceOverwritten) || userdb.KindOf(err) == userdb.Superseded {
			m.observe(result.Event{User: m.user, Stage: result.StageOldPath, Took: time.Since(begun)})
			return err
		}
	}
}

// fenceStands looks whether the file still is what our fence made of it.
func (m *migration) fenceStands(ctx context.Context) error {
	file, err := m.look(ctx, m.user)
	if err != nil {
		return err
	}
	if err := file.Superseded("migrate", m.user, m.g); err != nil {
		return err
	}
	if file.ETag != m.receipt.FencedETag {
		return fmt.Errorf("%s: %w", file.Key, errFenceOverwritten)
	}
	return nil
}

// flagAhead sends the user's requests to the router. One that cannot be written is written at the end.
func (m *migration) flagAhead(ctx context.Context) {
	if m.flagged {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, aheadPatience)
	defer cancel()
	m.flagged = true // even if no answer comes
	meta := userdb.FlagMeta{Version: userdb.FlagMetaVersion, Run: m.Run, Lineage: m.g.Lineage(), Gen: m.g}
	if err := m.Flags.Put(ctx, []userdb.Flag{{User: m.user, Meta: meta}}); err != nil {
		m.result.AddReason(fmt.Sprintf("the flag was not set before the switch: %v", err))
	}
}
