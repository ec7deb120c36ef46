package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// firstStatus is what the Durable Object said while the file was looked at for the first time.
type firstStatus struct {
	wire.Status
	err error
}

// firstStatus is the status with which a rollback begins.
func (r *retreat) firstStatus(ctx context.Context) (wire.Status, error) {
	if r.first != nil {
		return r.first.Status, r.first.err
	}
	return r.Stores.Status(ctx, r.user)
}

// lookOnce looks at the file, unless a look from before the claim is still unused. A PUT is conditional on
// what was seen, so an old look does no harm.
func (r *retreat) lookOnce(ctx context.Context) (userfile.Version, error) {
	if seen := r.unclaimed; seen != nil {
		r.unclaimed = nil
		return *seen, nil
	}
	return r.look(ctx, r.user)
}

// atOnce rolls the user back with the Worker's composite requests. It is for the plain case alone, which both
// sides show beyond doubt: ACTIVE, beside the very file that its migrate has fenced. Everything else, and
// whatever stops on the way, is for the single requests. taken: they have nothing to do any more.
func (r *retreat) atOnce(ctx context.Context) (taken bool, err error) {
	if r.opts.DiscardWrites || !r.offers(wire.CompositeReturn) && !r.offers(wire.CompositeExport) {
		return false, nil
	}
	r.proveAhead(ctx)
	seen, plain := r.lookAtBoth(ctx)
	if !plain {
		return false, nil
	}
	st := r.first.Status
	unchanged := st.Writes == st.WritesAtActivation
	if !r.fitsOneRequest(st, seen, unchanged) {
		return false, nil
	}
	r.stops, r.need = true, st.DatabaseBytes+seen.Size
	if err := r.mayWrite(ctx); err != nil {
		return true, err
	}
	release, err := r.hasRoom()
	if err != nil {
		return true, err
	}
	defer release()
	if err := ctx.Err(); err != nil {
		return true, err
	}
	return r.askAtOnce(context.WithoutCancel(ctx), st, seen, unchanged)
}

func (r *retreat) fitsOneRequest(st wire.Status, seen userfile.Version, unchanged bool) bool {
	if unchanged {
		return r.offers(wire.CompositeReturn) && seen.Size <= r.MarkBytes
	}
	return r.offers(wire.CompositeExport) && st.DatabaseBytes <= wire.ExportBytes
}

// lookAtBoth asks both sides at a time. A HEAD is enough: a fence has random bytes, so the ETag of the
// receipt is that of the fenced file alone.
func (r *retreat) lookAtBoth(ctx context.Context) (seen userfile.Version, plain bool) {
	type looked struct {
		userdb.Object
		err error
	}
	head := make(chan looked, 1)
	go func() {
		object, err := r.Files.Head(ctx, r.Layout.Key(r.user))
		head <- looked{object, err}
	}()
	st, err := r.Stores.Status(ctx, r.user)
	r.first = &firstStatus{st, err}
	file := <-head
	receipt := st.Receipt
	switch {
	case err != nil || file.err != nil || st.Phase != userdb.Active || receipt == nil:
		return seen, false
	case receipt.Claim.Lineage() != st.Lin || receipt.FencedETag != file.ETag:
		return seen, false
	case r.sides().SamePlace(r.user, receipt) != nil || file.Size > userfile.MaxPutBytes:
		return seen, false
	}
	mark := userdb.Mark{Kind: userdb.FenceMark, Lin: st.Lin, Non: receipt.Claim.Nonce()}
	return userfile.Version{Object: file.Object, Mark: mark, What: userdb.SQLiteFile, Locked: true}, true
}

func (r *retreat) askAtOnce(
	ctx context.Context,
	st wire.Status,
	seen userfile.Version,
	unchanged bool,
) (taken bool, err error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(r.random(), id); err != nil {
		return true, err
	}
	req := wire.BackRequest{
		Claim: wire.ClaimRequest{
			Intent: wire.IntentRollback,
			Seen:   st.Gen,
			ID:     hex.EncodeToString(id),
		},
		ETag:     strings.Trim(string(seen.ETag), `"`),
		Modified: seen.LastModified.Unix(),
	}
	c := claimed{seen: st, file: seen}
	begun := r.now()
	r.first, r.asked = nil, true // what was seen is not to be believed any more
	if unchanged {
		req.Source = st.Receipt.SourceSHA
		if _, err = r.Composites.Return(ctx, r.user, req); err == nil {
			r.returned(req, seen, begun)
			return true, nil
		}
	} else {
		var all *wire.Exported
		if all, err = r.Composites.Export(ctx, r.user, req); err == nil {
			r.observe(result.Event{User: r.user, Stage: result.StageClaim, Took: r.now().Sub(begun)})
			c.Claimed, r.unclaimed = all.Claimed, &seen
			r.Engine = r.answeredBy(all)
			return true, r.end(ctx, c, begun)
		}
	}
	if nothingClaimed(err) {
		return false, nil
	}
	// Whether the claim was granted, only the Durable Object can say: the same claim again is the same one.
	granted := behindTheClaim(err)
	c.Claimed, err = r.Stores.Claim(ctx, r.user, req.Claim)
	switch {
	case userdb.KindOf(err) == userdb.Precondition && granted:
		return true, &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Superseded, Err: err,
			Hint: "another command has claimed this user since: `dbmigrate status` says what it did"}
	case userdb.KindOf(err) == userdb.Precondition:
		return false, nil // another operator's came between
	case err != nil:
		r.result.Open = true
		return true, err
	case unchanged && c.Phase == userdb.Empty:
		r.returned(req, seen, begun) // its release is the last step
		return true, nil
	}
	return true, r.end(ctx, c, begun)
}

// returned ends the result of a user who was rolled back by the Worker.
func (r *retreat) returned(req wire.BackRequest, file userfile.Version, begun time.Time) {
	took := r.now().Sub(begun)
	r.served, r.g = true, req.Claim.Seen+1
	r.result.Claim, r.result.Outcome, r.result.Bytes = r.g, result.OutcomeRestored, file.Size
	r.result.Window = took
	r.result.DropFlag()
	r.observe(result.Event{User: r.user, Stage: result.StagePut, Bytes: file.Size, Took: took})
}

// nothingClaimed says whether a composite request was refused before its claim, or by it.
func nothingClaimed(err error) bool {
	var remote *wire.RemoteError
	if !errors.As(err, &remote) {
		return false
	}
	at := wire.StepOf(remote.Details)
	return remote.Kind == wire.KindClaimConflict || at == "room" || at == "look" ||
		remote.Kind == wire.KindNotFound || remote.Kind == wire.KindBadRequest
}

// behindTheClaim says whether a composite request failed at a step that comes after its claim was granted.
func behindTheClaim(err error) bool {
	if userdb.KindOf(err) == userdb.Superseded {
		return true
	}
	var remote *wire.RemoteError
	if !errors.As(err, &remote) {
		return false
	}
	at := wire.StepOf(remote.Details)
	return at != "" && at != "room" && at != "look" && at != "seal"
}

// answeredBy is the engine with Durable Objects that have answered already, each question once: what an
// export brought need not be asked for.
func (e *Engine) answeredBy(all *wire.Exported) *Engine {
	told := *e
	pages := map[string]*wire.ExportPage{}
	for _, page := range all.Pages {
		pages[page.Table] = page
	}
	told.Stores = &answered{Stores: e.Stores, digest: all.Digest, schema: all.Schema, pages: pages}
	return &told
}

type answered struct {
	Stores
	digest *wire.DigestReport
	schema *wire.ExportSchema
	pages  map[string]*wire.ExportPage
}

func (a *answered) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	if digest := a.digest; digest != nil && digest.Complete {
		a.digest = nil
		return *digest, nil
	}
	return a.Stores.FreshDigest(ctx, u)
}

func (a *answered) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	if schema := a.schema; schema != nil {
		a.schema = nil
		return *schema, nil
	}
	return a.Stores.ExportSchema(ctx, u)
}

func (a *answered) ExportRows(
	ctx context.Context,
	u userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	if page := a.pages[req.Table]; page != nil && req.After == nil {
		delete(a.pages, req.Table)
		return page, nil
	}
	return a.Stores.ExportRows(ctx, u, req)
}
