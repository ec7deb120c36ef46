package rollback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// asked counts who is asked for a status, and fails for some of them.
type asked struct {
	migrate.Stores
	fails map[userdb.UserID]bool
	users []userdb.UserID
}

func (s *asked) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	s.users = append(s.users, u)
	if s.fails[u] {
		return wire.Status{}, &userdb.Error{Op: "status", Thing: string(u), Kind: userdb.Throttled,
			Err: errors.New("answer 429")}
	}
	return s.Stores.Status(ctx, u)
}

// putMarked puts a file that carries a claim; 0 is none.
func putMarked(t *testing.T, w *world.World, u userdb.UserID, claim userdb.Claim) {
	t.Helper()
	content := make([]byte, 512)
	copy(content, "SQLite format 3\x00")
	content[16], content[18], content[19] = 2, 1, 1
	if claim > 0 {
		var err error
		content, err = userdb.WithFence(content, userdb.Lineage(claim), userdb.Nonce(claim), make([]byte, userdb.MarkRandomBytes))
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Bucket.Put(
		t.Context(), w.Layout.Key(u), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{},
	); err != nil {
		t.Fatal(err)
	}
}

// What nobody was shown is not ended: a user who cannot be asked stops everybody, and a mark that came since
// is left.
func TestOnlyForeignMarksThatWereShownAreEnded(t *testing.T) {
	w := world.New(t.TempDir())
	users := []inspect.Found{{User: "alice"}, {User: "bob"}, {User: "carol"}}
	putMarked(t, w, "alice", 5)
	putMarked(t, w, "bob", 6)
	putMarked(t, w, "carol", 0)
	stores := &asked{Stores: w.Objects}
	c := &connect.Chosen{Connection: &connect.Connection{Engine: w.Engine("run", w.Bucket, stores, nil)}, Set: &selection.Set{}, Users: users}
	var stderr strings.Builder
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	confirm := func(words string) (Foreign, error) {
		warn := func(format string, args ...any) { fmt.Fprintf(&stderr, format+"\n", args...) }
		return ConfirmForeign(t.Context(), c, words, prompt.Prompt{In: null, Err: null}, warn)
	}
	c.Misplaced = errors.New("another jurisdiction")
	if _, err := confirm(""); !errors.Is(err, c.Misplaced) {
		t.Errorf("objects of another jurisdiction: %v", err)
	}
	c.Misplaced = nil
	for _, fails := range [][]userdb.UserID{{"alice"}, {"bob"}, {"alice", "bob"}} {
		stores.fails = map[userdb.UserID]bool{}
		for _, u := range fails {
			stores.fails[u] = true
		}
		_, err := confirm("")
		if userdb.KindOf(err) != userdb.Throttled || !strings.Contains(err.Error(), string(fails[0])) {
			t.Errorf("%q cannot be asked: %v", fails, err)
		}
	}
	stores.fails, stores.users = nil, nil
	_, err = confirm("")
	if userdb.KindOf(err) != userdb.Usage || slices.Contains(stores.users, "carol") {
		t.Errorf("%v; asked %q", err, stores.users)
	}
	marks := []inspect.ForeignMark{{User: "alice", Shown: 5}, {User: "bob", Shown: 6}}
	shown, err := confirm(foreignWords(marks))
	if err != nil {
		t.Fatal(err)
	}
	putMarked(t, w, "bob", 7)
	putMarked(t, w, "carol", 8)
	want := map[userdb.UserID]result.Outcome{
		"alice": result.OutcomeLifted, "bob": result.OutcomeFailed, "carol": result.OutcomeNothing,
	}
	for u, outcome := range want {
		if r := shown.End(t.Context(), c, u); r.Outcome != outcome {
			t.Errorf("%s: %s, not %s: %v", u, r.Outcome, outcome, r.Err())
		}
	}
}

// Words that were printed for some users confirm no other ones.
func TestWordsNameTheUsers(t *testing.T) {
	words := map[string]string{}
	add := func(what, text string) {
		if before, twice := words[text]; twice {
			t.Errorf("%s and %s: %s", before, what, text)
		}
		words[text] = what
	}
	for _, users := range [][]userdb.UserID{{"a"}, {"b"}, {"a", "b"}, {"a", "c"}, {"a", "b", "c"}} {
		var found []inspect.Found
		var marks, later []inspect.ForeignMark
		for _, u := range users {
			found = append(found, inspect.Found{User: u})
			marks = append(marks, inspect.ForeignMark{User: u, Shown: 5, Known: 1})
			later = append(later, inspect.ForeignMark{User: u, Shown: 6, Known: 1})
		}
		add("discard", discardWords(found))
		add("end", foreignWords(marks))
		if len(users) > 1 {
			add("end later", foreignWords(later))
		}
		slices.Reverse(found)
		if words[discardWords(found)] != "discard" {
			t.Errorf("the order of %q counts", users)
		}
	}
}

// Somebody who ends the mark of a hot half has to know before the confirmation.
func TestHotHalvesAreShown(t *testing.T) {
	var stderr strings.Builder
	marks := []inspect.ForeignMark{{User: "alice", Shown: 5}, {User: "bob", Shown: 7, HotOf: 6}}
	sayForeign(marks, func(format string, args ...any) { fmt.Fprintf(&stderr, format, args...) })
	text := stderr.String()
	if strings.Count(text, "ONLY THE HOT ROWS") != 1 || !strings.Contains(text, "under claim 6") ||
		!strings.Contains(text, "with hot rows only: 1") {
		t.Error(text)
	}
}
