package oncall

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// situation is one page at night.
type situation struct {
	name     string
	question string
	happens  func(s *shift)
	// typed are the commands that the runbook says, and right the command that the last screen has to name.
	typed []string
	right string
	// mends does what the screen said: a command of ours is run as it stands there, a service that it names
	// answers again.
	mends func(s *shift, right string)
}

var situations = []situation{
	{
		name:     "killed",
		question: "a run was killed -9: who was hit, and what now?",
		happens: func(s *shift) {
			s.killAt("admin activate", 3, "migrate --all --prefix NAME- --concurrency 1")
		},
		typed: []string{"runs --limit 1", "status --run RUN"},
		right: `dbmigrate migrate NAME-\d`,
		mends: func(s *shift, right string) {
			s.runs(right)
			s.must(0, "migrate --all --prefix NAME-")
		},
	},
	{
		name:     "stuck",
		question: "a user cannot save: where is this user?",
		happens: func(s *shift) {
			s.must(0, "migrate NAME-1")
			s.killAt("R2 PUT", 1, "rollback NAME-1")
		},
		typed: []string{"status NAME-1"},
		right: `dbmigrate rollback NAME-\d`,
		mends: func(s *shift, right string) { s.runs(right) },
	},
	{
		name:     "r2-down",
		question: "nothing moves: is it R2?",
		happens:  func(s *shift) { s.down("R2") },
		typed:    []string{"doctor"},
		right:    `r2 +FAIL.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "doctor")
			s.must(0, "migrate --all --prefix NAME-")
		},
	},
	{
		name:     "kv-down",
		question: "everybody has to go back, and the Cloudflare API is down",
		happens: func(s *shift) {
			s.must(0, "migrate NAME-1 NAME-2")
			s.down("KV")
		},
		typed: []string{"doctor", "rollback NAME-1 NAME-2"},
		right: `flags left.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "rollback NAME-1 NAME-2")
		},
	},
	{
		name:     "worker-down",
		question: "a rollback says that nothing answers: what is down?",
		happens: func(s *shift) {
			s.must(0, "migrate NAME-1")
			s.down("admin")
		},
		typed: []string{"rollback NAME-1", "doctor"},
		right: `worker +FAIL.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "rollback NAME-1")
		},
	},
	{
		name:     "bad-deploy",
		question: "a deploy went out, and migrated users get errors",
		happens: func(s *shift) {
			s.must(0, "migrate NAME-1")
			deploy(s.T, "bad")
		},
		typed: []string{"doctor"},
		right: `wrangler rollback`,
		mends: func(s *shift, _ string) {
			deploy(s.T, "good")
			s.must(0, "doctor")
		},
	},
	{
		name:     "shards",
		question: "three shards ran, and one was killed: what is left?",
		happens:  threeShards,
		typed:    []string{"runs --limit 3"},
		right:    "dbmigrate status --run " + runID.String(),
		mends: func(s *shift, right string) {
			s.runs(right)
			s.must(0, "migrate --all --prefix NAME-")
		},
	},
	{
		name:     "unknown-user",
		question: "where is a user with a misspelt name?",
		happens:  func(*shift) {},
		typed:    []string{"status NAME-nobody", "history NAME-nobody"},
		right:    `check the name.*`,
		mends:    func(s *shift, _ string) { s.must(0, "status NAME-1") },
	},
	{
		name:     "unknown-run",
		question: "take back a run, by an id that was copied wrong",
		happens:  func(s *shift) { s.must(0, "migrate NAME-1") },
		typed:    []string{"rollback --run 20000101T000000Z-00000000", "status --run 20000101T000000Z-00000000"},
		right:    `dbmigrate runs`,
		mends: func(s *shift, right string) {
			s.runs(right)
			s.must(0, "rollback NAME-1")
		},
	},
	{
		name:     "way-back",
		question: "what this run moved has to go back",
		happens:  func(s *shift) {},
		typed:    []string{"migrate --all --prefix NAME- --concurrency 1"},
		right:    `dbmigrate rollback --run ` + runID.String(),
		mends:    func(s *shift, right string) { s.runs(right) },
	},
	{
		name:     "key-expired",
		question: "a run stopped in its middle: what is wrong, and who was hit?",
		happens: func(s *shift) {
			s.refuse("R2", "admin activate", 2, http.StatusUnauthorized,
				"<Error><Code>Unauthorized</Code><Message>Unauthorized</Message></Error>")
		},
		typed: []string{"migrate --all --prefix NAME- --concurrency 1", "doctor"},
		right: `r2 +FAIL.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "migrate --all --prefix NAME-")
		},
	},
	{
		name:     "namespace-gone",
		question: "somebody deleted the KV namespace: does it stop users?",
		happens: func(s *shift) {
			s.must(0, "migrate NAME-1")
			s.refuse("KV", "", 0, http.StatusNotFound,
				`{"success":false,"result":null,"messages":[],"errors":[{"code":10013,"message":"namespace not found"}]}`)
		},
		typed: []string{"status NAME-1", "doctor"},
		right: `kv +FAIL.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "doctor")
		},
	},
	{
		name:     "wrong-bucket",
		question: "no user is where everybody should be: is it the right bucket?",
		happens:  func(s *shift) { s.must(0, "migrate NAME-1") },
		typed:    []string{"status NAME-1 --bucket user-date", "doctor --bucket user-date"},
		right:    `r2 +FAIL.*`,
		mends:    func(s *shift, _ string) { s.must(0, "status NAME-1") },
	},
	{
		name:     "cut-file",
		question: "one user of a fleet fails: why, and what happens to the others?",
		happens: func(s *shift) {
			bucket, err := harness.Bucket(cloud)
			if err == nil {
				half := image[:len(image)/2]
				_, err = bucket.Put(s.Context(), harness.Key(s.name+"-9"), bytes.NewReader(half), int64(len(half)), userdb.PutOptions{})
			}
			if err != nil {
				s.Fatal(err)
			}
		},
		typed: []string{"migrate --all --prefix NAME- --concurrency 1"},
		right: `failed: .*`,
		mends: func(s *shift, _ string) {
			bucket, err := harness.Bucket(cloud)
			if err == nil {
				err = bucket.Delete(s.Context(), harness.Key(s.name+"-9"))
			}
			if err != nil {
				s.Fatal(err)
			}
		},
	},
	{
		name:     "colleague",
		question: "may I start while somebody else's run goes on?",
		happens:  (*shift).colleague,
		typed:    []string{"migrate NAME-5"},
		right:    `another run is active.*`,
		mends: func(s *shift, _ string) {
			s.must(0, "status NAME-5")
			s.wait()
		},
	},
	{
		name:     "wrong-clock",
		question: "R2 refuses every request: is the key wrong?",
		happens:  (*shift).wrongClock,
		typed:    []string{"migrate NAME-1", "doctor"},
		right:    `set (this machine's|the) clock.*`,
		mends: func(s *shift, _ string) {
			s.up()
			s.must(0, "migrate NAME-1")
		},
	},
}

// colleague begins a slow run over everybody.
func (s *shift) colleague() {
	other, err := harness.NewOperator(cloud, binary, s.TempDir())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(other.Close)
	begun := make(chan struct{})
	tell := sync.OnceFunc(func() { close(begun) })
	other.Proxy.Reset(faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin activate" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: tell, Slow: 2 * time.Second}
	}))
	ended := make(chan error, 1)
	args := s.args("migrate --all --prefix NAME- --concurrency 1")
	go func() {
		_, err := other.Must(0, args...)
		tell()
		ended <- err
	}()
	<-begun
	// So that the look at other runs is over first, and the screen always the same.
	s.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if strings.HasPrefix(r.Name(), "admin ") && r.Name() != "admin hello" {
			return faultproxy.Fault{Slow: 150 * time.Millisecond}
		}
		return faultproxy.Fault{}
	})
	s.wait = func() {
		s.op.Proxy.Reset(nil)
		if err := <-ended; err != nil {
			s.Error(err)
		}
	}
}

// threeShards run at a time; the last that has users is killed.
func threeShards(s *shift) {
	time.Sleep(1100 * time.Millisecond) // runs of one second have no order
	const shards = 3
	command := func(shard int) string {
		return fmt.Sprintf("migrate --all --prefix NAME- --shard %d/%d", shard, shards)
	}
	killed := shards
	for len(s.must(0, command(killed)+" --dry-run").Accounts) == 0 {
		killed--
	}
	var all sync.WaitGroup
	errs := make([]error, shards+1)
	for i := 1; i <= shards; i++ {
		if i == killed {
			continue
		}
		other, err := harness.NewOperator(cloud, binary, s.TempDir())
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(other.Close)
		all.Go(func() { _, errs[i] = other.Must(0, s.args(command(i))...) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	s.killAt("admin activate", 1, command(killed)+" --concurrency 1")
}

// wrongClock lets R2 answer as it does to a machine with a clock that is an hour off.
func (s *shift) wrongClock() {
	s.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if !strings.HasPrefix(r.Name(), "R2 ") {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Swallow: true, Status: http.StatusForbidden,
			Header: http.Header{"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}, "Content-Type": {"application/xml"}},
			Body:   "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message></Error>"}
	})
}
