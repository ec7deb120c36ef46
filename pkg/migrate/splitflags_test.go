package migrate

import (
	"context"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestPlaceOfSplitUsers: neither a lagging flag nor dropped metadata makes a split user look like one with a
// whole file.
func TestPlaceOfSplitUsers(t *testing.T) {
	for name, c := range map[string]struct {
		meta    map[string]string
		flagged bool
		want    inspect.Place
	}{
		"whole":             {want: inspect.PlaceFile},
		"metadata only":     {meta: userdb.Mark{HotOf: 3}.Metadata(nil), want: inspect.PlaceSplit},
		"flag only":         {flagged: true, want: inspect.PlaceSplit},
		"fenced, with both": {meta: userdb.Mark{Kind: userdb.FenceMark, Lin: 3, Non: 4}.Metadata(nil), flagged: true, want: inspect.PlaceObject},
	} {
		whole, split := newMemory(), newMemory()
		e := whole.engine(t)
		e.SplitFlags = memoryFlags{nil, split}
		key := e.Layout.Key("alice")
		whole.objects[key] = userdb.Object{Key: key, Size: 1, Metadata: c.meta}
		if c.flagged {
			split.flagged["alice"] = userdb.FlagMeta{}
		}
		found, err := e.Inspect().Scan(context.Background(), inspect.ScanOptions{Users: []userdb.UserID{"alice"}})
		if err != nil || len(found) != 1 || found[0].Place != c.want {
			t.Errorf("%s: %+v %v", name, found, err)
		}
	}
}

// TestJudgeSplit: the server that status names for a split user.
func TestJudgeSplit(t *testing.T) {
	const lin, gen = 2, 3
	fenced := userfile.Version{
		Mark: userdb.Mark{Kind: userdb.FenceMark, Lin: lin, Non: lin, Split: true},
		What: userdb.SQLiteFile,
	}
	plain := userfile.Version{What: userdb.SQLiteFile}
	stamped := func(by userdb.Claim) userfile.Version {
		return userfile.Version{
			Mark: userdb.Mark{Kind: userdb.StampMark, Stamp: by.Stamp()},
			What: userdb.SQLiteFile,
		}
	}
	for _, c := range []struct {
		phase          userdb.Phase
		file           userfile.Version
		serves         userfile.Side
		needsSomething bool
	}{
		{userdb.Splitting, plain, userfile.SideFile, true},
		{userdb.Splitting, fenced, userfile.SideNone, true},
		{userdb.SplitReady, fenced, userfile.SideNone, true},
		{userdb.SplitReady, stamped(lin), userfile.SideSplit, true},
		{userdb.SplitReady, plain, userfile.SideSplit, true},
		{userdb.Cold, plain, userfile.SideSplit, false},
		{userdb.Cold, fenced, userfile.SideNone, true},
		{userdb.ColdSealed, plain, userfile.SideSplit, true},
		{userdb.Merging, fenced, userfile.SideNone, true},
		{userdb.Merging, stamped(gen), userfile.SideFile, true},
		{userdb.Merging, plain, userfile.SideSplit, true},
		{userdb.Cold, userfile.Version{Absent: true}, userfile.SideNone, true},
	} {
		serves, problem, next := userfile.Serves(wire.Status{Phase: c.phase, Lin: lin, Gen: gen}, c.file)
		if serves != c.serves || (problem != "") != c.needsSomething || (next != "") != c.needsSomething {
			t.Errorf("%s over a file that is %s: %s, %q, %q", c.phase, c.file.Word(), serves, problem, next)
		}
	}
}

// TestFenceOfASplitIsNotLiftedAlone: the place of a split user's rows is concluded from the fence, so the way
// without the Durable Object is closed.
func TestFenceOfASplitIsNotLiftedAlone(t *testing.T) {
	m := newMemory()
	e := m.engine(t)
	head := make([]byte, 100)
	copy(head, "SQLite format 3\x00")
	head[18], head[19] = 1, 1
	fenced, err := userdb.WithSplitFence(head, 2, 3, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	key := e.Layout.Key("alice")
	m.content[key], m.objects[key] = fenced, userdb.Object{Key: key, Size: 100, ETag: "1"}
	r := &retreat{Engine: e, user: "alice", result: &result.Result{User: "alice"}}
	if err := r.liftWithoutStore(context.Background()); userdb.KindOf(err) != userdb.Conflict ||
		m.calls["R2 put"] > 0 {
		t.Errorf("%v, calls %v", err, m.calls)
	}
}
