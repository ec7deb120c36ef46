package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// header is the first page of a database, for those who look at its mark only.
func header() []byte {
	head := make([]byte, userdb.HeaderBytes)
	copy(head, "SQLite format 3\x00")
	head[18], head[19] = 1, 1
	return head
}

func receiptOf(u userdb.UserID, claim userdb.Claim, at time.Time, run string) []byte {
	b, err := json.Marshal(
		wire.Receipt{
			User:        u,
			Claim:       claim,
			SourceSHA:   "00",
			SourceBytes: 7,
			MigratedAt:  at.UnixMilli(),
			Run:         run,
		},
	)
	if err != nil {
		panic(err)
	}
	return b
}

// TestOnlyFlagsAreLeft takes back 10,000 users who are served from their files already: all that is left of
// them are the flags, which are found in few calls.
func TestOnlyFlagsAreLeft(t *testing.T) {
	const users = 10_000
	m := newMemory()
	for i := range users {
		u := userdb.UserID(fmt.Sprintf("user-%05d", i))
		m.flagged[u] = userdb.FlagMeta{Lineage: 1, At: int64(1 + i), Run: "r"}
		m.put(userdb.ObjectKey(u+"/database.sqlite"), header(), time.Now())
	}
	e := m.engine(t)
	found, err := e.Inspect().Moved(context.Background(), inspect.ScanOptions{}, time.Time{})
	if err != nil || len(found) != users || found[0].User != "user-09999" ||
		found[users-1].User != "user-00000" {
		t.Fatalf("%d users, from %v: %v", len(found), found[:1], err)
	}
	if m.calls["KV"] != users/listed || m.calls["R2 get"] != 0 || m.calls["durable object"] != 0 {
		t.Errorf("finding them took %v", m.calls)
	}
	for _, f := range found {
		r := e.Rollback(context.Background(), f.User, RollbackOptions{})
		if r.Err() != nil || r.Outcome != result.OutcomeNothing || !r.Flag.Delete {
			t.Fatalf("%s: %s, %v, flag %+v", f.User, r.Outcome, r.Err(), r.Flag)
		}
	}
}

// TestMovedWithoutFlag finds users without a flag, or with that of an older migration, by their receipts, and
// nobody who is back.
func TestMovedWithoutFlag(t *testing.T) {
	m, now := newMemory(), time.UnixMilli(1_800_000_000_000)
	fenced := func(u userdb.UserID, lin userdb.Claim) {
		head, err := userdb.WithFence(
			header(),
			lin.Lineage(),
			lin.Nonce(),
			make([]byte, userdb.MarkRandomBytes),
		)
		if err != nil {
			t.Fatal(err)
		}
		m.put(userdb.ObjectKey(u+"/database.sqlite"), head, now)
	}
	receipt := func(u userdb.UserID, claim userdb.Claim, at time.Time) {
		m.put(userfile.ReceiptKey(u, claim), receiptOf(u, claim, at, "receipts"), at)
	}
	fenced("lost-flag", 1)
	receipt("lost-flag", 1, now)
	fenced("old-flag", 3)
	m.flagged["old-flag"] = userdb.FlagMeta{Lineage: 1, At: 1, Run: "old"}
	receipt("old-flag", 1, now.Add(-2*time.Hour))
	receipt("old-flag", 3, now)
	m.put("back/database.sqlite", header(), now)
	receipt("back", 1, now)
	fenced("long-ago", 1)
	receipt("long-ago", 1, now.Add(-24*time.Hour))
	m.flagged["flagged"] = userdb.FlagMeta{Lineage: 2, At: now.UnixMilli() + 1, Run: "flags"}
	receipt("flagged", 2, now)

	found, err := m.engine(t).Inspect().Moved(context.Background(), inspect.ScanOptions{}, now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%s %s %d", f.User, f.Flag.Run, f.Flag.Lineage))
	}
	if want := []string{"flagged flags 2", "lost-flag receipts 1", "old-flag receipts 3"}; !slices.Equal(
		got,
		want,
	) {
		t.Errorf("got %q, want %q", got, want)
	}
	// back, lost-flag and old-flag are looked at; the two who are moved have a receipt to read.
	if m.calls["R2 get"] != 5 || m.calls["durable object"] != 0 {
		t.Errorf("calls %v", m.calls)
	}
}
