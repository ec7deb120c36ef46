package selection

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The shares are fixed for ever: a wave of today has to be inside the wave of tomorrow, whatever version runs
// it.
func TestShareIsFixed(t *testing.T) {
	for user, want := range map[userdb.UserID]string{"alice": "8.5487", "bob": "15.0076", "user-00001": "16.3031"} {
		if got := fmt.Sprintf("%.4f", Share(user)); got != want {
			t.Errorf("Share(%s) = %s, want %s", user, got, want)
		}
	}
}

func TestSharesAreEven(t *testing.T) {
	const users = 10_000
	counts := make([]int, 10)
	for i := range users {
		counts[int(Share(userdb.UserID(fmt.Sprint("user-", i)))/10)]++
	}
	for tenth, n := range counts {
		if n < 900 || n > 1100 {
			t.Errorf("%d of %d users are in tenth %d", n, users, tenth)
		}
	}
}

// TestNobodyOfASize: a command that looks at large files only says so where there is none.
func TestNobodyOfASize(t *testing.T) {
	large := Set{options: Options{Over: units.SizeFlag{Bytes: units.MB}}}
	if err := large.RefuseNobody(0); err == nil || !strings.Contains(err.Error(), "at least 1MB; --over 0") {
		t.Errorf("of a size: %v", err)
	}
	if err := (&Set{}).RefuseNobody(0); err == nil || strings.Contains(err.Error(), "--over") {
		t.Errorf("of any size: %v", err)
	}
}

func TestSelectionTakes(t *testing.T) {
	alice := inspect.Found{User: "alice", Bytes: units.MB, Place: inspect.PlaceFile} // share 8.5
	for name, test := range map[string]struct {
		set   Set
		found inspect.Found
		want  bool
	}{
		"everyone":                  {Set{}, alice, true},
		"at the size":               {Set{options: Options{Over: units.SizeFlag{Bytes: units.MB}}}, alice, true},
		"under the size":            {Set{options: Options{Over: units.SizeFlag{Bytes: units.MB + 1}}}, alice, false},
		"in the share":              {Set{options: Options{Percent: Percent{Of: 9, Given: true}}}, alice, true},
		"outside the share":         {Set{options: Options{Percent: Percent{Of: 8, Given: true}}}, alice, false},
		"no share":                  {Set{options: Options{Percent: Percent{Of: 0, Given: true}}}, alice, false},
		"with the prefix":           {Set{options: Options{Prefix: "al"}}, alice, true},
		"another prefix":            {Set{options: Options{Prefix: "b"}}, alice, false},
		"all of it":                 {Set{options: Options{Percent: Percent{Of: 9, Given: true}, Prefix: "al", Over: units.SizeFlag{Bytes: 1}}}, alice, true},
		"named, without a file":     {Set{options: Options{Over: units.SizeFlag{Bytes: 1}}}, inspect.Found{User: "alice", Place: inspect.PlaceMissing}, true},
		"in the shard":              {Set{shard: shardOf(t, "alice", 16)}, alice, true},
		"in another shard":          {Set{shard: shardOf(t, "bob", 16)}, alice, false},
		"excluded":                  {Set{excluded: map[userdb.UserID]bool{"alice": true}}, alice, false},
		"somebody else is excluded": {Set{excluded: map[userdb.UserID]bool{"bob": true}}, alice, true},
		"flagged only, by its size": {Set{options: Options{Over: units.SizeFlag{Bytes: 1}}, Wide: true}, inspect.Found{User: "alice", Place: inspect.PlaceMissing}, false},
	} {
		if got := test.set.takes(test.found); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSelectionReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.txt")
	if err := os.WriteFile(file, []byte("# first wave\r\nbob\r\nalice # twice\nalice\n\ncarol"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		file string
		want string
		wide bool
	}{
		"arguments, each once":   {args: []string{"bob", "alice", "bob"}, want: "[bob alice]"},
		"file":                   {file: file, want: "[bob alice carol]"},
		"standard input":         {file: "-", want: "[dave bob]"},
		"both":                   {args: []string{"carol", "dave", "bob"}, file: file, want: "[bob carol]"},
		"both, nobody in common": {args: []string{"zoe"}, file: file, want: "[]"},
		"all":                    {want: "[]", wide: true},
	} {
		s, err := Options{
			All:       test.wide,
			UsersFile: test.file,
		}.Parse(
			test.args,
			strings.NewReader("dave\nbob\n"),
		)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := fmt.Sprint(s.Named); got != test.want || s.Wide != test.wide {
			t.Errorf("%s: %s, wide %t; want %s, %t", name, got, s.Wide, test.want, test.wide)
		}
	}
}

func TestLeftItsFile(t *testing.T) {
	found := []inspect.Found{
		{
			User:  "in-r2",
			Place: inspect.PlaceFile,
		}, {User: "moved", Place: inspect.PlaceObject, Flagged: true}, {User: "fenced", Place: inspect.PlaceObject},
		{
			User:    "flagged",
			Place:   inspect.PlaceFile,
			Flagged: true,
		}, {User: "missing", Place: inspect.PlaceMissing, Flagged: true},
	}
	var got []userdb.UserID
	for _, f := range Kept(found, LeftItsFile) {
		got = append(got, f.User)
	}
	if want := []userdb.UserID{"moved", "fenced", "flagged", "missing"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// scanner is a bucket in which all users are found; it remembers how it was asked.
type scanner struct {
	found  []inspect.Found
	asked  string
	opts   inspect.ScanOptions
	unread error
}

func (s *scanner) Scan(_ context.Context, opts inspect.ScanOptions) ([]inspect.Found, error) {
	s.asked, s.opts = "scan", opts
	return s.answer(opts)
}

func (s *scanner) answer(opts inspect.ScanOptions) ([]inspect.Found, error) {
	if s.unread != nil && opts.WithoutFlags == nil {
		return nil, s.unread
	}
	if s.unread != nil {
		opts.WithoutFlags(s.unread)
	}
	return s.found, nil
}

func (s *scanner) LookUp(_ context.Context, users []userdb.UserID) ([]inspect.Found, error) {
	s.asked, s.opts = "look up", inspect.ScanOptions{Users: users}
	return Kept(s.found, func(f inspect.Found) bool { return slices.Contains(users, f.User) }), nil
}

func (s *scanner) Moved(_ context.Context, opts inspect.ScanOptions, _ time.Time) ([]inspect.Found, error) {
	s.asked, s.opts = "moved", opts
	return s.answer(opts)
}

func (s *scanner) Recorded(
	context.Context,
	userdb.UserID,
	userdb.Claim,
	userdb.FlagMeta,
) (inspect.Found, bool, error) {
	return inspect.Found{}, false, errors.New("nobody is recorded")
}

// TestResolve: who is asked for, and how, by each way of choosing.
func TestResolve(t *testing.T) {
	at := time.Now().Add(-time.Minute).UnixMilli()
	fleet := []inspect.Found{
		{
			User:    "alice",
			Bytes:   10,
			Place:   inspect.PlaceObject,
			Flagged: true,
			Flag:    userdb.FlagMeta{Run: "r1", At: at},
		},
		{User: "bob", Bytes: 20, Place: inspect.PlaceFile},
		{
			User:    "carol",
			Bytes:   30,
			Place:   inspect.PlaceObject,
			Flagged: true,
			Flag:    userdb.FlagMeta{Run: "r2", At: at},
		},
	}
	var since units.AgeFlag
	if err := since.Set("1h"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options     Options
		args        []string
		unread      bool
		asked, want string
	}{
		"named":                    {Options{}, []string{"bob", "alice"}, false, "look up", "[alice bob]"},
		"named, with flags":        {Options{Flags: true}, []string{"alice", "bob", "carol"}, false, "scan", "[alice bob carol]"},
		"named, nobody left":       {Options{Flags: true, OrAll: true, Prefix: "z"}, []string{"bob"}, false, "", "[]"},
		"all":                      {Options{All: true}, nil, false, "scan", "[alice bob carol]"},
		"everybody unless named":   {Options{OrAll: true, Exclude: []string{"bob"}}, nil, false, "scan", "[alice carol]"},
		"who left R2":              {Options{All: true, OfAll: LeftItsFile}, nil, false, "scan", "[alice carol]"},
		"who left R2, named":       {Options{OfAll: LeftItsFile}, []string{"bob"}, false, "look up", "[bob]"},
		"over":                     {Options{Over: units.SizeFlag{Bytes: 20, Given: true}}, nil, false, "scan", "[bob carol]"},
		"to a share":               {Options{ToPercent: Percent{Of: 9, Given: true}}, nil, false, "scan", "[bob carol]"},
		"of a run":                 {Options{Run: "r2"}, nil, false, "moved", "[carol]"},
		"since":                    {Options{Since: since}, nil, false, "moved", "[alice carol]"},
		"since, named":             {Options{Since: since}, []string{"alice"}, false, "moved", "[alice]"},
		"without flags":            {Options{All: true, WithoutFlags: true}, nil, true, "scan", "[alice bob carol]"},
		"of a run, without flags":  {Options{Run: "r1", WithoutFlags: true}, nil, true, "moved", "[alice]"},
		"flags are needed":         {Options{All: true}, nil, true, "scan", "KV is down"},
		"of a run, flags are, too": {Options{Run: "r1"}, nil, true, "moved", "KV is down"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := test.options.Parse(test.args, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := &scanner{found: fleet}
			if test.unread {
				e.unread = errors.New("KV is down")
			}
			found, err := set.Resolve(t.Context(), e)
			ids := []userdb.UserID{}
			for _, f := range found {
				ids = append(ids, f.User)
			}
			got := fmt.Sprint(ids)
			if err != nil {
				got = err.Error()
			}
			if got != test.want || e.asked != test.asked || set.FlagsUnread != (test.unread && err == nil) {
				t.Errorf("asked %q, %s, flags unread %t", e.asked, got, set.FlagsUnread)
			}
		})
	}
}
