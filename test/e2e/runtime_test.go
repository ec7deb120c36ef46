package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// switches are where writes wait before, and the other side has the authority after: requests of the commands
// at which the runtime is killed.
var switches = map[string]string{"migrate": "admin switch", "rollback": "R2 PUT"}

// TestRuntimeKilled kills the runtime with -9 at the requests of migrate and of rollback: R2, KV, the Worker
// and all Durable Objects at once, in the middle of whatever they are doing. It starts again on what it left
// on the disk while the command is still trying. The command ends with a clear account; then the same one has
// to end with 0, and the opposite one.
func TestRuntimeKilled(t *testing.T) {
	image := smallDatabase(t)
	table := runtimeTable{killTable{walks: walked, section: "runtime"}}
	t.Run("commands", func(t *testing.T) {
		var all []walk
		for _, w := range walked {
			if switches[w.name] != "" {
				all = append(all, w)
			}
		}
		for _, w := range effort.Some(t, "commands under which the runtime is killed", all, 1) {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				walkMortal(t, image, w, switches[w.name], &table)
			})
		}
	})
	table.publish(t)
}

// walkMortal walks one command on a runtime of its own.
func walkMortal(t *testing.T, image []byte, w walk, point string, table *runtimeTable) {
	mortal, err := stack.Start(t.Context(), stack.Options{ConfigPath: raceConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mortal.Stop(); err != nil {
			t.Error(err)
		}
	})
	names := undisturbed(t, newPatientOn(t, mortal, image, w.prepare), w)
	if !slices.Contains(names, point) {
		t.Fatalf("%s sends no %s, but %q", w.command, point, names)
	}
	var all []int
	for n := range names {
		all = append(all, (slices.Index(names, point)+n)%len(names))
	}
	for _, n := range effort.Some(t, "requests at which the runtime is killed", all, 1) {
		t.Run(fmt.Sprintf("%02d %s", n, names[n]), func(t *testing.T) {
			table.add(w.name, n, names[n], killRuntimeAt(t, mortal, image, w, nthOf(names, n), names[n]))
		})
	}
}

// looks are the requests that have no effect.
var looks = []string{
	"R2 GET",
	"R2 HEAD",
	"R2 lifecycle",
	"KV GET keys",
	"admin hello",
	"admin status",
	"admin digest",
}

// killRuntimeAt kills it before the request is sent, and after its effect, if it has one; the answer dies
// with the runtime.
func killRuntimeAt(
	t *testing.T,
	mortal *stack.Stack,
	image []byte,
	w walk,
	nth int,
	name string,
) (ends []string) {
	for _, way := range []string{"before", "after"} {
		if way == "after" && slices.Contains(looks, name) {
			return append(ends, "")
		}
		t.Run(way, func(t *testing.T) {
			u := newPatientOn(t, mortal, image, w.prepare)
			back := make(chan error, 1)
			kill := func() {
				if err := mortal.Kill(); err != nil {
					t.Error(err)
				}
				go func() { back <- mortal.Restart(context.Background()) }()
			}
			fault := faultproxy.Fault{Before: kill}
			if way == "after" {
				fault = faultproxy.Fault{After: kill, Cut: true}
			}
			killed := u.disturbRun(u.args(w.command), nth, name, fault)
			if err := <-back; err != nil {
				t.Fatal(err)
			}
			u.check()
			u.mustBeClear(killed)
			again := u.mustConverge(w.command, w.ends)
			u.mustConverge(w.reverse, opposite[w.ends])
			u.mustBeWell()
			ends = append(ends, u.endOf(killed)+", "+u.endOf(again))
		})
	}
	return ends
}

// mustBeClear demands that a command that did not finish says so, of the user or of the whole run, knows of
// no conflict and no difference, and says that the user is open if nobody takes writes.
func (u *patient) mustBeClear(f harness.Finished) {
	u.t.Helper()
	a, accounted := f.Accounts[u.Name]
	failed := accounted && a.Error != nil
	switch {
	case f.Exit != 0 && f.Exit != 1 && f.Exit != 2,
		f.Exit == 0 && failed,
		f.Exit == 1 && accounted && !failed,
		failed && a.Error.Kind != "unreachable":
		u.t.Fatalf("no clear account: %v", f)
	}
	states, err := u.op.States(u.Name)
	if err != nil {
		u.t.Fatal(err)
	}
	if states[u.Name].Serves == "none" && !a.Open {
		u.t.Fatalf("not said to be open, and nobody takes writes: %v", f)
	}
}

// runtimeTable has a row for each request at which the runtime was killed.
type runtimeTable struct{ killTable }

func (r *runtimeTable) markdown() string {
	var b strings.Builder
	kills := 0
	for _, row := range r.rows {
		for _, end := range row.ends {
			if end != "" {
				kills++
			}
		}
	}
	fmt.Fprintf(&b, "The runtime was killed %d times, at %d points of 2 commands.\n\n", kills, len(r.rows))
	b.WriteString(
		"| command | request | killed before it is sent | killed after its effect |\n|---|---|---|---|\n",
	)
	slices.SortFunc(r.rows, func(a, b killRow) int { return r.order(a) - r.order(b) })
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s | %d %s | %s |\n", row.walk, row.n+1, row.point, strings.Join(row.ends, " | "))
	}
	return b.String()
}

// publish writes only what every request was walked for.
func (r *runtimeTable) publish(t *testing.T) {
	docpage.Publish(t, r.section, r.markdown())
}
