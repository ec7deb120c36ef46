package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The shares are fixed for ever: a wave of today has to be inside the wave of tomorrow, whatever version runs it.
func TestShareIsFixed(t *testing.T) {
	for user, want := range map[userdb.UserID]string{"alice": "8.5487", "bob": "15.0076", "user-00001": "16.3031"} {
		if got := fmt.Sprintf("%.4f", share(user)); got != want {
			t.Errorf("share(%s) = %s, want %s", user, got, want)
		}
	}
}

func TestSharesAreEven(t *testing.T) {
	const users = 10_000
	counts := make([]int, 10)
	for i := range users {
		counts[int(share(userdb.UserID(fmt.Sprint("user-", i)))/10)]++
	}
	for tenth, n := range counts {
		if n < 900 || n > 1100 {
			t.Errorf("%d of %d users are in tenth %d", n, users, tenth)
		}
	}
}

func TestSelectionTakes(t *testing.T) {
	alice := migrate.Found{User: "alice", Bytes: units.MB, Place: migrate.PlaceR2} // share 8.5
	for name, test := range map[string]struct {
		selection selection
		found     migrate.Found
		want      bool
	}{
		"everyone":                  {selection{percent: 100}, alice, true},
		"at the size":               {selection{percent: 100, over: sizeValue{bytes: units.MB}}, alice, true},
		"under the size":            {selection{percent: 100, over: sizeValue{bytes: units.MB + 1}}, alice, false},
		"in the share":              {selection{percent: 9}, alice, true},
		"outside the share":         {selection{percent: 8}, alice, false},
		"no share":                  {selection{percent: 0}, alice, false},
		"with the prefix":           {selection{percent: 100, prefix: "al"}, alice, true},
		"another prefix":            {selection{percent: 100, prefix: "b"}, alice, false},
		"all of it":                 {selection{percent: 9, prefix: "al", over: sizeValue{bytes: 1}}, alice, true},
		"named, without a file":     {selection{percent: 100, over: sizeValue{bytes: 1}}, migrate.Found{User: "alice", Place: migrate.PlaceMissing}, true},
		"in the shard":              {selection{percent: 100, shard: shardOf(t, "alice", 16)}, alice, true},
		"in another shard":          {selection{percent: 100, shard: shardOf(t, "bob", 16)}, alice, false},
		"excluded":                  {selection{percent: 100, excluded: map[userdb.UserID]bool{"alice": true}}, alice, false},
		"somebody else is excluded": {selection{percent: 100, excluded: map[userdb.UserID]bool{"bob": true}}, alice, true},
		"flagged only, by its size": {selection{percent: 100, over: sizeValue{bytes: 1}, wide: true}, migrate.Found{User: "alice", Place: migrate.PlaceMissing}, false},
	} {
		if got := test.selection.takes(test.found); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSelectionReads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.txt")
	if err := os.WriteFile(file, []byte("# first wave\r\n bob \r\nalice # twice\nalice\n\ncarol"), 0o600); err != nil {
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
		s := selection{percent: 100, all: test.wide, usersFile: test.file}
		if err := s.read(test.args, strings.NewReader("dave\nbob\n")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := fmt.Sprint(s.named); got != test.want || s.wide != test.wide {
			t.Errorf("%s: %s, wide %t; want %s, %t", name, got, s.wide, test.want, test.wide)
		}
	}
}

func TestNotOnlyInR2(t *testing.T) {
	found := []migrate.Found{
		{User: "in-r2", Place: migrate.PlaceR2}, {User: "moved", Place: migrate.PlaceStore, Flagged: true}, {User: "fenced", Place: migrate.PlaceStore},
		{User: "flagged", Place: migrate.PlaceR2, Flagged: true}, {User: "missing", Place: migrate.PlaceMissing, Flagged: true},
	}
	var got []userdb.UserID
	for _, f := range notOnlyInR2(found) {
		got = append(got, f.User)
	}
	if want := []userdb.UserID{"moved", "fenced", "flagged", "missing"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct {
		found migrate.Found
		want  string
	}{
		"small":         {migrate.Found{Bytes: 511_999, Place: migrate.PlaceR2}, adviceNone},
		"512 KB":        {migrate.Found{Bytes: 512_000, Place: migrate.PlaceR2}, adviceNote},
		"under 1 MB":    {migrate.Found{Bytes: 999_999, Place: migrate.PlaceR2}, adviceNote},
		"1 MB":          {migrate.Found{Bytes: 1_000_000, Place: migrate.PlaceR2}, adviceMigrate},
		"migrated":      {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore, Flagged: true}, adviceMigrated},
		"fence only":    {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore}, adviceCheck},
		"flag only":     {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceR2, Flagged: true}, adviceCheck},
		"flag, no file": {migrate.Found{Place: migrate.PlaceMissing, Flagged: true}, adviceCheck},
	} {
		if got := advise(test.found, recommendFrom).Advice; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
