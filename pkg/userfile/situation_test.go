package userfile

import (
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Every phase beside every kind of file is one situation, and each situation occurs. A user who is not simply
// served is told what to do.
func TestEveryPhaseAndFileIsASituation(t *testing.T) {
	const lin, gen = 5, 7
	sqlite := func(m userdb.Mark, meta map[string]string) Version {
		return Version{
			Mark:   m,
			What:   userdb.SQLiteFile,
			Locked: m.Kind == userdb.FenceMark,
			Object: userdb.Object{Metadata: meta},
		}
	}
	fence := func(l userdb.Lineage, n userdb.Nonce) userdb.Mark {
		return userdb.Mark{Kind: userdb.FenceMark, Lin: l, Non: n}
	}
	stamp := func(s userdb.Stamp) userdb.Mark { return userdb.Mark{Kind: userdb.StampMark, Stamp: s} }
	files := map[string]Version{
		"absent": {
			Absent: true,
		}, "plain": sqlite(userdb.Mark{}, nil), "fenced": sqlite(fence(lin, 6), nil), "fenced by an older lineage": sqlite(fence(3, 3), nil),
		"stamped by the newest": sqlite(
			stamp(gen),
			nil,
		), "stamped by the lineage": sqlite(stamp(lin), nil), "stamped long ago": sqlite(stamp(2), nil),
		"hot": sqlite(
			stamp(lin),
			userdb.Mark{HotOf: lin}.Metadata(nil),
		), "altered": sqlite(
			stamp(gen),
			map[string]string{"dbmigrate-content": "of others"},
		), "of a later claim": sqlite(stamp(gen+1), nil),
		"tombstone": {
			Mark: fence(lin, lin),
			What: userdb.TombstoneFile,
		}, "of a deletion": {
			Mark:     fence(gen, gen),
			What:     userdb.TombstoneFile,
			Deletion: "d",
		}, "no database": {What: userdb.UnknownFile},
	}
	phases := []userdb.Phase{
		userdb.Empty,
		userdb.Importing,
		userdb.Ready,
		userdb.Active,
		userdb.Sealed,
		userdb.Splitting,
		userdb.SplitReady,
		userdb.Cold,
		userdb.ColdSealed,
		userdb.Merging,
	}
	seen := map[Situation]bool{}
	for name, file := range files {
		for _, phase := range phases {
			st := wire.Status{Phase: phase, Lin: lin, Gen: gen}
			born := st
			born.Birth = phase == userdb.Importing || phase == userdb.Ready
			seen[Classify(file, born)] = true
			s := Classify(file, st)
			seen[s] = true
			m := s.Meaning()
			if m.Serves == "" || (m.Problem == "") != (m.Next == "") {
				t.Errorf("%s beside a file that is %s: %+v", phase, name, m)
			}
			for _, command := range ownCommand.FindAllString(m.Next, -1) {
				if !strings.HasSuffix(command, " USER") {
					t.Errorf("%s beside a file that is %s: %q names no user", phase, name, command)
				}
			}
			if quiet := s == AtFile || s == Migrated || s == Split; quiet != (m.Problem == "") {
				t.Errorf(
					"%s beside a file that is %s: situation %d with problem %q",
					phase,
					name,
					s,
					m.Problem,
				)
			}
			if holds := m.Serves == SideObject; holds != (phase == userdb.Active && file.Shown() <= gen) {
				t.Errorf("%s beside a file that is %s: served by %s", phase, name, m.Serves)
			}
		}
	}
	for s := range situations {
		if !seen[s] {
			t.Errorf("situation %d never occurs", s)
		}
	}
}

// ownCommand is a command of ours with its flags and what follows them.
var ownCommand = regexp.MustCompile(`dbmigrate [a-z]+( --[a-z-]+( split| FILE)?)*( [A-Za-z]+)?`)

// TestNextCanBeCopied: the command that ends a problem can be run as it stands, whatever the user is called.
func TestNextCanBeCopied(t *testing.T) {
	for user, want := range map[userdb.UserID]string{
		"alice": "dbmigrate migrate alice, or dbmigrate rollback alice",
		"a b":   `dbmigrate migrate "a b", or dbmigrate rollback "a b"`,
		"-x":    "dbmigrate migrate -- -x, or dbmigrate rollback -- -x",
		"USER":  "dbmigrate migrate USER, or dbmigrate rollback USER",
	} {
		if got := For(user, MigrationFenced.Meaning().Next); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
