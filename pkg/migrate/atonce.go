package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// atOnceBytes is the largest file, and the longest batch of its rows, that travels in one request. It is held
// in memory while it does.
const atOnceBytes = 2 << 20

// offers says whether the Worker takes this composite request.
func (e *Engine) offers(name string) bool {
	return e.Composites != nil && slices.Contains(e.Offered, name)
}

// importing is a user's import in one request: what is sent, and what the file has.
type importing struct {
	request wire.ImportRequest
	proof   *copyProof
	db      *sqlitefile.File
	answer  wire.Imported
}

// claimUser claims the user. Where one request has room for all rows, the import comes with the claim: what
// the object then holds is in m.imported.
func (m *migration) claimUser(ctx context.Context, st wire.Status) error {
	one, err := m.importAtOnce(ctx, st)
	if one != nil && err != nil && !isClaimConflict(err) {
		return m.claimAfterImport(ctx, st, one, err)
	}
	if one == nil && err != nil || one != nil && err == nil {
		return err
	}
	m.from, err = m.claim(ctx, m.user, wire.IntentMigrate)
	if err == nil && m.from.Outcome == wire.OutcomeImport && m.file != nil && m.file.ETag != m.from.file.ETag {
		m.dropFile()
	}
	return err
}

// claimAfterImport leaves what stopped the request to the single steps. Which claim was granted, the same
// claim tells. The steps go under a further one: what is still under way of the request has an older number
// then. Both are granted only if no other command came between: one that was superseded stops here.
func (m *migration) claimAfterImport(
	ctx context.Context,
	st wire.Status,
	one *importing,
	failed error,
) error {
	if userdb.KindOf(failed) == userdb.Superseded || !singleStepsMayDo(failed) {
		return failed
	}
	m.from = claimed{seen: st, file: m.file.Version}
	var err error
	if m.from.Claimed, err = m.claimWith(ctx, m.user, one.request.Claim); err != nil {
		return err
	}
	if m.from.Outcome == wire.OutcomeImport {
		if m.from.Claimed, err = m.claimAfter(ctx, m.user, wire.IntentMigrate, m.from.Gen); err != nil {
			return err
		}
	}
	if changed := (*wire.RemoteError)(nil); errors.As(failed, &changed) && changed.Kind == wire.KindFileChanged {
		m.dropFile()
	}
	return nil
}

func isClaimConflict(err error) bool {
	remote := (*wire.RemoteError)(nil)
	return errors.As(err, &remote) && remote.Kind == wire.KindClaimConflict
}

// singleStepsMayDo leaves out what every other request would meet as well.
func singleStepsMayDo(err error) bool {
	if remote := (*wire.RemoteError)(nil); errors.As(err, &remote) && wire.StepOf(remote.Details) != "" {
		return true // the Worker answers, and one of its steps failed: the client repeats single ones
	}
	switch userdb.KindOf(err) {
	case userdb.Unreachable, userdb.Throttled, userdb.Unauthorized, userdb.Interrupted, userdb.EdgeBlocked:
		return false
	}
	return true
}

// importAtOnce sends the import where it is for one request; nil where nothing was sent. Without an error the
// claim was granted.
func (m *migration) importAtOnce(ctx context.Context, st wire.Status) (*importing, error) {
	if !m.offers(wire.CompositeImport) || m.parts != nil || m.file == nil || m.file.Tombstone() ||
		m.file.Size > atOnceBytes {
		return nil, nil
	}
	if err := m.sides().SamePlace(m.user, st.Receipt); err != nil {
		return nil, err
	}
	if err := m.sides().StoreNotSetBack(ctx, m.user, st, m.file.Version); err != nil {
		return nil, err
	}
	if !m.file.Fenced() { // the rows are in memory from here on
		defer m.importTurn(ctx, m.file.Size)()
	}
	one, err := m.inOneRequest(ctx, st)
	if one == nil || err != nil {
		return nil, err
	}
	if err := m.sendImport(ctx, one); err != nil {
		return one, errors.Join(err, one.close())
	}
	m.from = claimed{Claimed: one.answer.Claimed, seen: st, file: m.file.Version}
	if m.from.Outcome != wire.OutcomeImport {
		return one, one.close()
	}
	m.imported = one
	return one, nil
}

// inOneRequest reads the file into one request; nil where it takes more.
func (m *migration) inOneRequest(ctx context.Context, st wire.Status) (*importing, error) {
	db, err := sqlitefile.Open(ctx, m.file.Path)
	if err != nil {
		return nil, err
	}
	schema, err := db.Schema()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var batch []byte
	s := &sender{Engine: m.Engine, user: m.user}
	s.batcher = wire.NewBatcher(m.Limits, atOnceBytes, func(body []byte, _ int) error {
		if batch != nil {
			return errTwoBatches
		}
		batch = slices.Clone(body) // the batcher's own buffer has room for the largest
		return nil
	})
	proof, err := s.readAll(ctx, db, schema)
	if err == nil {
		err = s.batcher.Flush()
	}
	if errors.Is(err, errTwoBatches) {
		return nil, db.Close()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(m.random(), id); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	claim := wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: st.Gen, ID: hex.EncodeToString(id)}
	return &importing{
		request: wire.ImportRequest{
			Claim:  claim,
			ETag:   strings.Trim(string(m.file.ETag), `"`),
			Schema: schema,
			Batch:  batch,
		},
		proof: proof,
		db:    db,
	}, nil
}

var errTwoBatches = errors.New("the rows do not fit one request")

// sendImport sends the request. While it is under way, the census of the file is taken, and the bytes under
// the fence are hashed: the claim's number is known if it is granted.
func (m *migration) sendImport(ctx context.Context, one *importing) error {
	go func() { one.proof.counted <- one.proof.count(ctx, one.db) }()
	ahead := userdb.Mark{
		Kind: userdb.FenceMark,
		Lin:  (one.request.Claim.Seen + 1).Lineage(),
		Non:  (one.request.Claim.Seen + 1).Nonce(),
	}
	if err := m.file.MarkAhead(ahead, m.random()); err != nil {
		return err
	}
	begun := m.now()
	answer, err := m.Composites.Import(ctx, m.user, one.request)
	if err != nil {
		return err
	}
	one.request.Batch = nil
	one.answer = answer
	m.observe(result.Event{User: m.user, Stage: result.StageCopy, Bytes: m.file.Size, Took: m.now().Sub(begun)})
	return nil
}

// close waits for the census, which reads the file.
func (one *importing) close() error {
	if one == nil {
		return nil
	}
	<-one.proof.counted // of an import that is not taken
	return one.db.Close()
}

// takeImported compares what the object holds with what was sent, as after a copy. Of what one request did
// not end, the single steps do the rest.
func (m *migration) takeImported(ctx context.Context) error {
	one := m.imported
	m.imported = nil
	err := m.endImport(ctx, one)
	counted := errors.Join(<-one.proof.counted, one.db.Close())
	if err := errors.Join(err, counted); err != nil {
		return err
	}
	return m.compareCopy(ctx, one.proof, one.answer.Digest.Digest)
}

func (m *migration) endImport(ctx context.Context, one *importing) error {
	batches := int64(min(len(one.proof.read), 1))
	if one.proof.rows == 0 {
		batches = 0
	}
	if one.answer.Finish == nil || !one.answer.Finish.Done {
		if err := m.Stores.Finish(ctx, m.user, m.g, batches); err != nil {
			return err
		}
	}
	if one.answer.Digest != nil && one.answer.Digest.Complete {
		return nil
	}
	report, err := m.Stores.Digest(ctx, m.user)
	one.answer.Digest = &report
	return err
}

// switchesAtOnce says whether fence, ready and activate go in one request. Between fence and switch there
// must be nothing to do.
func (m *migration) switchesAtOnce() bool {
	return m.offers(wire.CompositeSwitch) && !m.stepwise && m.parts == nil && m.copied != nil &&
		!m.Procedure.Outwaits() && !m.file.Tombstone() && m.file.Size <= m.MarkBytes
}

// switchAtOnce fences the file and opens the object. Where the answer does not say how that ended, the file
// itself is asked, as after a fence of its own: then the single steps go on from there.
func (m *migration) switchAtOnce(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	begun := m.now()
	before := m.fenced
	mark, err := m.file.MarkMessage(m.fenceMark(), m.random())
	if err != nil {
		return err
	}
	m.fenced, m.stepwise = true, true
	m.receipt = m.receiptFor(userdb.ETag(`"`+mark.MD5+`"`), begun.UnixMilli())
	m.receipt.Digest = m.copied.digest
	req := wire.SwitchRequest{Gen: m.g, Mark: mark, Digest: m.copied.digest, Receipt: m.receipt}
	switched, err := m.Composites.Switch(ctx, m.user, req)
	if err == nil {
		m.result.ReceiptKept = switched.ReceiptKept
		m.fileHeld = switched.File != nil && switched.File.ETag != nil && *switched.File.ETag == mark.MD5
		return m.opened(switched.Status)
	}
	if userfile.NamesRefused(err) {
		m.fenced, m.result.Unfit = before, true
		return err
	}
	err = userfile.Asked(err, mark)
	// The request may have used up its time, and how it ended has to be known all the same.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer done()
	etag, landed := m.fenceLanded(ctx, m.fenceMark(), err)
	if landed == nil {
		m.receipt.FencedETag = etag
		return nil
	}
	m.stepwise = userdb.KindOf(landed) != userdb.Precondition // nothing of it is under way any more
	if landed == err && mayFenceFromHere(err) {
		return m.fence(ctx)
	}
	return landed
}

// mayFenceFromHere says of a failed switch that left the file as it was, whether a fence of its own may do
// better: the Worker may be at fault, and R2 takes a fence from here, too.
func mayFenceFromHere(err error) bool {
	switch userdb.KindOf(err) {
	case userdb.Superseded, userdb.Unauthorized, userdb.Interrupted:
		return false
	}
	return true
}

// openAlready says whether a switch in one request, without an answer, has opened the object.
func (m *migration) openAlready(ctx context.Context) (wire.Status, bool) {
	if !m.stepwise {
		return wire.Status{}, false
	}
	st, err := m.Stores.Status(ctx, m.user)
	return st, err == nil && st.Phase == userdb.Active && st.Gen == m.g && st.Lin == m.g.Lineage()
}
