package main

import (
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestMountedApart: createRouter and handleAdmin are told apart whether the router saves files. Where they
// differ nobody is moved.
func TestMountedApart(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		admin, router *bool
		refused       bool
	}{{&yes, &yes, false}, {&no, &no, false}, {&yes, &no, true}, {&no, &yes, true}, {&yes, nil, false}, {&no, nil, false}, {nil, nil, false}} {
		hello := wire.Hello{SavesFiles: c.admin, RouterSavesFiles: c.router}
		err := savesAgree(hello, "https://worker.example")
		findings := checkFileSaves(hello)
		if refused := userdb.KindOf(err) == userdb.Usage; refused != c.refused ||
			refused && (findings[0].OK || findings[0].Fix != fixSaves) {
			t.Errorf("%+v: %v; doctor says %+v", c, err, findings)
		}
	}
}

// TestRouterThatIsNotKnown: beside an old path the router must save no file, so it has to say so.
func TestRouterThatIsNotKnown(t *testing.T) {
	for _, w := range []migrate.Writers{
		migrate.WritersFenceAware, migrate.WritersConditional, migrate.WritersUnconditional,
	} {
		for _, untold := range []bool{false, true} {
			o := &writersOptions{procedure: migrate.Procedure{Writers: w}}
			err := o.refuseUntold(untold)
			if refused := userdb.KindOf(err) == userdb.Usage; refused != (untold && w == migrate.WritersUnconditional) {
				t.Errorf("%s, untold %v: %v", w, untold, err)
			}
		}
	}
}

// TestWritersAgreeWithTheWorker: what was said, or not said, of the writers, beside what the Worker says.
func TestWritersAgreeWithTheWorker(t *testing.T) {
	for _, c := range []struct {
		writers       migrate.Writers
		said, oldPath bool
		splits        bool
		want          migrate.Writers // "": refused
	}{
		{writers: migrate.WritersFenceAware, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, said: true, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, splits: true, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, oldPath: true, want: migrate.WritersUnconditional},
		{writers: migrate.WritersFenceAware, said: true, oldPath: true},
		{writers: migrate.WritersFenceAware, splits: true, oldPath: true},
		{writers: migrate.WritersConditional, said: true, want: migrate.WritersConditional},
		{writers: migrate.WritersConditional, said: true, oldPath: true, want: migrate.WritersConditional},
		{writers: migrate.WritersUnconditional, said: true},
		{writers: migrate.WritersUnconditional, said: true, oldPath: true, want: migrate.WritersUnconditional},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			o := &writersOptions{writers: string(c.writers), procedure: migrate.Procedure{Writers: c.writers}}
			err := o.agree(c.oldPath, c.said, c.splits, func(string, ...any) {})
			if c.want == "" {
				if userdb.KindOf(err) != userdb.Usage {
					t.Errorf("not refused: %v", err)
				}
				return
			}
			if err != nil || o.procedure.Writers != c.want {
				t.Errorf("%v, %v", o.procedure.Writers, err)
			}
		})
	}
}
