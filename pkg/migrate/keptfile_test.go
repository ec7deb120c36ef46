package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// gone are Durable Objects that do not answer.
type gone struct{ Stores }

func (gone) Status(context.Context, userdb.UserID) (wire.Status, error) {
	return wire.Status{}, &userdb.Error{Op: "status", Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// TestReceiptProvesTheKeptFile: with no Durable Object to ask, the receipt in R2 says whether the fenced file
// is the one that was migrated. A file that is not it stays fenced; one without a receipt goes
// back unproved, for this is the way out of an emergency.
func TestReceiptProvesTheKeptFile(t *testing.T) {
	sum := sha256.Sum256(header())
	right := hex.EncodeToString(sum[:])
	for name, c := range map[string]struct {
		receipt []byte
		proved  bool
		kind    userdb.Kind
	}{
		"the one that was migrated": {receiptWith(t, right), true, ""},
		"another one":               {receiptWith(t, strings.Repeat("0", 64)), false, userdb.Conflict},
		"no receipt":                {nil, false, ""},
		"a damaged receipt":         {[]byte("{"), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			fenced, err := userdb.WithFence(header(), 5, 6, make([]byte, userdb.MarkRandomBytes))
			if err != nil {
				t.Fatal(err)
			}
			m.put("alice/database.sqlite", fenced, time.Now())
			if c.receipt != nil {
				m.put(userfile.ReceiptKey("alice", 5), c.receipt, time.Now())
			}
			e := m.engine(t)
			e.Stores = gone{}
			r := e.Rollback(
				context.Background(),
				"alice",
				RollbackOptions{DiscardWrites: true, StoreUnreachable: true},
			)
			mark, err := userdb.ParseMark(m.content["alice/database.sqlite"])
			if err != nil {
				t.Fatal(err)
			}
			if c.kind != "" {
				if userdb.KindOf(r.Err()) != c.kind || mark.Kind != userdb.FenceMark {
					t.Errorf("%v, and the file carries a %v", r.Err(), mark.Kind)
				}
				return
			}
			if r.Err() != nil || r.Outcome != result.OutcomeToBeSealed || mark.Kind != userdb.StampMark {
				t.Errorf("%v %v, and the file carries a %v", r.Outcome, r.Err(), mark.Kind)
			}
			if proved := strings.Contains(r.Reason, "bit for bit"); proved != c.proved {
				t.Errorf("reason %q", r.Reason)
			}
		})
	}
}

func receiptWith(t *testing.T, sha string) []byte {
	b, err := json.Marshal(wire.Receipt{User: "alice", Claim: 5, SourceSHA: sha, Run: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMark: the same plan is marked once, its hold cannot be changed by marking it again, and a mark that was
// altered is refused.
func TestMark(t *testing.T) {
	m := newMemory()
	e, ctx := m.engine(t), context.Background()
	plan := gc.Plan{
		Options: gc.Options{OlderThan: time.Hour},
		Free:    []gc.Item{{User: "alice", ETag: "1", Bytes: 7}},
	}
	first, err := e.GarbageCollector().Mark(ctx, plan, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.GarbageCollector().Mark(ctx, plan, 0)
	if err != nil || second.Hold != first.Hold || !second.At.Equal(first.At) {
		t.Errorf("marked again: %+v, %v", second, err)
	}
	if marks, err := e.GarbageCollector().Marks(ctx); err != nil || len(marks) != 1 ||
		marks[0].AsPlan().Digest() != plan.Digest() {
		t.Errorf("%+v, %v", marks, err)
	}
	key := userdb.ObjectKey(userdb.ReservedPrefix + "gc/" + first.Plan + ".json")
	m.put(key, []byte(strings.Replace(string(m.content[key]), "alice", "bobby", 1)), time.Now())
	if _, err := e.GarbageCollector().Marks(ctx); userdb.KindOf(err) != userdb.Damaged {
		t.Errorf("an altered mark: %v", err)
	}
	if err := e.GarbageCollector().Unmark(ctx, first.Plan); err != nil {
		t.Error(err)
	}
	if err := e.GarbageCollector().Unmark(ctx, first.Plan); userdb.KindOf(err) != userdb.NotFound {
		t.Errorf("unmarked twice: %v", err)
	}
}

// TestOnlyReservedKeysAreDeleted: R2 deletes unconditionally, so the engine never deletes what is a user's.
func TestOnlyReservedKeysAreDeleted(t *testing.T) {
	m := newMemory()
	m.put("alice/database.sqlite", header(), time.Now())
	if err := reserved.Delete(context.Background(), m.engine(t).Files, "alice/database.sqlite"); err == nil ||
		len(m.objects) != 1 {
		t.Errorf("%v, %d objects are left", err, len(m.objects))
	}
}
