package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// SplitOptions say which rows are cold.
type SplitOptions struct {
	Policy *split.Policy
	// At is the moment by which the policy decides: one for a whole run, so that a repetition decides the
	// same.
	At time.Time
	// Thaw brings rows back that the policy, with its exceptions, does not call cold any more. Users who are
	// not split are passed over.
	Thaw bool
	// Requested passes, under Thaw, over users without a request of the application.
	Requested bool
}

// parts is what the file of a user becomes in split mode: hot rows stay in it, cold ones go to the Durable
// Object.
type parts struct {
	SplitOptions
	asked     []wire.Thaw // what the application wants back in the file
	askedRows int64       // how many of these rows there are
	hot, cold *userfile.Copy
	sent      *copyProof // the cold part that the Durable Object has
	reference []string   // the tables that the cold part has a copy of
	explained string     // why rows stay hot that the policy means
}

// copied names the reference tables; none of a user who moves as a whole.
func (p *parts) copied() []string {
	if p == nil {
		return nil
	}
	return p.reference
}

// rules are the policy with what the application has asked for.
func (p *parts) rules() *split.Policy { return p.Policy.Keep(p.asked) }

func (p *parts) remove() {
	if p == nil {
		return
	}
	p.hot.Remove()
	p.cold.Remove()
	p.hot, p.cold = nil, nil
}

// Whole moves a user as Migrate does. A split user comes back to the file first; Migrate passes over such a
// user.
func (e *Engine) Whole(ctx context.Context, u userdb.UserID) result.Result {
	st, err := e.Stores.Status(ctx, u)
	if err != nil || !st.Phase.Split() || st.Phase == userdb.Splitting {
		return e.Migrate(ctx, u)
	}
	back := e.Rollback(ctx, u, RollbackOptions{})
	if back.Failure != nil {
		back.Action = result.ActionMigrate
		return back
	}
	r := e.Migrate(ctx, u)
	r.Took, r.Window = r.Took+back.Took, r.Window+back.Window
	r.Flag.DeleteSplit = true
	return r
}

// leaveSplit is what Migrate does with a user who is split.
func (m *migration) leaveSplit(st wire.Status) error {
	if st.Phase == userdb.Cold {
		m.result.Outcome, m.result.Reason = result.OutcomeNothing, "the user is split; --mode full moves the whole user"
		return nil
	}
	return &userdb.Error{Op: "migrate", Thing: string(m.user), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"a split or a merge of the user was left open, or is under way: the Durable Object is %s",
			st.Phase,
		),
		Hint: "end it with `dbmigrate migrate --mode split` or `dbmigrate rollback`"}
}

// Split moves the user's cold rows into the Durable Object, from whatever state earlier commands left
// (docs/split.md). A user who is whole in the Durable Object, or split otherwise than the policy says, comes
// back to the file first. The flags are not written: the caller does that in bulk.
func (e *Engine) Split(ctx context.Context, u userdb.UserID, opts SplitOptions) result.Result {
	started := e.now()
	m := &migration{
		Engine: e,
		user:   u,
		fences: e.announcer(u),
		result: &result.Result{User: u, Action: result.ActionMigrate},
		parts:  &parts{SplitOptions: opts},
	}
	if opts.Thaw {
		m.result.Action = result.ActionThaw
	}
	defer m.forget()
	err := e.endOnDisk(m.result, m.runSplit(ctx))
	if err != nil && m.result.CameBack && userdb.KindOf(err) != userdb.Superseded {
		err = wholeNow(u, err)
	}
	r := e.unlessDeleted(ctx, m.result.End(e.now().Sub(started), err))
	if r.CameBack && r.Outcome != result.OutcomeSplit {
		r.Flag = result.FlagChange{Delete: true, DeleteSplit: true} // the user is whole in R2 now
	}
	return r
}

// wholeNow adds to err that the user is now whole in R2: the merge succeeded, the new split did not.
func wholeNow(u userdb.UserID, err error) error {
	var reason *userdb.Error
	if errors.As(err, &reason) {
		bare := *reason
		bare.Hint = "" // it is for a user who was whole before
		err = &bare
	}
	return &userdb.Error{Op: "split again", Thing: string(u), Kind: userdb.KindOf(err), Err: err,
		Hint: "both halves are merged, and the user is whole in R2: `dbmigrate migrate --mode split` with the policy splits the user"}
}

func (m *migration) runSplit(ctx context.Context) error {
	if _, err := userdb.ParseUserID(string(m.user)); err != nil {
		return err
	}
	st, err := m.Stores.Status(ctx, m.user)
	if err != nil {
		return err
	}
	if m.parts.Thaw && !st.Phase.Split() {
		if file, err := m.look(ctx, m.user); err != nil || file.Absent && st.Phase == userdb.Empty {
			return cmp.Or(err, userfile.NoFile("thaw rows of", m.user, m.Layout.Key(m.user)))
		}
		m.result.Outcome, m.result.Reason = result.OutcomeNothing, "the user is not split"
		return nil
	}
	if err := m.readThaws(ctx, st); err != nil {
		return err
	}
	if m.parts.Requested && len(m.parts.asked) == 0 && st.Phase == userdb.Cold {
		m.result.Outcome, m.result.Reason = result.OutcomeNothing, "the application has asked for no row"
		return nil
	}
	switch st.Phase {
	case userdb.Active, userdb.Cold:
		if done, err := m.splitAlready(ctx, st); done || err != nil {
			return err
		}
		err := m.comeBack(ctx)
		if errors.Is(err, errNothingCold) && !m.result.Open {
			m.result.Outcome, m.result.Reason = result.OutcomeNothing, m.noRowIsCold()
			return nil
		}
		if err != nil {
			return err
		}
	case userdb.Sealed:
		if err := m.comeBack(ctx); err != nil {
			return err
		}
	case userdb.SplitReady, userdb.ColdSealed, userdb.Merging:
		return m.claimAndSplit(ctx)
	}
	if err := m.admit(ctx); err != nil {
		return m.orMissing(err, st)
	}
	if m.parts.cold == nil {
		return m.nothingCold(ctx, st)
	}
	return m.claimAndSplit(ctx)
}

// readThaws reads what the application wants back in the file, on top of what was known: another command may
// have brought that home already, and it is to stay there. A sealed object takes no more requests.
func (m *migration) readThaws(ctx context.Context, st wire.Status) error {
	if st.Thaws == 0 {
		return nil
	}
	noted, err := m.Stores.Thaws(ctx, m.user)
	for _, thaw := range noted {
		if !slices.ContainsFunc(
			m.parts.asked,
			func(known wire.Thaw) bool { return reflect.DeepEqual(known, thaw) },
		) {
			m.parts.asked = append(m.parts.asked, thaw)
		}
	}
	return err
}

// thawed says what became of the rows that the application wanted back.
func (p *parts) thawed() string {
	switch {
	case len(p.asked) == 0:
		return ""
	case p.askedRows == 0:
		return "the rows for which the application asked are gone"
	}
	return fmt.Sprintf("rows are hot as the application asked: %d", p.askedRows)
}

// remarks are what there is to say of a split that was done.
func (p *parts) remarks() string {
	return strings.Join(slices.DeleteFunc(
		[]string{p.thawed(), p.explained},
		func(text string) bool { return text == "" },
	), "; ")
}

// nothingCold leaves the user whole. What an earlier command began is taken back first: its fence may be in
// the file or under way.
func (m *migration) nothingCold(ctx context.Context, st wire.Status) error {
	if st.Phase != userdb.Empty && !m.result.CameBack || m.file.Fenced() {
		if err := m.comeBack(ctx); err != nil {
			return err
		}
	}
	if err := m.forgetThaws(ctx); err != nil {
		return err
	}
	m.result.Outcome, m.result.Reason = result.OutcomeNothing, m.noRowIsCold()
	if st.Phase == userdb.Cold {
		m.result.Outcome, m.result.Reason = result.OutcomeMerged, "no row is cold any more, and the user is whole in R2"
	}
	if thawed := m.parts.thawed(); thawed != "" {
		m.result.Reason += "; " + thawed
	}
	return nil
}

// forgetThaws has the Durable Object forget what the application asked for: it is hot now, and would keep
// every later split from archiving it. No split comes that would end the notes, so a claim for a move as a
// whole does, and is taken back at once. The file is not fenced for that, so the application writes on.
func (m *migration) forgetThaws(ctx context.Context) error {
	if len(m.parts.asked) == 0 {
		return nil
	}
	st, err := m.Stores.Status(ctx, m.user)
	if err != nil || st.Thaws == 0 || st.Phase != userdb.Empty {
		return err
	}
	if _, err := m.claim(ctx, m.user, wire.IntentMigrate); err != nil {
		return err
	}
	r := m.Rollback(ctx, m.user, RollbackOptions{})
	m.result.Open = r.Open
	return r.Failure
}

// noRowIsCold says so, and why rows stay hot that the policy means.
func (m *migration) noRowIsCold() string {
	if m.parts.explained == "" {
		return "no row is cold by the policy"
	}
	return "no row can move: " + m.parts.explained
}

// errNothingCold stops the rollback of a user who would not be split.
var errNothingCold = errors.New("no row can move")

// fits asks the policy about a file that is about to be put, for a user who wrote during every look
// before. What is refused is refused while both sides can open again.
func (m *migration) fits(ctx context.Context, file *userfile.Copy) error {
	plan, err := m.plan(ctx, file.Path)
	if err == nil && plan.Empty() {
		err = errNothingCold
	}
	return err
}

// comeBack makes the user whole in R2, as rollback does.
func (m *migration) comeBack(ctx context.Context) error {
	opts := RollbackOptions{sealed: m.readThaws}
	if m.unseen {
		opts.fits = m.fits
	}
	r := m.Rollback(ctx, m.user, opts)
	m.result.Open, m.result.Window = r.Open, r.Window
	m.result.CameBack = r.Failure == nil
	return r.Failure
}

// splitAlready says whether a user with a serving Durable Object has nothing to move. Otherwise it checks on
// a copy whether the user can be split, so that a refusal changes nothing.
func (m *migration) splitAlready(ctx context.Context, st wire.Status) (bool, error) {
	hotStay := false
	if st.Phase == userdb.Cold {
		none, err := m.noHotRowIsCold(ctx)
		if err != nil {
			return false, err
		}
		stale, err := m.staleCopies(ctx, st)
		if err != nil {
			return false, err
		}
		hotStay = none && !stale
		// Rows that nobody has written since are cold still, by the same policy.
		if hotStay && !m.parts.Thaw && len(m.parts.asked) == 0 && st.Writes == st.WritesAtActivation {
			return true, m.stayAsSplit(ctx)
		}
	}
	var would rehearsal
	err := m.despiteWrites(ctx, "split", m.user, st, func() (err error) {
		would, err = m.rehearseSplit(ctx, st)
		return err
	})
	switch {
	case errors.Is(err, errWroteMeanwhile):
		m.unseen = true // it is looked at while the rollback holds the writes
		return false, nil
	case err != nil:
		return false, err
	case st.Phase == userdb.Active && would.empty:
		m.result.Outcome, m.result.Reason = result.OutcomeNothing, m.noRowIsCold()
		return true, nil
	case hotStay && would.same && len(m.parts.asked) == 0 && !m.parts.Thaw:
		return true, m.stayAsSplit(ctx)
	case st.Phase == userdb.Cold && hotStay && would.same && len(m.parts.asked) == 0:
		m.result.Outcome, m.result.Reason = result.OutcomeNothing, "no cold row is meant, or none that could be hot without a row that stays cold"
		return true, nil
	}
	return false, nil
}

// stayAsSplit leaves a split user so. The claim of a dead rollback may be under way, and must not seal the
// user after us.
func (m *migration) stayAsSplit(ctx context.Context) error {
	m.result.Outcome = result.OutcomeAlready
	return m.claimAndSplit(ctx)
}

// staleCopies says whether the reference tables of the hot file, as they are by now, are not those that
// the Durable Object has a copy of.
func (m *migration) staleCopies(ctx context.Context, st wire.Status) (bool, error) {
	var copied []string
	if st.Receipt != nil {
		copied = st.Receipt.Reference
	}
	if !slices.Equal(copied, m.parts.reference) {
		return true, nil
	}
	if len(copied) == 0 {
		return false, nil
	}
	digest, err := m.file.Digest(ctx)
	return err == nil && len(split.ChangedCopies(st.Receipt.Digest, digest, copied)) > 0, err
}

// rehearsal is what a split would do.
type rehearsal struct {
	empty bool // no row would be cold
	same  bool // of each table as many rows as now
}

// noHotRowIsCold looks at the file of a split user.
func (m *migration) noHotRowIsCold(ctx context.Context) (bool, error) {
	file, err := m.download(ctx, m.user)
	if userdb.KindOf(err) == userdb.NotFound {
		return false, userfile.HotFileGone(m.user, m.Layout.Key(m.user))
	}
	if err != nil {
		return false, err
	}
	m.replaceFile(file)
	plan, err := m.plan(ctx, file.Path)
	if err != nil {
		return false, err
	}
	return plan.Empty(), nil
}

func (m *migration) plan(ctx context.Context, path string) (*split.Plan, error) {
	plan, err := split.NewPlan(ctx, path, m.parts.rules(), m.parts.At)
	if err != nil {
		return nil, aboutTable(m.user, err)
	}
	m.parts.reference, m.parts.explained = plan.Reference, plan.Explain()
	return plan, nil
}

// rehearseSplit asks the policy about everything that the user has, on a copy.
func (m *migration) rehearseSplit(ctx context.Context, st wire.Status) (rehearsal, error) {
	report, err := m.Stores.FreshDigest(ctx, m.user)
	if err != nil {
		return rehearsal{}, err
	}
	copied, err := m.exportFile(ctx, m.user, *report.Digest)
	if err != nil {
		return rehearsal{}, err
	}
	defer func() { copied.Remove() }()
	if st.Phase == userdb.Cold {
		path, err := m.source().NewPath()
		if err != nil {
			return rehearsal{}, err
		}
		cold := copied
		defer cold.Remove()
		copied = &userfile.Copy{Path: path}
		if err := changedCopies(m.user, st, *report.Digest); err != nil {
			return rehearsal{}, err
		}
		if err := split.Union(ctx, m.file.Path, cold.Path, path, referenceOf(st)...); err != nil {
			return rehearsal{}, aboutTable(m.user, err)
		}
	}
	plan, err := m.plan(ctx, copied.Path)
	if err != nil {
		return rehearsal{}, err
	}
	return rehearsal{empty: plan.Empty(), same: sameRows(plan, report.Digest)}, nil
}

// sameRows compares how many rows of each table would be cold with how many are.
func sameRows(plan *split.Plan, cold *wire.DatabaseDigest) bool {
	rows := map[string]int64{}
	for _, t := range cold.Tables {
		rows[t.Name] = t.Rows
	}
	return !slices.ContainsFunc(
		plan.Tables,
		func(t split.TablePlan) bool {
			return t.ColdRows != rows[t.Name] && !slices.Contains(plan.Reference, t.Name)
		},
	)
}

// hotWithoutCold refuses to take the hot rows of a user for all rows of the user.
func hotWithoutCold(u userdb.UserID, file userfile.Version, lin userdb.Lineage) error {
	return &userdb.Error{Op: "migrate", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s has only the hot rows of a split, says its metadata: the cold ones were in the Durable Object under claim %d, which no longer has them",
			file.Key,
			lin,
		),
		Hint: "check the Worker URL and the class binding first; then see docs/runbook.md, \"The Durable Object was set back\""}
}

func (m *migration) claimAndSplit(ctx context.Context) (err error) {
	if m.from, err = m.claim(ctx, m.user, wire.IntentSplit); err != nil {
		return m.overtaken(ctx, err)
	}
	m.g = m.from.Gen
	known := len(m.parts.asked)
	if err := m.readThaws(ctx, m.from.Status); err != nil {
		m.result.Open = m.from.Outcome == wire.OutcomeResume || m.from.file.Fenced()
		return err
	}
	if m.from.Outcome != wire.OutcomeImport {
		return m.goOn(ctx, splitting)
	}
	if m.parts.cold == nil || len(m.parts.asked) > known || m.file.ETag != m.from.file.ETag {
		m.forget() // it was not divided, or is whole only now, or otherwise than by what is asked, or changed
	}
	return m.importAndSwitch(ctx)
}

// touchHot ends what a command may have left undone that died before the last step of giving the user back:
// its fence may be in the file or under way. A file that the newest command stamped needs no touch.
func (m *migration) touchHot(ctx context.Context, at position) (*wire.Status, error) {
	if !at.file.Fenced() && at.file.Stamp == m.from.seen.Gen.Stamp() {
		m.result.Claim = m.g
		m.result.SetSplitFlag(at.object)
		return nil, nil
	}
	return nil, m.freeHot(ctx, at.object)
}

// divide makes the two parts of the spooled file.
func (m *migration) divide(ctx context.Context) error {
	plan, err := m.plan(ctx, m.file.Path)
	if err != nil {
		return err
	}
	if plan.Empty() && m.g > 0 {
		return &userdb.Error{
			Op:    "split",
			Thing: string(m.user),
			Kind:  userdb.Conflict,
			Err:   errors.New("no row is cold by this policy any more"),
			Hint:  "the user is whole in R2, as before the split that was begun",
		}
	}
	m.parts.askedRows = plan.Asked
	if plan.Empty() {
		return nil
	}
	hot, cold, err := plan.WriteParts(ctx, filepath.Dir(m.file.Path))
	if err != nil {
		return aboutTable(m.user, err)
	}
	m.parts.hot, m.parts.cold = &userfile.Copy{Path: hot}, &userfile.Copy{Path: cold}
	if err := errors.Join(m.parts.hot.Describe(m.file.Key), m.parts.cold.Describe(m.file.Key)); err != nil {
		return err
	}
	return m.keepCopy(ctx)
}

// keepCopy spares a second copy when the application wrote, but not to cold rows.
func (m *migration) keepCopy(ctx context.Context) error {
	if m.parts.sent == nil {
		return nil
	}
	digest, err := m.parts.cold.Digest(ctx)
	if err == nil && digest.Database == m.parts.sent.digest.Database {
		m.copied = m.parts.sent
	}
	return err
}

// putHot puts the hot rows in place of the fenced file. It is what moves the cold rows: before its effect the
// file has them, after it the Durable Object. Nothing but this PUT takes the fence of this claim away while
// the Durable Object waits for it.
func (m *migration) putHot(ctx context.Context) error {
	hot, fenced := m.parts.hot, m.file.Version
	fenced.ETag = m.receipt.FencedETag
	hot.ContentType = m.file.ContentType
	begun := m.now()
	mark := userdb.Mark{Kind: userdb.StampMark, Stamp: m.g.Stamp(), HotOf: m.g.Lineage()}
	_, err := m.replace(ctx, hot, fenced, mark)
	if err != nil {
		err = m.hotLanded(ctx, err)
	}
	m.observe(result.Event{User: m.user, Stage: result.StagePut, Bytes: hot.Size, Took: m.now().Sub(begun)})
	return err
}

// hotLanded decides after a failed PUT whether it took effect.
func (m *migration) hotLanded(ctx context.Context, putErr error) error {
	file, err := m.look(ctx, m.user)
	if err != nil {
		return fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	}
	if err := file.Superseded("split", m.user, m.g); err != nil {
		return err
	}
	if file.Absent || file.FencedBy(m.g.Lineage()) {
		return putErr
	}
	return userfile.HotArrived(m.user, file, wire.Status{Phase: userdb.SplitReady, Lin: m.g.Lineage()})
}

// divideAgain starts over from a file that is whole. First of all the PUT of the dead split has to become
// impossible.
func (m *migration) divideAgain(ctx context.Context, at position) (*wire.Status, error) {
	if err := orLookAgain(m.refence(ctx, at.file)); err != nil {
		return nil, err
	}
	return nil, m.emptyForParts(ctx)
}

func (m *migration) emptyForParts(ctx context.Context) error {
	err := m.empty(ctx)
	m.parts.sent = nil
	return err
}

// openCold ends a split with its hot rows in place.
func (m *migration) openCold(ctx context.Context, at position) (*wire.Status, error) {
	if err := userfile.HotArrived(m.user, at.file, at.object); err != nil {
		return nil, err
	}
	_, err := m.activateSplit(ctx)
	return nil, err
}

func (m *migration) activateSplit(ctx context.Context) (wire.Status, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	st, err := m.Stores.Activate(ctx, m.user, m.g)
	if err != nil {
		return st, err
	}
	m.result.Outcome = result.OutcomeResumed
	m.result.SetSplitFlag(st)
	return st, nil
}

// openBoth takes back a merge that was begun: cold rows are written in the Durable Object again, hot ones in
// the file. No data moves.
func (m *migration) openBoth(ctx context.Context, _ position) (*wire.Status, error) {
	st, err := m.activateSplit(ctx)
	if err != nil {
		return nil, err
	}
	return nil, m.freeHot(ctx, st)
}

// fenceAndOpenBoth does the same of a merge that came as far as its PUT: first of all that has to become
// impossible.
func (m *migration) fenceAndOpenBoth(ctx context.Context, at position) (*wire.Status, error) {
	if err := orLookAgain(m.refence(ctx, at.file)); err != nil {
		return nil, err
	}
	return m.openBoth(ctx, at)
}

// divideMerged goes on when the merge is in the file: the file is whole, and the sealed copy is old.
func (m *migration) divideMerged(ctx context.Context, at position) (*wire.Status, error) {
	if err := userfile.WholeArrived(m.user, at.file, at.object); err != nil {
		return nil, err
	}
	return nil, m.emptyForParts(ctx)
}

// mergeIsDone stops a merge that was to be given back.
func (m *migration) mergeIsDone(_ context.Context, at position) (*wire.Status, error) {
	if err := userfile.WholeArrived(m.user, at.file, at.object); err != nil {
		return nil, err
	}
	return nil, &userdb.Error{
		Op:    "give back",
		Thing: string(m.user),
		Kind:  userdb.Conflict,
		Err:   errors.New("the merge is done but for its clean-up"),
		Hint:  "run `dbmigrate rollback` again",
	}
}

func (m *migration) hotFileGone(_ context.Context, at position) (*wire.Status, error) {
	return nil, userfile.HotFileGone(m.user, at.file.Key)
}

// freeHot frees the file of the hot rows once the Durable Object has opened for the cold ones. Even a
// file without a fence is touched: the fence of a dead merge may be under way.
func (m *migration) freeHot(ctx context.Context, st wire.Status) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	lift := &retreat{
		Engine: m.Engine,
		user:   m.user,
		fences: m.fences,
		g:      m.g,
		hotOf:  st.Lin,
		result: &result.Result{User: m.user, Action: result.ActionRollback},
	}
	if err := fulfil(ctx, lift, freeing, st); err != nil {
		return err
	}
	if m.result.Outcome == "" {
		m.result.Outcome = result.OutcomeResumed
	}
	m.result.SetSplitFlag(st)
	m.result.Claim = m.g
	return nil
}
