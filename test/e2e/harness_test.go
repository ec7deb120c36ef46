// Package e2e runs the real dbmigrate binary against Cloudflare's local runtime, through a proxy that does to chosen requests what
// networks and crashes do.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

var (
	cloud  *stack.Stack
	binary string
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dbmigrate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "dbmigrate")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/dbmigrate")
	build.Stderr = os.Stderr
	code := 1
	if build.Run() == nil {
		code = stack.RunTests(m, stack.Options{}, func(s *stack.Stack) { cloud = s })
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// operator runs dbmigrate with every request going through a proxy of its own.
type operator struct {
	t     *testing.T
	proxy *faultproxy.Proxy
	env   []string

	mu      sync.Mutex
	process *os.Process
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	proxy, err := faultproxy.New(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	o := &operator{t: t, proxy: proxy, env: []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}}
	for _, entry := range cloud.Env() {
		o.env = append(o.env, strings.ReplaceAll(entry, cloud.URL, proxy.URL()))
	}
	return o
}

// account is one user's line of --output json.
type account struct {
	User    string `json:"user"`
	Outcome string `json:"outcome"`
	Open    bool   `json:"open"`
	Reason  string `json:"reason"`
	Error   *struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

// finished is what a run left: its exit code (-1 when it was killed), its accounts and everything it printed.
type finished struct {
	exit           int
	stdout, stderr string
	accounts       []account
}

// run starts dbmigrate and waits for its end.
func (o *operator) run(args ...string) finished {
	o.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary, append(args, "--output", "json")...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = o.t.TempDir(), o.env, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	o.process = cmd.Process
	o.mu.Unlock()
	err := cmd.Wait()
	f := finished{stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		f.exit = exit.ExitCode()
	} else if err != nil {
		o.t.Fatal(err)
	}
	for line := range strings.Lines(f.stdout) {
		var a account
		if json.Unmarshal([]byte(line), &a) == nil && a.User != "" {
			f.accounts = append(f.accounts, a)
		}
	}
	return f
}

// must runs dbmigrate and demands the exit code.
func (o *operator) must(exit int, args ...string) finished {
	o.t.Helper()
	f := o.run(args...)
	if f.exit != exit {
		o.t.Fatalf("dbmigrate %s: exit %d, want %d\n%s%s", strings.Join(args, " "), f.exit, exit, f.stdout, f.stderr)
	}
	return f
}

// kill is kill -9, from within a request.
func (o *operator) kill() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.process.Kill()
}

// bucket is the test's own way to R2, beside the proxy.
func bucket(t *testing.T) *r2.Client {
	t.Helper()
	c, err := r2.New(r2.Config{Endpoint: cloud.S3Endpoint, Bucket: cloud.Bucket, AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func key(user string) userdb.ObjectKey { return userdb.ObjectKey(user + "/database.sqlite") }

func putFile(t *testing.T, user string, content []byte) {
	t.Helper()
	if _, err := bucket(t).Put(context.Background(), key(user), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func getFile(t *testing.T, user string) ([]byte, userdb.Object) {
	t.Helper()
	var b bytes.Buffer
	obj, err := bucket(t).Get(context.Background(), key(user), "", &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), obj
}

// query sends statements through the sample application's router, as its users do. It waits out the moments in which writes are refused.
func query(t *testing.T, user, mode, sql string, params ...any) [][]any {
	t.Helper()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"mode": mode, "statements": []any{map[string]any{"sql": sql, "params": params}}})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		status, answer := post(t, user, body)
		if status == http.StatusOK {
			return rowsOf(t, answer)
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("%s for %s: HTTP %d %s", sql, user, status, answer)
		}
	}
}

func post(t *testing.T, user string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, cloud.URL+"/api/users/"+user+"/query", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cloud.AppToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func rowsOf(t *testing.T, answer []byte) [][]any {
	t.Helper()
	var out struct {
		Results []struct {
			Rows [][]any `json:"rows"`
		} `json:"results"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || len(out.Results) == 0 {
		t.Fatalf("answer %s: %v", answer, err)
	}
	return out.Results[0].Rows
}
