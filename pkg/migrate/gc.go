package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// GCPlan is what gc would free, and what it keeps and why. It is made from reads only.
type GCPlan struct {
	OlderThan time.Duration
	Free      []GCItem
	Keep      []Result
}

// GCItem is one file that may be freed: exactly this version of it.
type GCItem struct {
	User       userdb.UserID    `json:"user"`
	Key        userdb.ObjectKey `json:"key"`
	ETag       userdb.ETag      `json:"etag"`
	Bytes      int64            `json:"bytes"`
	Lin        userdb.Claim     `json:"lin"`
	MigratedAt int64            `json:"migratedAt"`
}

// Digest names exactly this plan: another user, version or age limit gives another one. It is what the operator confirms.
func (p GCPlan) Digest() string {
	b, err := json.Marshal(struct {
		OlderThan time.Duration
		Free      []GCItem
	}{p.OlderThan, p.Free})
	if err != nil {
		panic(err) // plain values always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// Bytes is what the plan frees, less the tombstones.
func (p GCPlan) Bytes() (n int64) {
	for _, item := range p.Free {
		n += item.Bytes
	}
	return n
}

// PlanGC looks at one user. It answers with an item when the file may be freed, and with the reason for keeping it otherwise.
func (e *Engine) PlanGC(ctx context.Context, f Found, olderThan time.Duration) (*GCItem, Result) {
	started := e.now()
	r := Result{User: f.User, Action: ActionGC, Outcome: OutcomeKept, Bytes: f.Bytes}
	proof, reason, err := e.mayFree(ctx, f, olderThan)
	if err != nil || reason != "" {
		r.Reason = reason
		return nil, r.end(e.now().Sub(started), err)
	}
	return &GCItem{User: f.User, Key: proof.file.Key, ETag: proof.file.ETag, Bytes: proof.file.Size, Lin: proof.file.Lin,
		MigratedAt: proof.receipt.MigratedAt}, r
}

// gcProof is everything that has to hold before a file may go.
type gcProof struct {
	file               fileState
	receipt            wire.Receipt
	writesAtActivation int64
}

// mayFree proves that the user's file may go, or gives the reason why not.
func (e *Engine) mayFree(ctx context.Context, f Found, olderThan time.Duration) (gcProof, string, error) {
	if !f.Flagged {
		return gcProof{}, "no flag: the user is not, or not completely, migrated", nil
	}
	file, err := e.look(ctx, f.User)
	if err != nil {
		return gcProof{}, "", err
	}
	switch {
	case file.absent:
		return gcProof{}, "there is no file", nil
	case file.tombstone():
		return gcProof{}, "freed before", nil
	case !file.fenced():
		return gcProof{}, "the file is not fenced: it is authoritative", nil
	}
	st, err := e.Stores.Status(ctx, f.User)
	if err != nil {
		return gcProof{}, "", err
	}
	if reason := e.storeKeeps(st, file, f.Flag, olderThan); reason != "" {
		return gcProof{}, reason, nil
	}
	return gcProof{file, *st.Receipt, st.WritesAtActivation}, "", nil
}

// storeKeeps gives the reason in the Durable Object's state, its receipt or the flag for keeping the file.
func (e *Engine) storeKeeps(st wire.Status, file fileState, flag userdb.FlagMeta, olderThan time.Duration) string {
	switch r := st.Receipt; {
	case st.Phase != userdb.Active:
		return fmt.Sprintf("the Durable Object is %s, not ACTIVE", st.Phase)
	case !file.fencedBy(st.Lin):
		return fmt.Sprintf("the file is fenced by claim %d, the Durable Object has lineage %d", file.Lin, st.Lin)
	case r == nil:
		return "the Durable Object has no receipt of its migration"
	case r.Claim != st.Lin || r.Key != file.Key:
		return "the receipt is of another migration"
	case flag.Lineage != st.Lin:
		return fmt.Sprintf("the flag is of claim %d, the Durable Object has lineage %d: run `dbmigrate migrate` to write the flag anew", flag.Lineage, st.Lin)
	case file.Size != r.SourceBytes:
		return fmt.Sprintf("the object has %d bytes, the fenced one had %d", file.Size, r.SourceBytes)
	default:
		if age := e.now().Sub(time.UnixMilli(r.MigratedAt)); age < olderThan {
			return fmt.Sprintf("migrated %s ago, kept for %s", units.FormatDuration(age), units.FormatDuration(olderThan))
		}
		return ""
	}
}

// GC frees one file of a plan. Everything is proved again at this moment: the state of both sides, that the object is bit for bit the one
// that was fenced, and that the Durable Object can be read as a whole. The fence stays: a tombstone of a few hundred bytes takes the
// file's place, on condition of its ETag. (Deleting it would let a router with a stale flag create an empty database beside the living one.)
func (e *Engine) GC(ctx context.Context, item GCItem, flag userdb.FlagMeta, olderThan time.Duration) Result {
	started := e.now()
	r := Result{User: item.User, Action: ActionGC, Bytes: item.Bytes, Outcome: OutcomeKept}
	err := e.free(ctx, item, flag, olderThan, &r)
	if err == nil && r.Outcome == OutcomeKept {
		// It was in the plan: that it stays is not what was asked for.
		err = &userdb.Error{Op: "free", Thing: string(item.Key), Kind: userdb.Conflict, Err: errors.New(r.Reason), Hint: "the file stays; look at the plan again with `dbmigrate gc`"}
		r.Reason = ""
	}
	return r.end(e.now().Sub(started), err)
}

func (e *Engine) free(ctx context.Context, item GCItem, flag userdb.FlagMeta, olderThan time.Duration, r *Result) error {
	proof, reason, err := e.mayFree(ctx, Found{User: item.User, Flagged: true, Flag: flag}, olderThan)
	if err == nil && reason == "" && proof.file.ETag != item.ETag {
		reason = "the object is not the one in the plan any more"
	}
	if err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	if reason, err = e.fencedBytesDiffer(ctx, item.User, proof); err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	if reason, err = e.storeDiffers(ctx, item.User, proof); err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	size, err := e.putTombstone(ctx, item, proof)
	if err != nil && e.tombstoneLanded(ctx, item.User, proof) {
		err = nil
	}
	if userdb.KindOf(err) == userdb.Precondition {
		r.Reason = "the object changed at the last moment"
		return nil
	}
	if err != nil {
		return err
	}
	r.Outcome, r.FreedBytes = OutcomeFreed, proof.file.Size-size
	return nil
}

// fencedBytesDiffer compares the object with the SHA-256 of what was migrated; marks do not count in it.
func (e *Engine) fencedBytesDiffer(ctx context.Context, u userdb.UserID, proof gcProof) (string, error) {
	file, err := e.download(ctx, u)
	if err != nil {
		return "", err
	}
	defer file.remove()
	if file.ETag != proof.file.ETag {
		return "the object changed while it was read", nil
	}
	if file.sha == proof.receipt.SourceSHA {
		return "", nil
	}
	return "the object's bytes are not the ones that were fenced", nil
}

// storeDiffers reads everything that the Durable Object holds: with the file goes the last other copy of it. What is there must be what was
// imported unless the application wrote since.
func (e *Engine) storeDiffers(ctx context.Context, u userdb.UserID, proof gcProof) (string, error) {
	report, err := e.Stores.FreshDigest(ctx, u)
	if err != nil {
		return "", err
	}
	if report.Writes == proof.writesAtActivation && report.Digest.Database != proof.receipt.Digest.Database {
		return "the Durable Object differs from what was imported though the application wrote nothing: run `dbmigrate verify` for this user", nil
	}
	return "", nil
}

// tombstoneLanded says whether the PUT whose answer was lost took effect.
func (e *Engine) tombstoneLanded(ctx context.Context, u userdb.UserID, proof gcProof) bool {
	file, err := e.look(ctx, u)
	return err == nil && file.tombstone() && file.Lin == proof.file.Lin && file.Non == proof.file.Non
}

func (e *Engine) putTombstone(ctx context.Context, item GCItem, proof gcProof) (int64, error) {
	short := proof.receipt
	short.Digest.Tables = nil // the Durable Object has the whole receipt; the tombstone stays small whatever the number of tables
	receipt, err := json.Marshal(short)
	if err != nil {
		return 0, err
	}
	stone := userdb.Tombstone{Lin: proof.file.Lin, Non: proof.file.Non, User: item.User, Receipt: receipt}
	body, err := stone.Encode()
	if err != nil {
		return 0, err
	}
	_, err = e.Files.Put(ctx, item.Key, bytes.NewReader(body), int64(len(body)), userdb.PutOptions{IfMatch: item.ETag,
		Metadata: userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}.Metadata(proof.file.Object.Metadata), ContentType: "text/plain"})
	return int64(len(body)), err
}
