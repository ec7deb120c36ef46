package world

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Objects are the users' Durable Objects. Each takes one message at a time.
type Objects struct {
	world  *World
	mu     sync.Mutex
	users  map[userdb.UserID]*object
	inner  Inner
	parent *Objects // that has the users, where these are the same objects under other bindings
}

func (o *Objects) root() *Objects {
	if o.parent != nil {
		return o.parent
	}
	return o
}

type object struct {
	mu    sync.Mutex
	world *World
	state State
	last  struct {
		id      string
		gen     userdb.Claim
		outcome wire.Outcome
	}
	writes, atActivation int64
	opened               userdb.Claim // the claim under which it last began to serve as a whole
	receipt              *wire.Receipt
	content              *content // nil when it holds none
	wasSetBack           bool
	followed             map[int64]seenRows // at the answers to Follow, by the number of writes
}

func (o *Objects) of(u userdb.UserID) *object {
	o = o.root()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users[u] == nil {
		o.users[u] = &object{world: o.world}
	}
	return o.users[u]
}

// with runs one message of a user's object, alone.
func with[T any](o *Objects, u userdb.UserID, run func(*object) (T, error)) (T, error) {
	object := o.of(u)
	object.mu.Lock()
	defer object.mu.Unlock()
	return run(object)
}

// kindOfWire is what the engine's client makes of an error of the wire.
var kindOfWire = map[string]userdb.Kind{
	wire.KindClaimConflict: userdb.Precondition, wire.KindStaleClaim: userdb.Superseded, wire.KindWrongPhase: userdb.Conflict,
	wire.KindBatchesMissing: userdb.Conflict, wire.KindDigestIncomplete: userdb.Conflict, wire.KindDigestMismatch: userdb.Mismatch,
	wire.KindInternal: userdb.Internal, wire.KindRowsRefused: userdb.Refused, wire.KindSchemaRefused: userdb.Refused, wire.KindFileChanged: userdb.Precondition,
}

func refuse(kind, format string, args ...any) error {
	return &userdb.Error{Op: "ask the Durable Object", Kind: kindOfWire[kind],
		Err: &wire.RemoteError{Status: 409, Kind: kind, Message: fmt.Sprintf(format, args...)}}
}

func (o *object) status() wire.Status {
	return wire.Status{
		Phase:              o.phase(),
		Gen:                o.state.Gen,
		Lin:                o.state.Lin,
		Intent:             o.state.Intent,
		Writes:             o.writes,
		WritesAtActivation: o.atActivation,
		Opened:             o.opened,
		DatabaseBytes:      o.content.size(),
		Batches:            o.content.applied(),
		Receipt:            o.receipt,
		UserVersion:        o.content.userVersion(),
		Birth:              o.isBirth(),
	}
}

func (o *object) phase() userdb.Phase {
	if o.state.Phase == "" {
		return userdb.Empty
	}
	return o.state.Phase
}

// demand returns the rule of a message that carries a claim, if the claim is the newest and the phase takes
// the message.
func (o *object) demand(g userdb.Claim, m Message) (rule, error) {
	if g != o.state.Gen {
		return rule{}, refuse(wire.KindStaleClaim, "claim %d is the last one, not %d", o.state.Gen, g)
	}
	return o.demandPhase(m)
}

func (o *object) demandPhase(m Message) (rule, error) {
	o.state.Phase = o.phase()
	r := o.state.rule(m)
	if !r.ok {
		return r, refuse(wire.KindWrongPhase, "%s in phase %s", m, o.state.Phase)
	}
	return r, nil
}

func (o *object) apply(r rule) {
	if r.unchanged {
		return
	}
	o.state = o.state.after(r)
	if r.wipe {
		o.content.remove()
		o.content, o.receipt, o.atActivation, o.opened = nil, nil, 0, 0
		if o.state.Phase != userdb.Empty {
			o.content = newContent(o.world)
		}
	}
}

// Status reads the state.
func (o *Objects) Status(_ context.Context, u userdb.UserID) (wire.Status, error) {
	return with(o, u, func(o *object) (wire.Status, error) { return o.status(), nil })
}

// Claim hands out the next number, if the caller has seen the present one.
func (o *Objects) Claim(_ context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	return with(o, u, func(o *object) (wire.Claimed, error) { return o.claim(req) })
}

func (o *object) claim(req wire.ClaimRequest) (wire.Claimed, error) {
	if req.ID != "" && o.last.id == req.ID && o.last.gen == o.state.Gen {
		return wire.Claimed{Status: o.status(), Outcome: o.last.outcome}, nil
	}
	if req.Seen != o.state.Gen {
		return wire.Claimed{}, refuse(
			wire.KindClaimConflict,
			"claim %d was seen, and %d is the last one",
			req.Seen,
			o.state.Gen,
		)
	}
	o.state.Phase = o.phase()
	r := o.state.claimRule(req.Intent)
	if !r.ok {
		return wire.Claimed{}, refuse(
			wire.KindWrongPhase,
			"claim for %s in phase %s",
			req.Intent,
			o.state.Phase,
		)
	}
	o.state.Gen++
	o.state.Intent = req.Intent
	o.apply(r)
	o.last.id, o.last.gen, o.last.outcome = req.ID, o.state.Gen, r.outcome
	return wire.Claimed{Status: o.status(), Outcome: r.outcome}, nil
}

// move is a message that does nothing but change the phase.
func (o *Objects) move(u userdb.UserID, g userdb.Claim, m Message) (wire.Status, error) {
	return with(o, u, func(o *object) (wire.Status, error) {
		r, err := o.demand(g, m)
		if err != nil {
			return wire.Status{}, err
		}
		fresh := o.state.is(userdb.Ready, userdb.SplitReady)
		o.apply(r)
		if m == Activate && r.to == userdb.Active {
			o.opened = g
		}
		if m == Activate && fresh {
			o.atActivation = o.writes
		}
		return o.status(), nil
	})
}

// Reset begins the import again.
func (o *Objects) Reset(_ context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return o.move(u, g, Reset)
}

// Activate opens the object to the application.
func (o *Objects) Activate(_ context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return o.move(u, g, Activate)
}

// Release empties the object.
func (o *Objects) Release(_ context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return o.move(u, g, Release)
}

// Merge announces the PUT of a split user's whole file.
func (o *Objects) Merge(_ context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return o.move(u, g, Merge)
}

// Schema makes the tables.
func (o *Objects) Schema(
	_ context.Context,
	u userdb.UserID,
	g userdb.Claim,
	s wire.Schema,
) (wire.Status, error) {
	return with(o, u, func(o *object) (wire.Status, error) {
		if _, err := o.demand(g, Schema); err != nil {
			return wire.Status{}, err
		}
		err := o.content.create(s)
		return o.status(), err
	})
}

// Rows inserts a batch, once.
func (o *Objects) Rows(
	_ context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
) (wire.RowsAnswer, error) {
	return with(o, u, func(o *object) (wire.RowsAnswer, error) {
		if _, err := o.demand(g, Rows); err != nil {
			return wire.RowsAnswer{}, err
		}
		applied, err := o.content.insert(seq, batch)
		return wire.RowsAnswer{Seq: seq, Applied: applied}, err
	})
}

// Finish makes indexes and triggers.
func (o *Objects) Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error {
	_, err := with(o, u, func(o *object) (struct{}, error) {
		_, err := o.demand(g, Finish)
		if err == nil {
			err = o.content.finish(ctx, batches)
		}
		return struct{}{}, err
	})
	return err
}

// Digest computes the digest of the content.
func (o *Objects) Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return with(o, u, func(o *object) (wire.DigestReport, error) {
		if _, err := o.demandPhase(Digest); err != nil {
			return wire.DigestReport{}, err
		}
		digest, err := o.content.digest(ctx)
		return wire.DigestReport{
			Phase:    o.state.Phase,
			Gen:      o.state.Gen,
			Lin:      o.state.Lin,
			Writes:   o.writes,
			Complete: true,
			Digest:   &digest,
		}, err
	})
}

// FreshDigest is Digest: nothing is remembered here.
func (o *Objects) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return o.Digest(ctx, u)
}

// Range digests a range of rows.
func (o *Objects) Range(
	ctx context.Context,
	u userdb.UserID,
	req wire.RangeRequest,
) (wire.RangeDigest, error) {
	return with(o, u, func(o *object) (wire.RangeDigest, error) {
		if _, err := o.demandPhase(Digest); err != nil {
			return wire.RangeDigest{}, err
		}
		d, err := o.content.rangeDigest(ctx, req)
		d.Writes, d.Phase = o.writes, o.state.Phase
		return d, err
	})
}

// Ready ends the import, if the digest is the demanded one.
func (o *Objects) Ready(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	d wire.DatabaseDigest,
	receipt wire.Receipt,
) (wire.Status, error) {
	return with(o, u, func(o *object) (wire.Status, error) {
		r, err := o.demand(g, Ready)
		if err != nil {
			return wire.Status{}, err
		}
		own, err := o.content.digest(ctx)
		if err != nil {
			return wire.Status{}, err
		}
		if own.Database != d.Database && r.unchanged {
			return wire.Status{}, refuse(wire.KindWrongPhase, "ready came before, with another digest")
		}
		if own.Database != d.Database {
			return wire.Status{}, refuse(wire.KindDigestMismatch, "what arrived is not what was sent")
		}
		if !r.unchanged {
			o.receipt = &receipt
			o.apply(r)
		}
		return o.status(), nil
	})
}

// ExportSchema reads the schema.
func (o *Objects) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	return with(o, u, func(o *object) (wire.ExportSchema, error) {
		if _, err := o.demandPhase(Export); err != nil {
			return wire.ExportSchema{}, err
		}
		schema, err := o.content.schema(ctx)
		return wire.ExportSchema{Schema: schema, Writes: o.writes, Phase: o.state.Phase}, err
	})
}

// ExportRows reads one page of a table.
func (o *Objects) ExportRows(
	ctx context.Context,
	u userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	return with(o, u, func(o *object) (*wire.ExportPage, error) {
		if _, err := o.demandPhase(Export); err != nil {
			return nil, err
		}
		page, err := o.content.page(ctx, req)
		if err != nil {
			return nil, err
		}
		page.Writes, page.Phase, page.Gen = o.writes, o.state.Phase, o.state.Gen
		return page, nil
	})
}

// Thaws are none: this world has no split mode's requests.
func (o *Objects) Thaws(context.Context, userdb.UserID) ([]wire.Thaw, error) { return nil, nil }

// Mark puts a fence into the user's file, as the Worker does (docs/wire-format.md, section 9).
func (o *Objects) Mark(_ context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	b, key := o.world.Bucket, o.world.Layout.Key(u)
	if req.Tombstone != nil {
		return o.markTombstone(u, req)
	}
	seen, err := b.read("mark", key, userdb.ETag(`"`+req.ETag+`"`))
	if err != nil || !sameSecond(seen.LastModified, req.Modified) || len(seen.body) < len(req.Head) {
		return "", refuse(wire.KindFileChanged, "%s is not, or no longer, the version that was read", key)
	}
	time.Sleep(markTakes) // the file travels from R2 to R2
	meta := remarked(seen.Metadata, req.Metadata)
	content := append(append([]byte(nil), req.Head...), seen.body[len(req.Head):]...)
	etag, err := b.put(
		key,
		content,
		userdb.PutOptions{IfMatch: seen.ETag, Metadata: meta, ContentType: seen.ContentType},
	)
	if err != nil {
		return "", refuse(wire.KindFileChanged, "%s changed", key)
	}
	if want := userdb.ETag(`"` + req.MD5 + `"`); etag != want {
		panic(
			fmt.Sprintf(
				"world: the fenced file has ETag %s, announced was %s (%s)",
				etag,
				want,
				hex.EncodeToString(req.Head),
			),
		)
	}
	return etag, nil
}

// markTombstone puts a tombstone in place of another one, or where there is no object.
func (o *Objects) markTombstone(u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	b, key := o.world.Bucket, o.world.Layout.Key(u)
	opts := userdb.PutOptions{IfNoneMatch: req.ETag == "", Metadata: req.Metadata}
	if req.ETag != "" {
		seen, err := b.read("mark", key, userdb.ETag(`"`+req.ETag+`"`))
		if err != nil || userdb.Classify(seen.body) != userdb.TombstoneFile {
			return "", refuse(
				wire.KindFileChanged,
				"%s is not, or no longer, the tombstone that was read",
				key,
			)
		}
		opts.IfMatch, opts.Metadata, opts.ContentType = seen.ETag, remarked(
			seen.Metadata,
			req.Metadata,
		), seen.ContentType
	}
	etag, err := b.put(key, req.Tombstone, opts)
	if err != nil {
		return "", refuse(wire.KindFileChanged, "%s changed", key)
	}
	return etag, nil
}

// Names are those of metadata that S3 would not carry, and the version that this world's Worker sees.
func (o *Objects) Names(_ context.Context, u userdb.UserID) (wire.FileSeen, error) {
	seen, err := o.world.Bucket.read("names", o.world.Layout.Key(u), "")
	if err != nil {
		return wire.FileSeen{File: &wire.SeenVersion{}}, nil
	}
	told := wire.FileSeen{File: &wire.SeenVersion{ETag: unquoted(seen.ETag), Uploaded: seen.LastModified.UnixMilli()}}
	for name := range seen.Metadata {
		if strings.ToLower(name) != name {
			told.Names = append(told.Names, name)
		}
	}
	return told, nil
}

// remarked is an object's metadata with another mark.
func remarked(old, mark map[string]string) map[string]string {
	meta := map[string]string{}
	for name, value := range old {
		if len(name) < 10 || name[:10] != "dbmigrate-" {
			meta[name] = value
		}
	}
	for name, value := range mark {
		meta[name] = value
	}
	return meta
}

// Fence puts a fence into the user's file as it is now, if the claim is the last one and the file shows no
// newer one.
func (o *Objects) Fence(ctx context.Context, u userdb.UserID, req wire.FenceRequest) (wire.Fenced, error) {
	b, key := o.world.Bucket, o.world.Layout.Key(u)
	seen, err := b.read("fence", key, "")
	if err != nil {
		return wire.Fenced{}, refuse(wire.KindFileChanged, "%s is not there", key)
	}
	mark, err := userdb.ParseMark(seen.body)
	if err != nil {
		return wire.Fenced{}, refuse(wire.KindFileChanged, "%s: %v", key, err)
	}
	if st, err := o.Status(ctx, u); err != nil || st.Gen != req.Gen ||
		max(mark.Non.Claim(), mark.Stamp.Claim()) > req.Gen {
		return wire.Fenced{}, refuse(wire.KindStaleClaim, "claim %d was superseded", req.Gen)
	}
	put := userdb.WithFence
	if req.Split {
		put = userdb.WithSplitFence
	}
	content, err := put(seen.body, req.Gen.Lineage(), req.Gen.Nonce(), make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		return wire.Fenced{}, err
	}
	etag, err := b.put(
		key,
		content,
		userdb.PutOptions{
			IfMatch:     seen.ETag,
			Metadata:    remarked(seen.Metadata, req.Metadata),
			ContentType: seen.ContentType,
		},
	)
	if err != nil {
		return wire.Fenced{}, refuse(wire.KindFileChanged, "%s changed", key)
	}
	return wire.Fenced{ETag: unquoted(etag), Source: unquoted(seen.ETag)}, nil
}

func unquoted(etag userdb.ETag) string { return strings.Trim(string(etag), `"`) }

const markTakes = 50 * time.Millisecond

func sameSecond(at time.Time, seconds int64) bool {
	return at.Unix()-seconds <= 1 && seconds-at.Unix() <= 1
}
