package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// Config says how long troubles are drawn, and by how many operators at once. No two operators share a user.
type Config struct {
	Length    time.Duration
	Operators int
	Log       io.Writer // is told about progress
}

// stops are the kinds of error with which a command may stop in some trouble. A conflict or a difference
// would say that data is in danger.
var stops = []string{"unauthorized", "protocol-error", "edge-blocked", "unreachable", "throttled"}

// trip are the commands that one pair of users goes through, and who serves after each. Gone through twice,
// it also migrates again.
var trip = []struct{ command, serves string }{
	{
		"migrate",
		"object",
	}, {"verify", "object"}, {"rollback", "file"}, {"migrate", "object"}, {"gc", "object"}, {"verify", "object"}, {"rollback", "file"},
}

// long is one run.
type long struct {
	Config
	cloud  *stack.Stack
	binary string
	image  []byte
	users  atomic.Int64
	table  table
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	findings []error
}

// mostFindings are enough to stop for.
const mostFindings = 20

var (
	errOver     = errors.New("the time is over")
	errFindings = errors.New("too many commands failed")
)

// Run draws a trouble for each command, until the time is over (and there was one) or ctx ends: then trouble
// ends, too, and every command is allowed to finish. An error names the commands that lost something, left a
// user without service unsaid, or could not be finished by running them again.
func Run(ctx context.Context, cloud *stack.Stack, binary string, config Config) (Report, error) {
	began := time.Now()
	l := &long{Config: config, cloud: cloud, binary: binary}
	var err error
	if l.image, err = harness.Image(imageSchema); err != nil {
		return Report{}, err
	}
	home, err := os.MkdirTemp("", "dbmigrate-faults-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(home)
	ctx, l.cancel = context.WithCancelCause(ctx)
	defer l.cancel(nil)
	var all sync.WaitGroup
	all.Go(func() { l.endAfter(ctx, config.Length) })
	for n := range config.Operators {
		all.Go(func() { l.found(l.operate(ctx, filepath.Join(home, fmt.Sprint(n)))) })
	}
	all.Go(func() { l.say(ctx, began) })
	all.Wait()
	err = errors.Join(l.findings...)
	if err == nil && !errors.Is(context.Cause(ctx), errOver) {
		err = context.Cause(ctx)
	}
	return l.table.report(time.Since(began)), err
}

// endAfter ends trouble when the time is over, but not before a command was in trouble: on a busy machine the
// first one takes longer than a short run.
func (l *long) endAfter(ctx context.Context, length time.Duration) {
	for wait := length; ; wait = time.Second {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			if l.table.report(0).Cases > 0 {
				l.cancel(errOver)
				return
			}
		}
	}
}

// found keeps a broken promise. The run goes on with other users, for a whole account, until there are too
// many.
func (l *long) found(err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(l.Log, "network: FAILED: %v\n", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.findings = append(l.findings, err); len(l.findings) >= mostFindings {
		l.cancel(errFindings)
	}
}

func (l *long) say(ctx context.Context, began time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(30 * time.Second):
			fmt.Fprintf(
				l.Log,
				"network: %s: %d cases\n",
				time.Since(began).Round(time.Second),
				l.table.report(0).Cases,
			)
		}
	}
}

// operate takes pairs of users on trips, one pair after the other.
func (l *long) operate(ctx context.Context, home string) error {
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	op, err := harness.NewOperator(l.cloud, l.binary, home)
	if err != nil {
		return err
	}
	defer op.Close()
	for ctx.Err() == nil {
		t := team{op: op}
		for range 2 {
			u, err := harness.NewUser(l.cloud, fmt.Sprintf("network-%d", l.users.Add(1)), l.image)
			if err != nil {
				return err
			}
			t.users = append(t.users, u)
		}
		l.found(l.travel(ctx, t))
	}
	return nil
}

func (l *long) travel(ctx context.Context, t team) error {
	for _, stop := range trip {
		if ctx.Err() != nil {
			return nil
		}
		service, tr := l.draw(t)
		var hits atomic.Int64
		f, err := t.suffers(stop.command, stop.serves, untilDone(ctx, tr.rule(&hits)), stops)
		if err != nil {
			l.table.add(tr.name, service, stop.command, Ends{Failed: 1})
			return fmt.Errorf(
				"%s, %s at %s, from request %d on, %d times: %w",
				stop.command,
				tr.name,
				tr.where,
				tr.from,
				tr.times,
				err,
			)
		}
		if hits.Load() > 0 {
			l.table.add(tr.name, service, stop.command, endOf(f))
		}
	}
	return nil
}

// draw chooses a trouble: any kind, any service, passing or lasting, from some request on.
func (l *long) draw(t team) (service string, tr trouble) {
	service = []string{bucket, flags, worker}[rand.IntN(3)]
	tr = trouble{where: service, from: rand.IntN(3), times: []int{1, 2, forever}[rand.IntN(3)]}
	if service == flags && rand.IntN(len(kinds)) == 0 {
		tr.name, tr.where, tr.from, tr.fault = "unsuccessful_keys", flags+" P", 0, unsuccessful(
			t.names()[rand.IntN(2)],
		)
		return service, tr
	}
	kind := kinds[rand.IntN(len(kinds))]
	tr.name, tr.fault = kind.name, kind.fault(service)
	return service, tr
}

// untilDone ends the trouble with ctx.
func untilDone(ctx context.Context, rule faultproxy.Rule) faultproxy.Rule {
	return func(r faultproxy.Request) faultproxy.Fault {
		if ctx.Err() != nil {
			return faultproxy.Fault{}
		}
		return rule(r)
	}
}

// imageSchema makes a file of more than one page, so that half of it is no database.
const imageSchema = harness.Schema + `
	create table notes(title text, weight real, image blob);
	insert into notes values ('one', 0.1, zeroblob(20000)), (null, -1e300, x'00ff');
	create index notes_title on notes(title);`
