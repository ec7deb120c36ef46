package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// TestExplainWithoutDurableObject: when it does not answer, or was set back, the file is kept, and the
// receipt in R2 still says what it is.
func TestExplainWithoutDurableObject(t *testing.T) {
	sum := sha256.Sum256(header())
	m := newMemory()
	fenced, err := userdb.WithFence(header(), 5, 6, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	m.put("alice/database.sqlite", fenced, time.Now())
	m.put(userfile.ReceiptKey("alice", 5), receiptWith(t, hex.EncodeToString(sum[:])), time.Now())
	m.flagged["alice"] = userdb.FlagMeta{Lineage: 5, Run: "r"}
	for name, stores := range map[string]Stores{"it does not answer": gone{}, "it was set back": m} {
		t.Run(name, func(t *testing.T) {
			e := m.engine(t)
			e.Stores = stores
			x, err := gc.Explain(context.Background(), e.Inspect(), "alice", 0)
			if err != nil || x.Free || x.Bytes != 0 {
				t.Errorf("%+v, %v", x, err)
			}
			var got []string
			for _, p := range x.Proofs {
				got = append(got, fmt.Sprint(p.Proof, " ", p.Holds))
			}
			if want := []string{"flag true", "fence true", "durable object false", "receipt in R2 true", "bytes true"}; !slices.Equal(
				got,
				want,
			) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
