package migrate_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// looks change nothing.
var looks = map[string]func(context.Context, *migrate.Engine) (any, error){
	"preview": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().Preview(ctx, alice, inspect.PreviewOptions{Compare: 100, Show: 10})
	},
	"preview of a discard": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().Preview(ctx, alice, inspect.PreviewOptions{Discard: true})
	},
	"explain": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return gc.Explain(ctx, e.Inspect(), alice, 0)
	},
	"moved": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().Moved(ctx, inspect.ScanOptions{WithoutFlags: func(error) {}}, time.Time{})
	},
	"look up": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().LookUp(ctx, []userdb.UserID{alice, "nobody"})
	},
	"scan": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().Scan(ctx, inspect.ScanOptions{Marks: true})
	},
	"survey": func(ctx context.Context, e *migrate.Engine) (any, error) {
		return e.Inspect().Survey(ctx, "", func(inspect.FlaggedUser) error { return nil })
	},
	"status": func(ctx context.Context, e *migrate.Engine) (any, error) { return e.Inspect().Status(ctx, alice) },
	"verify": func(ctx context.Context, e *migrate.Engine) (any, error) {
		r := e.Verify(ctx, alice)
		return r.Outcome, r.Err()
	},
	"plan": func(ctx context.Context, e *migrate.Engine) (any, error) {
		item, r := e.GarbageCollector().Look(ctx, inspect.Found{User: alice, Flagged: true, Flag: flagOf(ctx, e)}, 0)
		return item, r.Err()
	},
}

func flagOf(ctx context.Context, e *migrate.Engine) userdb.FlagMeta {
	flags, _ := e.Flags.Get(ctx, []userdb.UserID{alice}) // without them the user has no flag
	return flags[alice].Meta
}

// users are in every state that a look meets.
var users = map[string]func(*walk){
	"in the file":         func(*walk) {},
	"migrated":            func(x *walk) { x.migrate() },
	"migrated, and wrote": func(x *walk) { x.migrate(); x.write() },
	"split":               func(x *walk) { x.splitAt(20) },
	"without a file": func(x *walk) {
		x.migrate()
		if err := x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice)); err != nil {
			x.Fatal(err)
		}
	},
}

// TestLooksThatAreCutOff: whatever request of a look fails, with all that follow, the look says less than a
// whole one, or that it failed. It never changes the file.
func TestLooksThatAreCutOff(t *testing.T) {
	for state, prepare := range users {
		for name, look := range looks {
			t.Run(state+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newWalk(t)
					prepare(x)
					before := fileOf(x)
					whole := x.cutOff(look, -1)
					for n := 0; ; n++ {
						said := x.cutOff(look, n)
						if !said.died {
							if (said.err == nil) != (whole.err == nil) {
								t.Errorf("undisturbed it ends with %v, and then with %v", whole.err, said.err)
							}
							break
						}
						if said.err == nil && strings.Contains(said.answer, `"Free":true`) {
							t.Errorf("without request %d gc may free: %s", n, said.answer)
						}
						if said.err == nil && said.answer == whole.answer && whole.err == nil {
							t.Errorf("without request %d it says the same: %s", n, said.answer)
						}
					}
					if after := fileOf(x); after != before {
						t.Errorf("the file was %s and is %s", before, after)
					}
				})
			})
		}
	}
}

type said struct {
	answer string
	err    error
	died   bool
}

func (x *walk) cutOff(look func(context.Context, *migrate.Engine) (any, error), n int) said {
	var late sync.WaitGroup
	line := world.NewLine(rand.New(rand.NewPCG(1, 2)), world.Trouble{}, &late)
	line.DieAfter(n)
	answer, err := look(x.Context(), x.w.OverLine("run", line))
	late.Wait()
	text, jsonErr := json.Marshal(answer)
	if jsonErr != nil {
		x.Fatal(jsonErr)
	}
	return said{string(text), err, line.Died()}
}

func fileOf(x *walk) userdb.ETag {
	object, err := x.w.Bucket.Head(x.Context(), x.w.Layout.Key(alice))
	if err != nil && userdb.KindOf(err) != userdb.NotFound {
		x.Fatal(err)
	}
	return object.ETag
}

// TestGCThatIsCutOff: whatever request of a gc fails, the Durable Object serves, and the next gc ends it.
func TestGCThatIsCutOff(t *testing.T) {
	for _, archive := range []string{"", "archive/"} {
		t.Run("archive "+archive, func(t *testing.T) {
			for n, died := 0, true; died; n++ {
				synctest.Test(t, func(t *testing.T) {
					x := newWalk(t)
					x.migrate()
					opts := gc.Options{ArchivePrefix: archive}
					found := inspect.Found{User: alice, Flagged: true, Flag: flagOf(t.Context(), x.engine())}
					item, planned := x.engine().GarbageCollector().Look(t.Context(), found, 0)
					if planned.Err() != nil || item == nil {
						t.Fatalf("%+v: %v", item, planned.Err())
					}
					item.Flag = found.Flag
					free := func(ctx context.Context, e *migrate.Engine) (any, error) {
						r := e.GarbageCollector().Free(ctx, *item, opts)
						return r.Outcome, r.Err()
					}
					said := x.cutOff(free, n)
					died = said.died
					if !died && said.err != nil || !x.w.Serves(alice) {
						t.Errorf("request %d: %s, %v; served %v", n, said.answer, said.err, x.w.Serves(alice))
					}
					again := x.engine().GarbageCollector().Free(t.Context(), *item, opts)
					object, err := x.w.Bucket.Head(t.Context(), x.w.Layout.Key(alice))
					if err != nil || object.Size >= item.Bytes {
						t.Errorf("request %d: %d bytes are left after %s, %v: %v", n, object.Size, again.Outcome, again.Err(), err)
					}
				})
			}
		})
	}
}
