package simulation

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

const (
	busyLives   = 100
	busyClients = 4
)

// TestBusyUsers: the clients of these users send one write after the other, through the router, and never
// pause. An operator who is as far away as they are loses every race for the version that was read; that is
// no reason for a cutover to fail.
func TestBusyUsers(t *testing.T) {
	failed, writes := 0, 0
	for _, n := range effort.Numbered(t, "busy users", busyLives, 8) {
		seed := uint64(n)
		scratch := t.TempDir()
		var l *life
		var ended result.Result
		var lost error
		synctest.Test(t, func(*testing.T) {
			l = &life{World: world.New(scratch), seed: seed, log: io.Discard, written: newWitness()}
			ended = l.moveBusy()
			lost = l.end()
		})
		if ended.Outcome != result.OutcomeMigrated {
			failed++
			t.Errorf("seed %d: %s, %v", seed, ended.Outcome, ended.Err())
		}
		if lost != nil {
			t.Errorf("seed %d: %v", seed, lost)
		}
		writes += l.figures.Acknowledged
	}
	t.Logf("%d cutovers failed; %d writes acknowledged", failed, writes)
}

// moveBusy migrates the user under the writes of all clients.
func (l *life) moveBusy() result.Result {
	if err := l.write(l.router("calm", 0, world.Trouble{}), "first"); err != nil {
		l.broken = append(l.broken, err.Error())
	}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for client := range busyClients {
		router := l.router("client", client, world.Trouble{})
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					_ = l.write(router, fmt.Sprintf("%d-%d", client, i)) // the witness takes the account
				}
			}
		})
	}
	result := l.command("busy", true, world.NewLine(l.dice("line", 0), world.Trouble{}, &l.late))
	close(done)
	clients.Wait()
	return result
}
