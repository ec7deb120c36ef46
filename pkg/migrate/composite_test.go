package migrate_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// roundTrip is long beside what the world takes for itself.
const roundTrip = 10 * time.Second

// far is a Cloudflare at a distance: each request takes one round trip and no other time, and is noted.
type far struct {
	migrate.Files
	*world.Objects
	mu   sync.Mutex
	sent []string
}

func (f *far) travel(name string) {
	f.mu.Lock()
	f.sent = append(f.sent, name)
	f.mu.Unlock()
	time.Sleep(roundTrip)
}

// farFiles and farStores are separate, since both have a Get or a Put of their own.
type farFiles struct{ *far }

func (f farFiles) Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	f.travel("HEAD")
	return f.Files.Head(ctx, key)
}

func (f farFiles) Get(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	f.travel("GET")
	return f.Files.Get(ctx, key, ifMatch, w)
}

func (f farFiles) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	f.travel("ranged GET")
	return f.Files.GetRange(ctx, key, ifMatch, offset, length)
}

func (f farFiles) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	f.travel("PUT")
	return f.Files.Put(ctx, key, body, size, opts)
}

func (f farFiles) Delete(ctx context.Context, key userdb.ObjectKey) error {
	f.travel("DELETE")
	return f.Files.Delete(ctx, key)
}

func (f farFiles) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	f.travel("DELETE")
	return f.Files.DeleteOnce(ctx, key)
}

func (f farFiles) List(
	ctx context.Context,
	prefix, delimiter string,
	yield func([]userdb.Object, []string) error,
) error {
	f.travel("LIST")
	return f.Files.List(ctx, prefix, delimiter, yield)
}

type farStores struct{ *far }

func (f farStores) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	f.travel("status")
	return f.Objects.Status(ctx, u)
}

func (f farStores) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	f.travel("claim")
	return f.Objects.Claim(ctx, u, req)
}

func (f farStores) Schema(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	s wire.Schema,
) (wire.Status, error) {
	f.travel("schema")
	return f.Objects.Schema(ctx, u, g, s)
}

func (f farStores) Rows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
) (wire.RowsAnswer, error) {
	f.travel("rows")
	return f.Objects.Rows(ctx, u, g, seq, batch)
}

func (f farStores) Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error {
	f.travel("finish")
	return f.Objects.Finish(ctx, u, g, batches)
}

func (f farStores) Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	f.travel("digest")
	return f.Objects.Digest(ctx, u)
}

func (f farStores) Ready(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	d wire.DatabaseDigest,
	r wire.Receipt,
) (wire.Status, error) {
	f.travel("ready")
	return f.Objects.Ready(ctx, u, g, d, r)
}

func (f farStores) Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	f.travel("activate")
	return f.Objects.Activate(ctx, u, g)
}

func (f farStores) Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	f.travel("mark")
	return f.Objects.Mark(ctx, u, req)
}

func (f farStores) Import(ctx context.Context, u userdb.UserID, req wire.ImportRequest) (wire.Imported, error) {
	f.travel("import")
	return f.Objects.Import(ctx, u, req)
}

func (f farStores) Switch(ctx context.Context, u userdb.UserID, req wire.SwitchRequest) (wire.Switched, error) {
	f.travel("switch")
	return f.Objects.Switch(ctx, u, req)
}

// far makes an engine of an operator who is a round trip away from everything.
func (x *walk) far() (*far, *migrate.Engine) {
	f := &far{Files: x.w.Bucket, Objects: x.w.Objects}
	e := x.w.Engine("run", farFiles{f}, farStores{f}, farStores{f})
	e.Composites = farStores{f}
	return f, e
}

// TestRoundTrips: so many requests of a command come one after the other.
func TestRoundTrips(t *testing.T) {
	steps := []string{
		"status", "GET", "HEAD", "HEAD", "status", "ranged GET", "claim", "HEAD", "schema", "rows", "finish", "digest",
		"mark", "ready", "activate", "ranged GET", "PUT",
	}
	for name, c := range map[string]struct {
		offered []string
		sent    []string
		trips   time.Duration
	}{
		"both":               {[]string{"import", "switch"}, []string{"status", "GET", "HEAD", "HEAD", "import", "switch"}, 4},
		"a Worker of before": {nil, steps, 15},
		"a Worker of after":  {[]string{"import", "switch", "everything"}, []string{"status", "GET", "HEAD", "HEAD", "import", "switch"}, 4},
		"import only": {
			[]string{"import"},
			[]string{"status", "GET", "HEAD", "HEAD", "import", "mark", "ready", "activate", "ranged GET", "PUT"}, 8,
		},
		"switch only": {
			[]string{"switch"},
			append(slices.Clone(steps[:12]), "switch"), 11,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				f, e := x.far()
				e.Offered = c.offered
				begun := time.Now()
				r := e.KeepReceipt(t.Context(), e.Migrate(t.Context(), alice))
				if r.Err() != nil || r.Outcome != result.OutcomeMigrated || r.Rows < 2*walkRows {
					t.Fatalf("%s, %d rows: %v", r.Outcome, r.Rows, r.Err())
				}
				if trips := time.Since(begun).Round(roundTrip) / roundTrip; trips != c.trips {
					t.Errorf("%d round trips, want %d", trips, c.trips)
				}
				slices.Sort(f.sent)
				slices.Sort(c.sent)
				if !slices.Equal(f.sent, c.sent) {
					t.Errorf("sent %q\nwant %q", f.sent, c.sent)
				}
				if got, err := x.engine().ReceiptCopy(t.Context(), alice, r.Claim); err != nil || got == nil ||
					got.SourceETag != r.Receipt.SourceETag || got.FencedETag != r.Receipt.FencedETag {
					t.Errorf("R2's receipt: %+v, %v", got, err)
				}
				if r := x.engine().Inspect().Verify(t.Context(), alice); r.Err() != nil {
					t.Error(r.Err())
				}
			})
		})
	}
}

// afterwards are what commands find that act while a composite may still be under way, or when it has ended.
var afterwards = map[string]func(*walk, *migrate.Engine) result.Result{
	"migrate": func(x *walk, e *migrate.Engine) result.Result { return e.Migrate(x.Context(), alice) },
	"rollback": func(x *walk, e *migrate.Engine) result.Result {
		return e.Rollback(x.Context(), alice, migrate.RollbackOptions{})
	},
}

// TestCompositesMayDieAnywhere: whatever becomes of one step inside of a composite request, the command that
// sent it, and one that acts while the composite goes on, leave the user whole.
func TestCompositesMayDieAnywhere(t *testing.T) {
	for _, fate := range world.Fates {
		for name, next := range afterwards {
			t.Run(fmt.Sprintf("%s, then %s", fate, name), func(t *testing.T) {
				t.Parallel()
				for at, met := 0, true; met; at++ {
					for _, by := range lateness(fate) {
						synctest.Test(t, func(t *testing.T) {
							met = disturbed(t, &world.Disturb{At: at, Fate: fate, By: by, Under: &sync.WaitGroup{}}, next)
						})
					}
					if at > 100 {
						t.Fatal("it never ends")
					}
				}
			})
		}
	}
}

// lateness is how late a step comes: while its command runs on, while the next one runs, and after both.
func lateness(f world.Fate) []time.Duration {
	switch f {
	case world.Doubled, world.Late:
		return []time.Duration{time.Millisecond, time.Second, time.Hour}
	case world.Dawdles:
		return []time.Duration{time.Minute + time.Millisecond, time.Hour}
	}
	return []time.Duration{0}
}

// disturbed says whether the composites of a migrate had the step.
func disturbed(
	t *testing.T,
	inner *world.Disturb,
	next func(*walk, *migrate.Engine) result.Result,
) (met bool) {
	x := newWalk(t)
	first := make(chan result.Result, 1)
	line := world.NewLine(rand.New(rand.NewPCG(1, 1)), world.Trouble{}, inner.Under)
	go func() { first <- impatient(x, line, inner).Migrate(t.Context(), alice) }()
	var r result.Result
	if inner.Fate != world.Dawdles {
		r = <-first
	} else {
		time.Sleep(time.Minute) // the operator has given up, and its Worker has not, if it dawdles for long
	}
	second := next(x, x.engine())
	if inner.Fate == world.Dawdles {
		r = <-first
	}
	inner.Under.Wait()
	where := fmt.Sprintf("step %d (%s) by %s", inner.At, inner.Met(), inner.By)
	for _, r := range []result.Result{r, second} {
		if r.Open {
			t.Errorf("%s: left open: %v", where, r.Err())
		}
	}
	for name, r := range map[string]result.Result{"migrate": x.engine().Migrate(t.Context(), alice)} {
		if r.Err() != nil {
			t.Fatalf("%s, %s: %v", where, name, r.Err())
		}
	}
	x.write()
	if r := x.engine().Inspect().Verify(t.Context(), alice); r.Err() != nil || r.Outcome != result.OutcomeWritten {
		t.Errorf("%s: verify %s: %v", where, r.Outcome, r.Err())
	}
	if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
		t.Fatalf("%s: rollback: %v", where, r.Err())
	}
	x.atFile(walkRows + 1)
	return inner.Met() != ""
}

// impatient is an operator with a Worker that meets inner, who waits half a minute for an answer.
func impatient(x *walk, line *world.Line, inner *world.Disturb) *migrate.Engine {
	e := x.w.OverLine("disturbed", line)
	e.Composites = patience{e.Composites, x.w.Objects.Under(inner), 30 * time.Second, inner.Under}
	return e
}

// patience gives up on a composite request that takes long; the Worker goes on with it.
type patience struct {
	migrate.Composites
	to   *world.Objects
	upTo time.Duration
	late *sync.WaitGroup
}

func (p patience) Import(ctx context.Context, u userdb.UserID, req wire.ImportRequest) (wire.Imported, error) {
	return inTime(p, func() (wire.Imported, error) { return p.to.Import(ctx, u, req) })
}

func (p patience) Switch(ctx context.Context, u userdb.UserID, req wire.SwitchRequest) (wire.Switched, error) {
	return inTime(p, func() (wire.Switched, error) { return p.to.Switch(ctx, u, req) })
}

func inTime[T any](p patience, op func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ended := make(chan answer, 1)
	p.late.Go(func() {
		value, err := op()
		ended <- answer{value, err}
	})
	select {
	case a := <-ended:
		return a.value, a.err
	case <-time.After(p.upTo):
		var none T
		return none, &userdb.Error{Op: "send", Kind: userdb.Unreachable, Err: context.DeadlineExceeded}
	}
}

// interrupted lets another command act at one step, which then fails.
type interrupted struct {
	step string
	act  func()
}

func (i *interrupted) Call(step string, op func() error) error {
	if step != i.step || i.act == nil {
		return op()
	}
	act := i.act
	i.act = nil
	act()
	return &userdb.Error{Op: step, Kind: userdb.Internal, Err: &wire.RemoteError{Status: 500, Kind: wire.KindInternal}}
}

// TestAFailedImportDoesNotOvertake: where another command came between, one with a failed import stops.
func TestAFailedImportDoesNotOvertake(t *testing.T) {
	for _, step := range []string{"look", "schema", "rows", "finish", "digest"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				inner := &interrupted{step: step, act: x.migrate}
				e := x.engine()
				e.Composites = x.w.Objects.Under(inner)
				r := e.Migrate(t.Context(), alice)
				if userdb.KindOf(r.Err()) != userdb.Superseded || r.Open {
					t.Errorf("%s, open %v: %v", r.Outcome, r.Open, r.Err())
				}
				st, err := x.w.Objects.Status(t.Context(), alice)
				if err != nil || st.Phase != userdb.Active || st.Gen != 2 {
					t.Errorf("the newer command's user is in %s under claim %d: %v", st.Phase, st.Gen, err)
				}
			})
		})
	}
}
