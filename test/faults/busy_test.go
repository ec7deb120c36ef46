package faults

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// busyClients write to each of these users at the same time, and never pause.
const busyClients = 3

// TestBusyUsers: an application that writes a file again and again, next to it, is no reason for a cutover to fail. A hundred of them: test/simulation.
func TestBusyUsers(t *testing.T) {
	t.Parallel()
	const together = 5
	users := effort.Amount(t, "busy users", 2, 100)
	for begun := 0; begun < users; begun += together {
		moveBusyTeam(t, newTeam(t, min(together, users-begun)))
	}
}

func moveBusyTeam(t *testing.T, team team) {
	t.Helper()
	done := make(chan struct{})
	var clients sync.WaitGroup
	acked := make([]atomic.Int64, len(team.users))
	for i, u := range team.users {
		for client := range busyClients {
			clients.Go(func() { neverPause(u, oldNumber*(client+1), &acked[i], done) })
		}
	}
	f, err := team.op.Run(append([]string{"migrate"}, team.names()...)...)
	close(done)
	clients.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range team.users {
		if a := f.Accounts[u.Name]; a.Outcome != "migrated" {
			t.Errorf("%s: %+v", u.Name, a)
		}
		rows, err := u.Query("read", "select count(*) from entries where n >= ?", oldNumber)
		if err != nil || int64(rows[0][0].(float64)) < acked[i].Load() { // one whose answer was lost is there, and was not acknowledged
			t.Errorf("%s reads %v, %v, and %d were acknowledged", u.Name, rows, err, acked[i].Load())
		}
	}
	t.Log(f.Line(), strings.TrimSpace(f.Stderr))
}

// neverPause sends one write after the other from number n on, each as soon as the one before is answered, and counts the acknowledged ones.
func neverPause(u *harness.User, n int, acked *atomic.Int64, done <-chan struct{}) {
	for ; ; n++ {
		select {
		case <-done:
			return
		default:
			if u.Try("insert into entries(n) values (?)", n) == nil {
				acked.Add(1)
			}
		}
	}
}
