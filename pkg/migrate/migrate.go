package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// switchTime bounds what runs after the fence: from there on an interrupt no longer stops the command,
// because the user's writes wait for it. It grows with the file, which may have to travel again over a slow
// line (256 KiB/s).
func switchTime(bytes int64) time.Duration {
	return 2*time.Minute + time.Duration(bytes>>18)*time.Second
}

// switchTime is longer for a split, in which the hot rows are put besides, and taking it back may be a whole
// merge.
func (m *migration) switchTime() time.Duration {
	if m.parts != nil {
		return 4 * switchTime(m.result.Bytes)
	}
	return switchTime(m.result.Bytes)
}

// fenceTries bounds how often a command copies again because the application wrote between copy and fence.
// After that it fences first and copies then: the user's writes wait longer, but the command ends.
const fenceTries = 4

// fencePatience is for how long such attempts begin. A command ends, however busy the user is.
const fencePatience = 2 * time.Minute

// migration is one user's way into the Durable Object under one claim.
type migration struct {
	*Engine
	user    userdb.UserID
	fences  *announcer
	g       userdb.Claim
	from    claimed        // the claim, and what it was made from
	file    *userfile.Copy // the version of the file that is being moved
	copied  *copyProof     // what the Durable Object holds of it, nil when it holds something else
	fenced  bool           // a PUT of our fence was sent: it is, or may come to be, in the file
	unseen  bool           // split: the application wrote during every look at a copy
	hurried bool           // the application was faster too often: fence first, and copy behind the fence
	flagged bool           // the flag was set before the switch
	receipt wire.Receipt
	result  *result.Result

	imported *importing // the claim came with the import, which is not compared yet
	stepwise bool       // a switch in one request was tried
	switched bool       // the object serves: nothing is left to do
	fileHeld bool       // once it served, the file still was what we had fenced

	// parts is nil but in split mode, where only a part of the file is copied, and the rest stays.
	parts *parts
	// emptied: the object gave up what it had, for an import under this claim.
	emptied bool
	// stillSplit: the split could not be taken back, and both sides serve.
	stillSplit bool
}

// Migrate makes the user's Durable Object authoritative, from whatever state earlier commands left
// (docs/cutover.md, 3.1 and 3.2). A user who cannot be moved is refused before anything changes. The flag is
// not written: the caller does that in bulk.
func (e *Engine) Migrate(ctx context.Context, u userdb.UserID) result.Result {
	started := e.now()
	m := &migration{
		Engine: e,
		user:   u,
		fences: e.announcer(u),
		result: &result.Result{User: u, Action: result.ActionMigrate},
	}
	defer m.forget()
	err := e.endOnDisk(m.result, m.run(ctx))
	r := m.result.End(e.now().Sub(started), err)
	if m.fileHeld {
		return r
	}
	return e.unlessDeleted(ctx, r)
}

// unlessDeleted looks, once the Durable Object serves the user, whether the application deleted the file
// behind its fence: then it may have meant to delete the user, who lives on in the Durable Object. Where the
// look fails, the user is moved all the same, and status tells.
func (e *Engine) unlessDeleted(ctx context.Context, r result.Result) result.Result {
	if r.Failure != nil || r.Outcome != result.OutcomeMigrated && r.Outcome != result.OutcomeSplit {
		return r
	}
	key, ctx := e.Layout.Key(r.User), context.WithoutCancel(ctx)
	file, err := e.look(ctx, r.User)
	if err != nil || file.Fenced() || !file.Absent && r.Outcome == result.OutcomeSplit {
		return r
	}
	if !file.Absent { // made again, or overwritten: unless a newer command has taken the user back
		return r.With(e.fenceHolds(ctx, r))
	}
	return r.With(
		userfile.Overwritten(
			r.User,
			fmt.Errorf(
				"%s was deleted while the user was moved, and the Durable Object serves the user",
				key,
			),
		),
	)
}

// forget removes what was spooled.
func (m *migration) forget() {
	m.imported.close()
	m.imported = nil
	m.file.Remove()
	m.parts.remove()
	m.file, m.copied = nil, nil
}

func (m *migration) run(ctx context.Context) error {
	if _, err := userdb.ParseUserID(string(m.user)); err != nil {
		return err
	}
	st, err := m.Stores.Status(ctx, m.user)
	if err != nil {
		return err
	}
	if st.Phase.Split() && st.Phase != userdb.Splitting {
		return m.leaveSplit(st)
	}
	if st.Phase != userdb.Active && st.Phase != userdb.Sealed {
		if err := m.admit(ctx); err != nil {
			return m.orMissing(err, st)
		}
	}
	if err := m.claimUser(ctx, st); err != nil {
		m.result.Open = m.file != nil && m.file.Fenced() && mayBeClaimed(err)
		return m.overtaken(ctx, err)
	}
	m.g = m.from.Gen
	if m.from.Outcome == wire.OutcomeImport {
		return m.importAndSwitch(ctx)
	}
	return m.goOn(ctx, moving)
}

// mayBeClaimed says whether a claim that failed may have come through all the same. Under it nobody ends the
// birth that a fence is of. None is sent where the file is gone, and its fence with it.
func mayBeClaimed(failed error) bool {
	kind := userdb.KindOf(failed)
	return kind != userdb.Superseded && kind != userdb.NotFound
}

// goOn takes up what earlier commands left, and imports where that is what remains.
func (m *migration) goOn(ctx context.Context, want intent[*migration]) error {
	if err := fulfil(ctx, m, want, m.from.Status); err != nil {
		waits := m.parts != nil || m.from.Outcome == wire.OutcomeResume && m.from.file.FencedBy(m.from.Lin)
		m.result.Open = waits && userdb.KindOf(err) != userdb.Superseded
		return err
	}
	if m.emptied {
		return m.importAndSwitch(ctx)
	}
	return nil
}

func (m *migration) id() userdb.UserID { return m.user }

func (m *migration) announces() *announcer { return m.fences }

func (m *migration) lookAs(ctx context.Context, op string) (userfile.Version, error) {
	file := m.from.file
	// What the file of a serving object says from before the claim is enough: only its mark may change.
	if m.from.Phase != userdb.Cold {
		var err error
		if file, err = m.look(ctx, m.user); err != nil {
			return file, err
		}
	}
	if m.parts != nil && !file.Absent {
		m.result.Bytes = file.Size
	}
	return file, file.Superseded(op, m.user, m.g)
}

func (m *migration) fenceGone(_ context.Context, at position) (*wire.Status, error) {
	return nil, userfile.FenceGone(m.user, at.file, at.object)
}

// overtaken says what became of a user in a phase that takes no such claim any more. Another operator's
// command went on between the look and the claim, perhaps under the claim that was seen. Any other failure
// stands.
func (m *migration) overtaken(ctx context.Context, refused error) error {
	if remote := (*wire.RemoteError)(nil); !errors.As(refused, &remote) || remote.Kind != wire.KindWrongPhase {
		return refused
	}
	now, err := m.Stores.Status(ctx, m.user)
	if err != nil {
		return err
	}
	if m.parts == nil && now.Phase.Split() && now.Phase != userdb.Splitting {
		return m.leaveSplit(now)
	}
	return claimedByOther(m.user, refused)
}

// orMissing says of a missing file that a command was left open, where one was.
func (m *migration) orMissing(err error, st wire.Status) error {
	if userdb.KindOf(err) == userdb.NotFound && userfile.Waits(st.Phase) {
		return userfile.Missing("migrate", m.user, m.Layout.Key(m.user), st)
	}
	return err
}

// admit downloads the file and checks that a Durable Object can hold it, before anything is claimed.
func (m *migration) admit(ctx context.Context) error {
	beside := make(chan error, 1)
	go func() { beside <- m.source().RefuseBeside(ctx, m.user) }()
	file, err := m.downloadToMove(ctx)
	besideErr := <-beside
	if userdb.KindOf(err) == userdb.NotFound {
		return userfile.NoFile("migrate", m.user, m.Layout.Key(m.user))
	}
	var encoded *userdb.EncodedError
	if errors.As(err, &encoded) {
		m.result.Bytes, m.result.ETag, m.result.Unfit = encoded.Object.Size, encoded.Object.ETag, true
		report := sqlitefile.Encoded(encoded.Object.Headers.Coding())
		return userfile.About(m.user, report.Err())
	}
	if err != nil {
		return err
	}
	m.replaceFile(file)
	if file.Size > userfile.MaxPutBytes {
		m.result.Unfit = true
		return userfile.TooLargeToPut("migrate", m.user, file.Size)
	}
	if m.g > 0 {
		if err := file.Superseded("migrate", m.user, m.g); err != nil {
			return err
		}
	}
	if file.Tombstone() {
		return tombstoneWithoutStore(m.user, file.Version)
	}
	if userfile.AlteredUnderFence(file.Version) {
		return userfile.OtherUnderFence("migrate", m.user, file.Version)
	}
	if lin := userdb.MetadataHotOf(file.Object.Metadata); lin != 0 {
		return hotWithoutCold(m.user, file.Version, lin)
	}
	if besideErr != nil {
		return besideErr // the file's version says nothing of it, so it does not go into quarantine
	}
	checking, done := ctx, context.CancelFunc(func() {})
	if m.g == 0 {
		checking, done = m.untilStopped(ctx)
	}
	source := m.source()
	source.WritesWait = file.Fenced() || m.fences.on
	err = source.Preflight(checking, m.user, file)
	done()
	m.result.Unfit, m.result.Warnings = err != nil, file.Warnings
	if err == nil && m.parts != nil {
		err = m.divide(ctx) // a policy may refuse what another one moves: that is no fault of the file
	}
	return err
}

func (m *migration) replaceFile(file *userfile.Copy) {
	m.file.Remove()
	m.parts.remove()
	m.file, m.copied = file, nil
	m.result.Bytes, m.result.ETag = file.Size, file.ETag
}

func tombstoneWithoutStore(u userdb.UserID, file userfile.Version) error {
	if file.Deletion != "" {
		return userfile.IsBeingDeleted(u)
	}
	return &userdb.Error{Op: "migrate", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s is a tombstone of claim %d: the data was in the Durable Object, which no longer has it",
			file.Key,
			file.Lin,
		),
		Hint: "see docs/runbook.md, \"The Durable Object was set back\""}
}

// alreadyActive ends a migrate that finds the user moved. A file that does not carry the fence of that move
// means that somebody overwrote it: both sides may have taken writes, and only a person can tell which to
// keep.
func (m *migration) alreadyActive(_ context.Context, at position) (*wire.Status, error) {
	if err := userfile.Untouched(m.user, at.file, at.object); err != nil {
		return nil, err
	}
	m.result.Outcome = result.OutcomeAlready
	m.result.SetFlag(at.object)
	return nil, nil
}

func (m *migration) missing(_ context.Context, at position) (*wire.Status, error) {
	return nil, userfile.Missing("resume", m.user, at.file.Key, at.object)
}

// fenceAndOpen takes back a rollback that was begun. Its export has not happened, so the Durable Object
// still holds the newest data. The file is fenced again under our number: a PUT of that rollback that is
// still under way cannot match any more. No data moves.
func (m *migration) fenceAndOpen(ctx context.Context, at position) (*wire.Status, error) {
	if err := userfile.Untouched(m.user, at.file, at.object); err != nil {
		return nil, err
	}
	if err := orLookAgain(m.refence(ctx, at.file)); err != nil {
		return nil, err
	}
	return nil, m.activateResumed(ctx)
}

// fenceAbsentAndOpen does the same where the rollback found no file.
func (m *migration) fenceAbsentAndOpen(ctx context.Context, at position) (*wire.Status, error) {
	if err := orLookAgain(m.fenceAbsent(ctx, at)); err != nil {
		return nil, err
	}
	return nil, m.activateResumed(ctx)
}

// mayNotReopen stops at a file that is not under the fence any more.
func (m *migration) mayNotReopen(_ context.Context, at position) (*wire.Status, error) {
	if !at.file.ExportedSince(at.object) {
		return nil, userfile.FenceGone(m.user, at.file, at.object)
	}
	return nil, cannotReopen(m.user, at.file, at.object.Lin)
}

// fenceAbsent puts a tombstone under our number where there is no file: the PUT of the rollback may still be
// under way.
func (m *migration) fenceAbsent(ctx context.Context, at position) error {
	seen := at.file
	if at.object.Receipt == nil {
		return userfile.FenceGone(m.user, seen, at.object)
	}
	short := *at.object.Receipt
	short.Digest.Tables = nil
	receipt, err := json.Marshal(short)
	if err != nil {
		return err
	}
	stone := userdb.Tombstone{Lin: at.object.Lin, Non: m.g.Nonce(), User: m.user, Receipt: receipt}
	for range 2 {
		_, err = m.writer().FenceAbsent(ctx, seen, stone)
		if err == nil {
			return nil
		}
		file, lookErr := m.look(ctx, m.user)
		if lookErr != nil || !file.Carries(m.g) {
			return err
		}
		if file.Arrived(err) {
			return nil
		}
		seen = file // it arrived altered: once more, in its place
	}
	return err
}

// importAfterExport goes on when the rollback's export is in the file: the file is authoritative, and the
// sealed copy is old.
func (m *migration) importAfterExport(ctx context.Context, at position) (*wire.Status, error) {
	switch {
	case !at.file.ExportedSince(at.object):
		return nil, userfile.FenceGone(m.user, at.file, at.object)
	case userdb.HasOtherContent(at.file.Object):
		return nil, userfile.OtherContent("import again", m.user, at.file)
	case userfile.MayLackWrites(at.file, at.object):
		return nil, userfile.WritesMayBeLost("import again", m.user, at.file, at.object)
	}
	return nil, m.empty(ctx)
}

// empty makes the object ready for an import under our claim.
func (m *migration) empty(ctx context.Context) error {
	if _, err := m.Stores.Reset(ctx, m.user, m.g); err != nil {
		return err
	}
	m.forget() // what was looked at so far was not checked
	m.emptied = true
	return nil
}

func (m *migration) activateResumed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	st, err := m.Stores.Activate(ctx, m.user, m.g)
	if err != nil {
		return err
	}
	m.result.Outcome = result.OutcomeResumed
	m.result.SetFlag(st)
	return nil
}

// importAndSwitch copies while the user works on, fences, and activates; the Durable Object is IMPORTING
// under our claim.
func (m *migration) importAndSwitch(ctx context.Context) error {
	err := m.untilFenced(ctx)
	if err == nil && m.Procedure.Outwaits() {
		err = m.untilOldPathEnded(ctx)
	}
	if err == nil && !m.switched {
		err = m.switchOver(ctx)
	}
	if err != nil {
		return m.giveUp(
			ctx,
			m.sides().UnlessSuperseded(context.WithoutCancel(ctx), "migrate", m.user, m.g, err),
		)
	}
	return nil
}

// untilFenced ends with our fence in the file, and m.copied set if the Durable Object holds exactly the
// fenced content.
func (m *migration) untilFenced(ctx context.Context) error {
	var raced time.Time // since when the application has been faster every time
	for try := 0; try < m.tries() && (raced.IsZero() || m.now().Sub(raced) < fencePatience); try++ {
		m.hurried = m.hurried || try >= fenceTries
		again, err := m.tryToFence(ctx, try)
		if !again {
			return err
		}
		m.dropFile()
		m.observe(result.Event{User: m.user, Stage: result.StageBusy})
		if m.hurried && raced.IsZero() {
			raced = m.now()
		}
	}
	return lostRaces("fence", m.user)
}

// tries bounds the attempts to fence. Where the Worker fences the file by itself an attempt is a matter of
// milliseconds, and moves little: a writer that leaves small gaps is waited for with more of them.
func (m *migration) tries() int {
	if m.mayFenceAsItIs() {
		return fenceTries + nearTries
	}
	return fenceTries + putTries
}

// tryToFence is one attempt; again says that the application was faster.
func (m *migration) tryToFence(ctx context.Context, try int) (again bool, err error) {
	if m.hurried && m.mayFenceAsItIs() {
		err := m.fenceAsItIs(ctx)
		return errors.Is(err, errFenceOverwritten), err
	}
	if m.hurried && try > 0 {
		defer m.fences.announce(ctx, try > fenceTries)()
	}
	if try == 0 && m.file != nil && m.imported == nil {
		if err := m.dropIfOld(ctx); err != nil {
			return false, err
		}
	}
	if m.file == nil {
		if err := m.admit(ctx); err != nil {
			return false, err
		}
		if err := m.stillOurs(ctx, "migrate", m.user, m.g, m.file); err != nil {
			return false, err
		}
	}
	if err := m.file.Superseded("migrate", m.user, m.g); err != nil {
		return false, err
	}
	switch {
	case m.imported != nil:
		err = m.takeImported(ctx)
	case m.copied != nil || m.hurried:
	case try == 0:
		err = m.copyInTurn(ctx)
	default: // the application was faster: the less time until the fence the better
		err = m.copyAndCompare(ctx, true)
	}
	if err != nil {
		return false, err
	}
	if m.switchesAtOnce() {
		err = m.switchAtOnce(ctx)
	} else {
		err = m.fence(ctx)
	}
	return userdb.KindOf(err) == userdb.Precondition, err
}

// dropIfOld looks once more at the file that was downloaded before the claim, before anything of it is sent.
// The application may have saved it, and somebody may have deleted it without a claim.
func (m *migration) dropIfOld(ctx context.Context) error {
	now, err := m.Files.Head(ctx, m.file.Key)
	if err != nil && userdb.KindOf(err) != userdb.NotFound {
		return err
	}
	if err != nil || now.ETag != m.file.ETag {
		m.dropFile()
	}
	return nil
}

// dropFile lets the file be downloaded again.
func (m *migration) dropFile() {
	m.file.Remove()
	m.file = nil
}

func lostRaces(op string, u userdb.UserID) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Precondition,
		Err:  errors.New("gave up after several attempts: the application kept changing the file"),
		Hint: "the user stays on the old path; run the command again when the user is less busy"}
}

// toCopy is what the Durable Object shall hold.
func (m *migration) toCopy() *userfile.Copy {
	if m.parts != nil {
		return m.parts.cold
	}
	return m.file
}

// copyInTurn waits a little until it is the user's turn to import. Under a fence, ours or that of a command
// that died, it does not wait for a turn: the user's writes are waiting.
func (m *migration) copyInTurn(ctx context.Context) error {
	if !m.file.Fenced() {
		defer m.importTurn(ctx, m.toCopy().Size)()
	}
	return m.copyAndCompare(ctx, false)
}

// copyAndCompare brings the spooled version into the Durable Object and compares both digests.
func (m *migration) copyAndCompare(ctx context.Context, reset bool) error {
	if reset {
		if _, err := m.Stores.Reset(ctx, m.user, m.g); err != nil {
			return err
		}
	}
	proof, err := m.copyFile(ctx, m.user, m.g, m.toCopy())
	if err != nil {
		return err
	}
	store, err := m.digestCopy(ctx)
	if err := errors.Join(err, <-proof.counted); err != nil {
		return err
	}
	return m.compareCopy(ctx, proof, store)
}

// compareCopy demands that the object holds what was sent, by digest and by census.
func (m *migration) compareCopy(ctx context.Context, proof *copyProof, store *wire.DatabaseDigest) error {
	if store == nil || store.Database != proof.digest.Database ||
		proof.digest.CensusDifference(*store) != "" {
		return m.copyDiffers(ctx, proof.digest, store)
	}
	if err := m.sentWhatWasChecked(); err != nil {
		return err
	}
	m.copied = proof
	if m.parts != nil {
		m.parts.sent = proof
	}
	m.result.Rows, m.result.Tables = proof.rows, len(proof.digest.Tables)
	return nil
}

// sentWhatWasChecked reads the spooled bytes once more, after their rows were sent: a copy that something on
// this machine changed is not what the user has.
func (m *migration) sentWhatWasChecked() error {
	if err := m.file.Intact(); err != nil {
		return err
	}
	if m.parts != nil {
		return m.parts.cold.Unchanged()
	}
	return nil
}

// digestCopy waits for the Durable Object's digest of what it holds.
func (m *migration) digestCopy(ctx context.Context) (*wire.DatabaseDigest, error) {
	if err := m.file.MarkAhead(m.fenceMark(), m.random()); err != nil { // while the Durable Object has its turn
		return nil, err
	}
	begun := m.now()
	report, err := m.Stores.Digest(ctx, m.user)
	if err != nil {
		return nil, err
	}
	m.observe(result.Event{User: m.user, Stage: result.StageDigest, Took: m.now().Sub(begun)})
	return report.Digest, nil
}

func (m *migration) copyDiffers(
	ctx context.Context,
	file wire.DatabaseDigest,
	store *wire.DatabaseDigest,
) error {
	if store == nil {
		store = &wire.DatabaseDigest{}
	}
	c := inspect.Comparison{
		Op:        "compare the import of",
		What:      "the file",
		Against:   inspect.TheObject,
		Path:      m.toCopy().Path,
		Store:     *store,
		Found:     verify.Databases(file, *store),
		Importing: true,
		Probably:  "something wrote into the Durable Object past its own code while it imported, or SQLite stored a value as another one",
		Hint: "the user stays on the old path and nothing was switched: run the command again, and if it fails again, please report what differs " +
			"and the table's CREATE text",
	}
	return c.Err(ctx, m.Stores, m.user)
}

// switchOver runs from the fence to the activation. An interrupt does not stop it.
func (m *migration) switchOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.switchTime())
	defer cancel()
	if m.copied == nil {
		if err := m.copyAndCompare(ctx, true); err != nil {
			return err
		}
	}
	m.receipt.Digest = m.copied.digest
	if _, err := m.Stores.Ready(ctx, m.user, m.g, m.copied.digest, m.receipt); err != nil {
		if st, open := m.openAlready(ctx); open {
			return m.opened(st)
		}
		return err
	}
	if m.parts != nil {
		if err := m.putHot(ctx); err != nil {
			return err
		}
	}
	st, err := m.Stores.Activate(ctx, m.user, m.g)
	if err != nil {
		return err
	}
	return m.opened(st)
}

// opened ends the switch: the object serves.
func (m *migration) opened(st wire.Status) error {
	m.switched = true
	window := m.now().Sub(time.UnixMilli(m.receipt.MigratedAt))
	m.result.Window += window // a user who came back first has waited before
	m.observe(result.Event{User: m.user, Stage: result.StageActivate, Took: window})
	if m.parts != nil {
		m.result.Outcome, m.result.Reason = result.OutcomeSplit, m.parts.remarks()
		m.result.SetSplitFlag(st)
		return nil
	}
	m.result.Outcome = result.OutcomeMigrated
	m.result.SetFlag(st)
	return nil
}
