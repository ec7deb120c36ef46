// Package e2e runs the real dbmigrate binary against Cloudflare's local runtime, through a proxy that does to
// chosen requests what networks and crashes do. The Worker's flags are noise (worker/test-entry), and its
// Durable Objects can be evicted.
package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

var (
	cloud  *stack.Stack
	binary string
)

func TestMain(m *testing.M) {
	// While one command waits for the runtime, others work.
	flag.Parse()
	flag.Set("test.parallel", "4")
	dir, err := os.MkdirTemp("", "dbmigrate-e2e-")
	if err == nil {
		binary, err = harness.Build(context.Background(), "../..", dir)
	}
	code := 1
	if err == nil {
		options := stack.Options{ConfigPath: raceConfig}
		code = stack.RunTests(m, options, func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func newOperator(t *testing.T) *harness.Operator {
	t.Helper()
	return newOperatorOn(t, cloud)
}

func newOperatorOn(t *testing.T, s *stack.Stack) *harness.Operator {
	t.Helper()
	op, err := harness.NewOperator(s, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	return op
}

// must runs dbmigrate and demands the exit code.
func must(t *testing.T, op *harness.Operator, exit int, args ...string) harness.Finished {
	t.Helper()
	f, err := op.Must(exit, args...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// gcArgs is the command line that frees the user's file, after its plan.
func gcArgs(t *testing.T, op *harness.Operator, user string) []string {
	t.Helper()
	args := []string{"gc", user, "--older-than", "0s"}
	return append(args, "--confirm", must(t, op, 0, args...).Summary.Plan)
}

// bucket is the test's own way to R2, beside the proxy.
func bucket(t *testing.T) *r2.Client {
	t.Helper()
	c, err := harness.Bucket(cloud)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func putFile(t *testing.T, user string, content []byte) {
	t.Helper()
	if _, err := bucket(t).Put(context.Background(), harness.Key(user), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func getFile(t *testing.T, user string) ([]byte, userdb.Object) {
	t.Helper()
	var b bytes.Buffer
	obj, err := bucket(t).Get(context.Background(), harness.Key(user), "", &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), obj
}

// raceConfig is the Worker with flags that are noise.
const raceConfig = "../../worker/test-entry/wrangler.jsonc"

// evict throws the user's Durable Object out of memory: what it did not store is gone.
func evict(user string) error {
	answer, err := http.Post(cloud.URL+"/test/evict/"+user, "text/plain", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("evict %s: %s", user, answer.Status)
	}
	return nil
}

func userNamed(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	return fmt.Sprintf("%s-%d", name, time.Now().UnixNano())
}
