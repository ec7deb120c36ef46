package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// A command that fails goes on in the other direction, under a claim of its own: with the same steps, from
// whatever situation it has left. A migrate ends as its rollback, a rollback by opening the object again.

// giveUp leaves the user on the old path: it goes on as the rollback of this migrate, under a claim that is
// granted only if no other command came between, so that a command that was superseded never undoes what the
// newer one did. The file is left alone only if we sent no fence and found everything clean: otherwise a
// fence of ours or of a dead command may be in it or still under way.
func (m *migration) giveUp(ctx context.Context, cause error) error {
	if userdb.KindOf(cause) == userdb.Superseded {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.switchTime())
	defer cancel()
	if st, open := m.openAlready(ctx); open {
		return m.opened(st)
	}
	undo := m.undo(ctx, cause)
	m.result.Unflag = undo == nil && m.flagged
	if undo == nil || userdb.KindOf(undo) == userdb.Superseded {
		return cause
	}
	file, err := m.look(ctx, m.user)
	m.result.Open = err != nil || file.Fenced() || m.flagged || m.parts != nil && m.fenced && !m.stillSplit
	return fmt.Errorf("%w; taking it back failed too: %w", cause, undo)
}

func (m *migration) undo(ctx context.Context, cause error) error {
	c := claimed{file: m.from.file}
	var err error
	if c.Claimed, err = m.claimAfter(ctx, m.user, wire.IntentRollback, m.g); err != nil {
		return err
	}
	refused := userfile.NamesRefused(cause) || userfile.IsOtherBucket(cause)
	if !m.fenced && (m.from.fromClean() || refused && !m.from.file.Fenced()) {
		return nil
	}
	back := &retreat{
		Engine: m.Engine,
		user:   m.user,
		fences: m.fences,
		result: &result.Result{User: m.user, Action: result.ActionRollback},
	}
	if m.fenced && m.file != nil && !userfile.AlteredUnderFence(m.file.Version) {
		back.original, back.fence = m.file, m.fenceMark()
	}
	err = back.finish(ctx, c)
	if err != nil && stopsWrites(c.Outcome) && back.result.Open {
		m.stillSplit = back.giveBack(ctx) == nil
	}
	return err
}

// goesBack opens the Durable Object again after a rollback that failed under way, and returns what then is to
// be said of it. A user who is whole in the Durable Object waits for the same command where that may help.
// The two sides of a split user can open again at once.
func (r *retreat) goesBack(ctx context.Context, c claimed, failed error) error {
	var err error
	switch {
	case c.Outcome != wire.OutcomeExport:
		err = r.giveBack(ctx)
	case isPermanent(failed) || r.unfit:
		err = r.reopen(ctx, c.Lin)
	default:
		return failed
	}
	if err != nil && !r.bothServe(ctx) {
		return fmt.Errorf(
			"%w; writes wait, because the Durable Object could not be opened again: %w",
			failed,
			err,
		)
	}
	r.result.Open = false
	r.result.Reason = "the Durable Object was reopened: the user is served as before"
	return failed
}

// bothServe says of a split user that cold and hot rows are written again. An application that is faster
// every time does not let its file be touched, and is not waiting.
func (r *retreat) bothServe(ctx context.Context) bool {
	st, file, err := r.sides().Both(ctx, r.user)
	return err == nil && st.Phase == userdb.Cold && !file.Absent && !file.Fenced()
}

// reopen gives the Durable Object back to the user when this command cannot bring the user to the file. That
// is allowed only while the file is fenced by the lineage: then the object has the newest data. A fence under
// a new number stops a PUT of ours that is still under way; where there is no file, a tombstone does.
func (r *retreat) reopen(ctx context.Context, lin userdb.Lineage) error {
	file, err := r.look(ctx, r.user)
	if err != nil {
		return err
	}
	if !file.FencedBy(lin) && !file.Absent {
		return cannotReopen(r.user, file, lin)
	}
	c, err := r.claimAfter(ctx, r.user, wire.IntentMigrate, r.g)
	if err != nil {
		return err
	}
	return r.forward(ctx, c, reopening, nil)
}

// cannotReopen is about a file that this command may have changed. It may hold other bytes than were sent,
// and the sealed object may then be the only copy, so nothing is thrown away.
func cannotReopen(u userdb.UserID, file userfile.Version, lin userdb.Lineage) error {
	return &userdb.Error{Op: "open again", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s is %s and not under the fence of claim %d any more; the Durable Object is sealed and keeps everything",
			file.Key,
			file.Word(),
			lin,
		),
		Hint: "compare a copy of the file with the Durable Object; if the file is right, `dbmigrate rollback` ends it (with --discard-writes, where it says that the bytes are others); if not, or if there is no file, remove it and roll back"}
}

// giveBack opens both sides of a split user again after a failed merge. In other phases nothing was moved
// that could be given back.
func (r *retreat) giveBack(ctx context.Context) error {
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil {
		return err
	}
	if st.Gen != r.g || st.Phase != userdb.ColdSealed && st.Phase != userdb.Merging {
		return fmt.Errorf("the Durable Object is %s", st.Phase)
	}
	c, err := r.claimAfter(ctx, r.user, wire.IntentSplit, r.g)
	if err != nil {
		return err
	}
	return r.forward(ctx, c, rejoining, &parts{})
}

// forward goes on in the other direction, under a claim of its own.
func (r *retreat) forward(
	ctx context.Context,
	c wire.Claimed,
	want intent[*migration],
	parts *parts,
) error {
	m := &migration{
		Engine: r.Engine,
		user:   r.user,
		fences: r.fences,
		g:      c.Gen,
		from:   claimed{Claimed: c},
		parts:  parts,
		result: &result.Result{User: r.user, Action: result.ActionMigrate},
	}
	defer m.forget()
	return m.goOn(ctx, want)
}
