package migrate

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// ledTo are the phases to which the model's claim leads, but for those in which an import begins.
func ledTo(t *testing.T, claim string) []userdb.Phase {
	led := map[userdb.Phase]bool{}
	for _, messages := range model(t) {
		if to := userdb.Phase(messages[claim]); to != refused && to != userdb.Importing && to != userdb.Splitting {
			led[to] = true
		}
	}
	if len(led) == 0 {
		t.Fatalf("the model has no %s", claim)
	}
	return slices.Sorted(maps.Keys(led))
}

// besideAnObject is every kind of file that a look beside an object of lineage 5 and claim 7 may show.
func besideAnObject() map[string]userfile.Version {
	sqlite := func(m userdb.Mark, meta map[string]string) userfile.Version {
		return userfile.Version{
			Mark:   m,
			What:   userdb.SQLiteFile,
			Locked: m.Kind == userdb.FenceMark,
			Object: userdb.Object{Metadata: meta},
		}
	}
	fence := func(lin userdb.Lineage) userdb.Mark {
		return userdb.Mark{Kind: userdb.FenceMark, Lin: lin, Non: lin.Claim().Nonce()}
	}
	stamp := userdb.Mark{Kind: userdb.StampMark, Stamp: 6}
	hot := userdb.Mark{Kind: userdb.StampMark, Stamp: 5, HotOf: 5}
	return map[string]userfile.Version{
		"absent":         {Absent: true},
		"plain":          sqlite(userdb.Mark{}, nil),
		"fenced":         sqlite(fence(5), nil),
		"fenced by 3":    sqlite(fence(3), nil),
		"a tombstone":    {Mark: fence(5), What: userdb.TombstoneFile},
		"exported":       sqlite(stamp, stamp.Metadata(nil)),
		"hot":            sqlite(hot, hot.Metadata(nil)),
		"altered export": sqlite(stamp, map[string]string{"dbmigrate-content": "of others"}),
		"altered hot":    sqlite(hot, hot.Metadata(map[string]string{"dbmigrate-content": "of others"})),
		"no database":    {What: userdb.UnknownFile},
	}
}

func has[C any](steps map[userfile.Situation]step[C]) func(userfile.Situation) bool {
	return func(s userfile.Situation) bool { return steps[s] != nil }
}

// An intent has a step for whatever its claim leads to, beside whatever file. It has no step that nothing
// leads to.
func TestIntentsHaveAStepForEachSituation(t *testing.T) {
	for _, intent := range []struct {
		name   string
		phases []userdb.Phase
		takes  func(userfile.Situation) bool
		steps  int
	}{
		{"moving", ledTo(t, "claim-migrate"), has(moving.steps), len(moving.steps)},
		{"reopening", []userdb.Phase{userdb.Sealed}, has(reopening.steps), len(reopening.steps)},
		{"splitting", ledTo(t, "claim-split"), has(splitting.steps), len(splitting.steps)},
		{"rejoining", []userdb.Phase{userdb.ColdSealed, userdb.Merging}, has(rejoining.steps), len(rejoining.steps)},
		{"returning", ledTo(t, "claim-rollback"), has(returning.steps), len(returning.steps)},
		{"restoring", []userdb.Phase{userdb.Empty, userdb.Sealed}, has(restoring.steps), len(restoring.steps)},
		{"freeing", []userdb.Phase{userdb.Cold}, has(freeing.steps), len(freeing.steps)},
	} {
		led := map[userfile.Situation]bool{}
		for _, phase := range intent.phases {
			for name, file := range besideAnObject() {
				at := userfile.Classify(file, wire.Status{Phase: phase, Lin: 5, Gen: 7})
				led[at] = true
				if !intent.takes(at) {
					t.Errorf("%s has no step for an object that is %s beside a file that is %s", intent.name, phase, name)
				}
			}
		}
		if len(led) != intent.steps {
			t.Errorf("%s has %d steps, and its claim leads to %d situations", intent.name, intent.steps, len(led))
		}
	}
}

// A deletion may begin after the claim. What the command says then is how it ends.
func TestNoStepForOneWhoIsDeleted(t *testing.T) {
	err := noStep("resume", "alice", userfile.BeingDeleted, wire.Status{Phase: userdb.Active})
	if userdb.KindOf(err) != userdb.Superseded || !strings.Contains(err.Error(), "dbmigrate forget") {
		t.Errorf("%v", err)
	}
}
