package migrate

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// deafFiles take no PUT.
type deafFiles struct{ memoryFiles }

func (deafFiles) Put(
	context.Context,
	userdb.ObjectKey,
	io.ReadSeeker,
	int64,
	userdb.PutOptions,
) (userdb.ETag, error) {
	return "", &userdb.Error{Op: "put", Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// TestReceiptIsKept: a user just moved costs one PUT; one who was moved before is looked up, and gets the
// copy that is missing; and where R2 does not take it, the account says so, and keeps the flag that is to be
// written.
func TestReceiptIsKept(t *testing.T) {
	receipt := wire.Receipt{User: "alice", Claim: 5, SourceSHA: "00", Run: "r"}
	for name, c := range map[string]struct {
		outcome result.Outcome
		there   bool
		deaf    bool
		puts    int
		gets    int
	}{
		"just moved":                     {outcome: result.OutcomeMigrated, puts: 1},
		"moved before":                   {outcome: result.OutcomeAlready, there: true, gets: 1},
		"moved before, and no copy":      {outcome: result.OutcomeAlready, puts: 1, gets: 1},
		"just moved, R2 does not answer": {outcome: result.OutcomeMigrated, deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			e := m.engine(t)
			if c.deaf {
				e.Files = deafFiles{memoryFiles{nil, m}}
			}
			if c.there {
				m.put(userfile.ReceiptKey("alice", 5), []byte("the copy of then"), time.Now())
			}
			r := result.Result{User: "alice", Action: result.ActionMigrate, Outcome: c.outcome}
			r.SetFlag(wire.Status{Lin: 5, Gen: 5, Receipt: &receipt})
			r = e.KeepReceipt(context.Background(), r)
			if (r.Err() != nil) != c.deaf || r.Outcome != c.outcome {
				t.Errorf("%s %v", r.Outcome, r.Err())
			}
			if m.calls["R2 put"] != c.puts || m.calls["R2 head"] != c.gets || r.Flag.Put.Lineage != 5 {
				t.Errorf("calls %v, flag %v", m.calls, r.Flag.Put)
			}
			if c.puts > 0 {
				if got, err := e.ReceiptCopy(context.Background(), "alice", 5); err != nil || got.Run != "r" {
					t.Errorf("%+v %v", got, err)
				}
			}
		})
	}
}
