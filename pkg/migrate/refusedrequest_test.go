package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// refusal counts the requests to a service, and refuses one of them, or all from there on.
type refusal struct {
	at   int
	stay bool // the service goes on refusing
	kind userdb.Kind
	seen int
	hit  bool
}

func (r *refusal) err(op string) error {
	mine := r.seen == r.at || r.stay && r.seen > r.at
	r.seen++
	if !mine {
		return nil
	}
	r.hit = true
	return &userdb.Error{Op: op, Kind: r.kind, Err: errors.New("the service refuses")}
}

// refusingFiles is R2 that refuses a request.
type refusingFiles struct {
	migrate.Files
	*refusal
}

func (f refusingFiles) Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	if err := f.err("head"); err != nil {
		return userdb.Object{}, err
	}
	return f.Files.Head(ctx, key)
}

func (f refusingFiles) Get(
	ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer,
) (userdb.Object, error) {
	if err := f.err("get"); err != nil {
		return userdb.Object{}, err
	}
	return f.Files.Get(ctx, key, ifMatch, w)
}

func (f refusingFiles) GetRange(
	ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, offset, length int64,
) ([]byte, userdb.Object, error) {
	if err := f.err("get range"); err != nil {
		return nil, userdb.Object{}, err
	}
	return f.Files.GetRange(ctx, key, ifMatch, offset, length)
}

func (f refusingFiles) Put(
	ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions,
) (userdb.ETag, error) {
	if err := f.err("put"); err != nil {
		return "", err
	}
	return f.Files.Put(ctx, key, body, size, opts)
}

func (f refusingFiles) Delete(ctx context.Context, key userdb.ObjectKey) error {
	if err := f.err("delete"); err != nil {
		return err
	}
	return f.Files.Delete(ctx, key)
}

func (f refusingFiles) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	if err := f.err("delete"); err != nil {
		return err
	}
	return f.Files.DeleteOnce(ctx, key)
}

func (f refusingFiles) List(
	ctx context.Context, prefix, delimiter string, yield func([]userdb.Object, []string) error,
) error {
	if err := f.err("list"); err != nil {
		return err
	}
	return f.Files.List(ctx, prefix, delimiter, yield)
}

// refusingStores is the Worker that refuses a request.
type refusingStores struct {
	migrate.Stores
	*refusal
}

func (s refusingStores) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	if err := s.err("status"); err != nil {
		return wire.Status{}, err
	}
	return s.Stores.Status(ctx, u)
}

func (s refusingStores) Claim(
	ctx context.Context, u userdb.UserID, req wire.ClaimRequest,
) (wire.Claimed, error) {
	if err := s.err("claim"); err != nil {
		return wire.Claimed{}, err
	}
	return s.Stores.Claim(ctx, u, req)
}

func (s refusingStores) Reset(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	if err := s.err("reset"); err != nil {
		return wire.Status{}, err
	}
	return s.Stores.Reset(ctx, u, g)
}

func (s refusingStores) Ready(
	ctx context.Context, u userdb.UserID, g userdb.Claim, d wire.DatabaseDigest, r wire.Receipt,
) (wire.Status, error) {
	if err := s.err("ready"); err != nil {
		return wire.Status{}, err
	}
	return s.Stores.Ready(ctx, u, g, d, r)
}

func (s refusingStores) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	if err := s.err("export schema"); err != nil {
		return wire.ExportSchema{}, err
	}
	return s.Stores.ExportSchema(ctx, u)
}

func (s refusingStores) ExportRows(
	ctx context.Context, u userdb.UserID, req wire.ExportRequest,
) (*wire.ExportPage, error) {
	if err := s.err("export rows"); err != nil {
		return nil, err
	}
	return s.Stores.ExportRows(ctx, u, req)
}

func (s refusingStores) Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	if err := s.err("digest"); err != nil {
		return wire.DigestReport{}, err
	}
	return s.Stores.Digest(ctx, u)
}

func (s refusingStores) Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	if err := s.err("activate"); err != nil {
		return wire.Status{}, err
	}
	return s.Stores.Activate(ctx, u, g)
}

func (s refusingStores) Release(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	if err := s.err("release"); err != nil {
		return wire.Status{}, err
	}
	return s.Stores.Release(ctx, u, g)
}

// TestARefusedRequestLosesNothing: R2 or the Worker refuses one request of a command, or all from there on.
// Whatever the command says, the same command ends the work afterwards, and each row is there once.
func TestARefusedRequestLosesNothing(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(context.Context, *migrate.Engine) result.Result{
		"migrate": func(ctx context.Context, e *migrate.Engine) result.Result { return e.Migrate(ctx, alice) },
		"rollback": func(ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, migrate.RollbackOptions{})
		},
	} {
		for service, refusing := range map[string]func(*world.World, *refusal) *migrate.Engine{
			"R2": func(w *world.World, no *refusal) *migrate.Engine {
				return w.Engine("refused", refusingFiles{w.Bucket, no}, w.Objects, w.Objects)
			},
			"the Worker": func(w *world.World, no *refusal) *migrate.Engine {
				return w.Engine("refused", w.Bucket, refusingStores{w.Objects, no}, w.Objects)
			},
		} {
			for _, stay := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, stays %v", name, service, stay), func(t *testing.T) {
					refuseEach(t, name == "rollback", stay, command, refusing)
				})
			}
		}
	}
}

// refuseEach runs the command until one run meets no refusal: each run has the refusal one request later.
func refuseEach(
	t *testing.T,
	moved, stay bool,
	command func(context.Context, *migrate.Engine) result.Result,
	refusing func(*world.World, *refusal) *migrate.Engine,
) {
	t.Helper()
	kinds := []userdb.Kind{userdb.Unauthorized, userdb.Throttled, userdb.Internal}
	for at := 0; ; at++ {
		w, _, _ := oneUser(t)
		if moved {
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
		}
		insert(t, w, 2)
		no := &refusal{at: at, stay: stay, kind: kinds[at%len(kinds)]}
		first := command(t.Context(), refusing(w, no))
		if r := command(t.Context(), plain(w)); r.Err() != nil {
			t.Errorf("request %d, %s: %v, then %v", at, no.kind, first.Err(), r.Err())
		}
		if one, two := count(t, w, 1), count(t, w, 2); one != 1 || two != 1 {
			t.Errorf("request %d, %s: the rows are there %d and %d times", at, no.kind, one, two)
		}
		if !no.hit {
			if at == 0 {
				t.Error("nothing was refused")
			}
			return
		}
	}
}
