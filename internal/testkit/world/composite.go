package world

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Inner stands between the Worker and its bindings, the bucket and the objects: each step of a composite
// request is one call. A composite ends at the first error. The Worker's death is one.
type Inner interface {
	Call(step string, op func() error) error
}

// Under is the Worker with its bindings behind inner. The objects are the same.
func (o *Objects) Under(inner Inner) *Objects {
	return &Objects{world: o.world, parent: o.root(), inner: inner}
}

// step runs one step of a composite.
func step[T any](o *Objects, name string, op func() (T, error)) (T, error) {
	if o.inner == nil {
		return op()
	}
	var mu sync.Mutex // the step may be under way still when its caller has gone on
	var value T
	err := o.inner.Call(name, func() error {
		v, err := op()
		mu.Lock()
		defer mu.Unlock()
		value = v
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	return value, err
}

// Import is the composite of claim, a look at the file, schema, rows, finish and digest.
func (o *Objects) Import(
	ctx context.Context,
	u userdb.UserID,
	req wire.ImportRequest,
) (wire.Imported, error) {
	ctx = context.WithoutCancel(ctx)
	claimed, err := step(o, "claim", func() (wire.Claimed, error) { return o.Claim(ctx, u, req.Claim) })
	if err != nil || claimed.Outcome != wire.OutcomeImport {
		return wire.Imported{Claimed: claimed}, err
	}
	key := o.world.Layout.Key(u)
	file, err := step(o, "look", func() (stored, error) { return o.world.Bucket.read("look", key, "") })
	if err != nil || unquoted(file.ETag) != req.ETag {
		return wire.Imported{}, refuse(wire.KindFileChanged, "%s is not, or no longer, the version that was read", key)
	}
	digest, err := o.fill(ctx, u, claimed.Gen, req)
	if err != nil {
		return wire.Imported{}, err
	}
	return wire.Imported{Claimed: claimed, Finish: &wire.FinishAnswer{Done: true}, Digest: &digest}, nil
}

func (o *Objects) fill(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	req wire.ImportRequest,
) (wire.DigestReport, error) {
	batches := int64(min(len(req.Batch), 1))
	_, err := step(o, "schema", func() (wire.Status, error) { return o.Schema(ctx, u, g, req.Schema) })
	if err == nil && batches > 0 {
		_, err = step(o, "rows", func() (wire.RowsAnswer, error) { return o.Rows(ctx, u, g, 0, req.Batch) })
	}
	if err == nil {
		_, err = step(o, "finish", func() (struct{}, error) { return struct{}{}, o.Finish(ctx, u, g, batches) })
	}
	if err != nil {
		return wire.DigestReport{}, err
	}
	return step(o, "digest", func() (wire.DigestReport, error) { return o.Digest(ctx, u) })
}

// Switch is the composite of mark, ready and activate, the copy of the receipt and a last look at the file.
func (o *Objects) Switch(
	ctx context.Context,
	u userdb.UserID,
	req wire.SwitchRequest,
) (wire.Switched, error) {
	ctx = context.WithoutCancel(ctx)
	bucket, key := o.world.Bucket, o.world.Layout.Key(u)
	_, err := step(o, "mark", func() (userdb.ETag, error) { return o.Mark(ctx, u, req.Mark) })
	if err != nil {
		head, lookErr := step(o, "look", func() (stored, error) { return bucket.read("look", key, "") })
		if lookErr != nil || unquoted(head.ETag) != req.Mark.MD5 {
			return wire.Switched{}, err
		}
	}
	status, err := o.open(ctx, u, req)
	if err != nil {
		return wire.Switched{}, err
	}
	answer := wire.Switched{Status: status}
	_, err = step(o, "receipt", func() (userdb.ETag, error) {
		body, err := json.Marshal(req.Receipt)
		if err != nil {
			return "", err
		}
		return bucket.put(receiptKey(u, req.Gen), body, userdb.PutOptions{})
	})
	answer.ReceiptKept = err == nil
	if file, err := step(o, "look again", func() (stored, error) { return bucket.read("look", key, "") }); err == nil {
		etag := unquoted(file.ETag)
		answer.File = &wire.SwitchedFile{ETag: &etag}
	}
	return answer, nil
}

// open is ready and activate; the same request again finds the object open.
func (o *Objects) open(ctx context.Context, u userdb.UserID, req wire.SwitchRequest) (wire.Status, error) {
	st, err := step(o, "ready", func() (wire.Status, error) {
		st, err := o.Status(ctx, u)
		if err == nil && st.Phase == userdb.Active && st.Gen == req.Gen && st.Lin == req.Gen.Lineage() {
			return st, nil
		}
		if err == nil && st.Gen == req.Gen && st.Intent != wire.IntentMigrate {
			return st, refuse(wire.KindWrongPhase, "open under a claim to %s", st.Intent)
		}
		return o.Ready(ctx, u, req.Gen, req.Digest, req.Receipt)
	})
	if err != nil || st.Phase == userdb.Active {
		return st, err
	}
	return step(o, "activate", func() (wire.Status, error) { return o.Activate(ctx, u, req.Gen) })
}

// receiptKey is where R2's copies of receipts lie (pkg/userfile).
func receiptKey(u userdb.UserID, g userdb.Claim) userdb.ObjectKey {
	return userdb.ObjectKey(fmt.Sprintf("%sreceipts/%s/%d.json", userdb.ReservedPrefix, u, g))
}

// Fate is what becomes of one step of a composite.
type Fate string

// The fates of a step. To the Worker's caller, a death before and behind it looks like an answer that was
// lost.
const (
	KilledBefore Fate = "killed before"
	KilledBehind Fate = "killed behind"
	Lost         Fate = "lost"
	Doubled      Fate = "doubled"
	Late         Fate = "late"    // it has its effect later, when its caller has gone on
	Dawdles      Fate = "dawdles" // the Worker goes on with it and all that follows when its operator has given up
)

// Fates are all of them.
var Fates = []Fate{KilledBefore, KilledBehind, Lost, Doubled, Late, Dawdles}

// Disturb is an Inner in which one step, counted from 0, meets a fate.
type Disturb struct {
	At   int
	Fate Fate
	By   time.Duration // how late, or for how long it dawdles
	// Under counts what is under way when its caller has gone on.
	Under *sync.WaitGroup

	mu   sync.Mutex
	done int
	met  string
}

// Met is the step that met the fate, "" while none did.
func (d *Disturb) Met() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.met
}

func (d *Disturb) turn(step string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	mine := d.done == d.At
	d.done++
	if mine {
		d.met = step
	}
	return mine
}

// Call runs a step, as its fate will have it.
func (d *Disturb) Call(step string, op func() error) error {
	if !d.turn(step) {
		return op()
	}
	switch d.Fate {
	case Doubled:
		d.later(op)
		return op()
	case Late:
		d.later(op)
	case Dawdles:
		time.Sleep(d.By)
		return op()
	case KilledBehind:
		_ = op() // its answer is lost
	}
	return refuse(wire.KindInternal, "%s: %s", step, d.Fate)
}

func (d *Disturb) later(op func() error) {
	d.Under.Go(func() {
		time.Sleep(d.By)
		_ = op() // nobody hears
	})
}

// lineInner meets the line's trouble on the Worker's own way to its bindings.
// The Worker outlives its caller.
type lineInner struct{ line *Line }

// Call runs a step, as chance will have it.
func (i lineInner) Call(step string, op func() error) error {
	fate, took := i.line.rollInner()
	time.Sleep(took)
	switch fate {
	case delivered:
		return op()
	case twice:
		i.line.deliverLater(op)
		return op()
	case late:
		i.line.deliverLater(op)
	case noAnswer:
		_ = op() // its answer is lost
	}
	return refuse(wire.KindInternal, "%s: no answer", step)
}
