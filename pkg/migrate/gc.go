package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// GCPlan is what gc would free, and what it keeps and why. It is made from reads only.
type GCPlan struct {
	GCOptions
	Free []GCItem
	Keep []result.Result
}

// GCOptions are part of a plan.
type GCOptions struct {
	// OlderThan keeps the files of younger migrations.
	OlderThan time.Duration
	// ArchivePrefix is where a file is put before it is freed, "" for nowhere.
	ArchivePrefix string
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

// Digest names exactly this plan: another user, version, age limit or archive gives another one. It is what the operator confirms.
func (p GCPlan) Digest() string {
	b, err := json.Marshal(struct {
		GCOptions
		Free []GCItem
	}{p.GCOptions, p.Free})
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
func (e *Engine) PlanGC(ctx context.Context, f Found, olderThan time.Duration) (*GCItem, result.Result) {
	started := e.now()
	r := result.Result{User: f.User, Action: result.ActionGC, Outcome: result.OutcomeKept, Bytes: f.Bytes}
	proof, reason, err := e.mayFree(ctx, f, olderThan)
	if err != nil || reason != "" {
		r.Reason = reason
		return nil, r.End(e.now().Sub(started), err)
	}
	return &GCItem{User: f.User, Key: proof.file.Key, ETag: proof.file.ETag, Bytes: proof.file.Size, Lin: proof.file.Lin,
		MigratedAt: proof.receipt.MigratedAt}, r
}

const noFlag = "no flag: the user is not, or not completely, migrated as a whole"

// gcProof is everything that has to hold before a file may go.
type gcProof struct {
	file               userfile.Version
	receipt            wire.Receipt
	writesAtActivation int64
}

// mayFree proves that the user's file may go, or gives the reason why not.
func (e *Engine) mayFree(ctx context.Context, f Found, olderThan time.Duration) (gcProof, string, error) {
	if f.Place == PlaceUnreadable {
		return gcProof{}, "", f.Err
	}
	if !f.Flagged {
		return gcProof{}, noFlag, nil
	}
	file, err := e.look(ctx, f.User)
	if err != nil {
		return gcProof{}, "", err
	}
	switch {
	case file.Absent:
		return gcProof{}, "there is no file", nil
	case file.Tombstone():
		return gcProof{}, "freed before", nil
	case !file.Fenced():
		return gcProof{}, "the file is not fenced: it is authoritative", nil
	case file.Mark.Split:
		return gcProof{}, "the user is split: the file has his hot rows", nil
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
func (e *Engine) storeKeeps(st wire.Status, file userfile.Version, flag userdb.FlagMeta, olderThan time.Duration) string {
	switch r := st.Receipt; {
	case st.Phase != userdb.Active:
		return fmt.Sprintf("the Durable Object is %s, not ACTIVE", st.Phase)
	case !file.FencedBy(st.Lin):
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
