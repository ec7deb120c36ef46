// Package backends runs backends that are no Workers against worker/service: the Python client, and the steps
// of examples/python, while dbmigrate moves their users.
package backends

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The tokens of the two backends that the service knows here.
const (
	writer = "token-of-the-writer-0123456789-0123456789"
	reader = "token-of-the-reader-0123456789-0123456789"
)

var (
	cloud  *stack.Stack
	binary string
	image  []byte
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dbmigrate-backends-")
	if err == nil {
		binary, err = harness.Build(context.Background(), "../..", dir)
	}
	if err == nil {
		err = stack.NoteInputs("../..", "clients", "examples", "test/backends/testdata")
	}
	if err == nil {
		image, err = harness.Image(harness.Schema)
	}
	code := 1
	if err == nil {
		code = stack.RunTests(m, options("none"), func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func options(oldPath string) stack.Options {
	return stack.Options{
		ConfigPath: "../../worker/test-entry/service.wrangler.jsonc",
		Vars: map[string]string{
			"BACKENDS":      `{"app":"write","reports":"read"}`,
			"TOKEN_APP":     writer,
			"APP_TOKEN":     writer, // what the harness sends
			"OLD_PATH":      oldPath,
			"TOKEN_REPORTS": reader,
		},
	}
}

// python is the system's python3. It fails where there is none: a client that was not tried is not proven.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatal("the Python client needs python3, and there is none: run `make setup` (it installs Debian's)")
	return ""
}

// command is a Python program that finds the client, the example, and what dbmigrate's environment names.
func command(t *testing.T, s *stack.Stack, args ...string) *exec.Cmd {
	t.Helper()
	var paths []string
	for _, path := range []string{"../../clients/python", "../../examples/python"} {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	cmd := exec.CommandContext(t.Context(), python(t), append([]string{"-B"}, args...)...)
	cmd.Env = append(s.Env(), "PATH="+os.Getenv("PATH"), "PYTHONPATH="+strings.Join(paths, ":"),
		"SERVICE_URL="+s.URL, "SERVICE_TOKEN="+writer, "HOME="+t.TempDir(), "PYTHONIOENCODING=utf-8")
	return cmd
}

// run demands that the program ends well, and returns what it says.
func run(t *testing.T, s *stack.Stack, args ...string) string {
	t.Helper()
	cmd := command(t, s, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func newOperator(t *testing.T, s *stack.Stack) *harness.Operator {
	t.Helper()
	op, err := harness.NewOperator(s, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	return op
}

func must(t *testing.T, op *harness.Operator, args ...string) {
	t.Helper()
	if _, err := op.Must(0, args...); err != nil {
		t.Fatal(err)
	}
}

// untilMoved runs a migrate again for users who were too busy, as its error asks for: no router can hold the
// writes of an old path, and on a crowded machine they leave hardly a gap.
func untilMoved(t *testing.T, op *harness.Operator, args []string) {
	t.Helper()
	const runs = 5
	for run := 1; ; run++ {
		f, err := op.Run(args...)
		if err != nil {
			t.Fatal(err)
		}
		if f.Exit == 0 {
			return
		}
		if run == runs || f.Exit != 1 || !strings.Contains(f.Stdout, "less busy") {
			t.Fatalf("run %d: %v", run, f)
		}
		t.Logf("run %d: a user was too busy", run)
	}
}

// newUsers are users with files.
func newUsers(t *testing.T, s *stack.Stack, n int) []string {
	t.Helper()
	bucket, err := harness.Bucket(s)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range n {
		name := fmt.Sprintf("backend-%d-%d", time.Now().UnixNano(), i)
		if _, err := bucket.Put(t.Context(), harness.Key(name), bytes.NewReader(image), int64(len(image)), userdb.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestClient runs the client's own tests: every kind of answer, and none.
func TestClient(t *testing.T) {
	t.Parallel()
	cmd := command(t, cloud, "-m", "unittest", "-v")
	cmd.Dir = "../../clients/python"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestValues: what the client writes and reads is what Python's own SQLite has, wherever the user is.
func TestValues(t *testing.T) {
	t.Parallel()
	user, op := newUsers(t, cloud, 1)[0], newOperator(t, cloud)
	for i, step := range [][]string{nil, {"migrate"}, {"rollback"}, {"migrate"}} {
		if step != nil {
			must(t, op, append(step, user)...)
		}
		side := map[bool]string{true: "store", false: "file"}[step != nil && step[0] == "migrate"]
		seed := effort.Seed(t, "values of the Python client") + uint64(i)
		t.Log(run(t, cloud, "testdata/values.py", user, fmt.Sprint(seed), side))
	}
}

// report is what drive.py says at its end.
type report struct {
	Acknowledged map[string][]int `json:"acknowledged"`
	Told         map[string]int   `json:"told"`
	Errors       map[string]int   `json:"errors"`
}

// drive lets a backend write while `while` runs.
func drive(t *testing.T, s *stack.Stack, users []string, modules []string, while func()) report {
	t.Helper()
	cmd := command(t, s, append([]string{"testdata/drive.py", strings.Join(users, ",")}, modules...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	working := make([]byte, len("working\n"))
	if _, err := io.ReadFull(stdout, working); err != nil {
		t.Fatalf("%v\n%s", errors.Join(err, cmd.Wait()), &stderr)
	}
	while()
	stdin.Close()
	var r report
	err = json.NewDecoder(stdout).Decode(&r)
	if err := errors.Join(err, cmd.Wait()); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	for text, times := range r.Errors {
		t.Logf("%d times %s", times, text)
	}
	return r
}

// count adds up what was told, of all modules or of those with the prefix.
func (r report) count(what string) (n int) {
	for name, times := range r.Told {
		if strings.HasSuffix(name, " "+what) {
			n += times
		}
	}
	return n
}

// lost counts the acknowledged writes that the serving side does not have, or has twice.
func (r report) lost(t *testing.T, s *stack.Stack) (lost int) {
	t.Helper()
	for user, numbers := range r.Acknowledged {
		rows, err := harness.UserOf(s, user).Query("read", "select n, count(*) from entries group by n")
		if err != nil {
			t.Fatal(err)
		}
		there := map[int]int{}
		for _, row := range rows {
			there[int(row[0].(float64))] = int(row[1].(float64))
		}
		for _, n := range numbers {
			if there[n] != 1 {
				lost++
				t.Errorf("%s: write %d was acknowledged, and is there %d times", user, n, there[n])
			}
		}
	}
	return lost
}

// mode is a way of moving the users of a backend, as docs/backends.md recommends it.
type mode struct {
	writers string
	oldPath string
	modules []string
	args    []string
	window  string // for Operator.KVWindow
}

var modes = []mode{
	{"fence-aware", "none", []string{"step3_look_at_the_fence", "step4_client"}, nil, ""},
	{"conditional", "none", []string{"conditional_by_route"}, []string{"--longest-request", "5s"}, "3s"},
	{"unconditional", "unconditional", []string{"unconditional"}, []string{"--longest-request", "5s"}, ""},
}

// TestModes moves the users of the example backend there and back while it writes, in each recommended mode
// of --writers: no acknowledged write is lost.
func TestModes(t *testing.T) {
	t.Parallel()
	some := effort.Some(t, "modes of --writers", modes, 1)
	rows := make([]string, len(some))
	t.Cleanup(func() {
		docpage.Publish(t, "backends", "| `--writers` | processes run | cutovers | acknowledged | unknown | refused | lost |\n"+
			"|---|---|---|---|---|---|---|\n"+strings.Join(rows, ""))
	})
	for i, m := range some {
		t.Run(m.writers, func(t *testing.T) {
			t.Parallel()
			s := cloud
			if m.oldPath != "none" {
				s = startWith(t, m.oldPath)
			}
			users, op := newUsers(t, s, 2), newOperator(t, s)
			op.KVWindow = m.window
			rounds := effort.Amount(t, "rounds there and back of a Python backend, "+m.writers, 1, 10)
			there := append([]string{"migrate", "--writers", m.writers}, m.args...)
			r := drive(t, s, users, m.modules, func() {
				for range rounds {
					time.Sleep(time.Second)
					untilMoved(t, op, append(there, users...))
					time.Sleep(time.Second)
					must(t, op, append([]string{"rollback"}, users...)...)
				}
				time.Sleep(time.Second)
			})
			rows[i] = fmt.Sprintf("| `%s` | %s | %d | %d | %d | %d | %d |\n", m.writers, strings.Join(m.modules, ", "),
				2*rounds*len(users), r.count("acknowledged"), r.count("unknown"), r.count("refused"), r.lost(t, s))
			for _, module := range m.modules {
				if r.Told[module+" acknowledged"] == 0 {
					t.Errorf("%s acknowledged nothing: %v", module, r.Told)
				}
			}
		})
	}
}

func startWith(t *testing.T, oldPath string) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), options(oldPath))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestStepByStep takes one user from step to step. Two steps run at once at each change, as during a
// deployment; from step 3 on the user moves meanwhile.
func TestStepByStep(t *testing.T) {
	t.Parallel()
	user, op := newUsers(t, cloud, 1), newOperator(t, cloud)
	all := report{Acknowledged: map[string][]int{}, Told: map[string]int{}}
	for i, step := range []struct {
		modules []string
		during  [][]string
	}{
		{[]string{"step1_load_and_save"}, nil},
		{[]string{"step2_conditional"}, nil},
		{[]string{"step2_conditional", "step3_look_at_the_fence"}, nil},
		{[]string{"step3_look_at_the_fence"}, [][]string{{"migrate"}, {"rollback"}}},
		{[]string{"step3_look_at_the_fence", "step4_client"}, [][]string{{"migrate"}}},
		{[]string{"step4_client"}, [][]string{{"rollback"}, {"migrate"}}},
	} {
		before := len(all.Acknowledged[user[0]])
		mustClear(t, user[0])
		r := drive(t, cloud, user, step.modules, func() {
			time.Sleep(time.Second)
			for _, args := range step.during {
				must(t, op, append(args, user...)...)
				time.Sleep(time.Second)
			}
		})
		if lost := r.lost(t, cloud); lost > 0 || r.count("acknowledged") == 0 || r.count("refused") > 0 {
			t.Errorf("step %d, %v: %d lost, %v", i, step.modules, lost, r.Told)
		}
		all.Acknowledged[user[0]] = append(all.Acknowledged[user[0]], r.Acknowledged[user[0]]...)
		t.Logf("%v: %d acknowledged, 0 lost (%d before)", step.modules, r.count("acknowledged"), before)
	}
}

// TestNewUsers: a user without a file is the service's to create, whichever step asks first, and moves as
// others do.
func TestNewUsers(t *testing.T) {
	t.Parallel()
	var users []string
	for i := range 3 {
		users = append(users, fmt.Sprintf("born-%d-%d", time.Now().UnixNano(), i))
	}
	op := newOperator(t, cloud)
	r := drive(t, cloud, users, []string{"step3_look_at_the_fence", "step4_client"}, func() {
		for _, args := range [][]string{nil, {"migrate"}, {"rollback"}} {
			if args != nil {
				must(t, op, append(args, users...)...)
			}
			time.Sleep(time.Second)
		}
	})
	if lost := r.lost(t, cloud); lost > 0 || len(r.Acknowledged) != len(users) || r.count("refused") > 0 {
		t.Errorf("%d lost, %v", lost, r.Told)
	}
}

// mustClear makes room for numbers that begin again.
func mustClear(t *testing.T, user string) {
	t.Helper()
	if _, err := harness.UserOf(cloud, user).Query("write", "delete from entries"); err != nil {
		t.Fatal(err)
	}
}

// TestServiceBindings: another Worker reaches a user over RPC, on either side, with the rights of its
// entrypoint.
func TestServiceBindings(t *testing.T) {
	t.Parallel()
	user, op := newUsers(t, cloud, 1)[0], newOperator(t, cloud)
	const insert = `{"statements":[{"sql":"insert into entries(n) values (random())"}]}`
	const read = `{"statements":[{"sql":"select count(*) from entries"}],"mode":"read"}`
	for i, servedBy := range []string{"file", "object"} {
		if servedBy == "object" {
			must(t, op, "migrate", user)
		}
		for _, c := range []struct{ path, body, want string }{
			{"writes", insert, `"ok":true`},
			{"reads", read, fmt.Sprintf(`"rows":[[%d]]`, i+1)},
			{"reads", insert, `"kind":"write-in-read"`},
			{"serves", "{}", `"servedBy":"` + servedBy + `"`},
		} {
			if got := post(t, "/test/"+c.path+"/"+user, "", c.body); !strings.Contains(got, c.want) {
				t.Errorf("%s, served by the %s: %s, want %s", c.path, servedBy, got, c.want)
			}
		}
	}
}

// TestTokens: the rights of a backend hold on the running service.
func TestTokens(t *testing.T) {
	t.Parallel()
	path := "/api/users/" + newUsers(t, cloud, 1)[0] + "/query"
	const insert = `{"statements":[{"sql":"insert into entries(n) values (random())"}]}`
	for token, want := range map[string]string{
		writer:           `"side":"file"`,
		reader:           `"kind":"write-in-read"`,
		writer[:31]:      `"kind":"unauthorized"`,
		cloud.AdminToken: `"kind":"unauthorized"`,
	} {
		if got := post(t, path, token, insert); !strings.Contains(got, want) {
			t.Errorf("the token %.12s...: %s, want %s", token, got, want)
		}
	}
}

func post(t *testing.T, path, token, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, cloud.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestEveryStepRuns: no file of the example is left out of these tests.
func TestEveryStepRuns(t *testing.T) {
	used := map[string]bool{"bucket": true, "files": true, "step1_load_and_save": true, "step2_conditional": true}
	for _, m := range modes {
		for _, module := range m.modules {
			used[module] = true
		}
	}
	files, err := filepath.Glob("../../examples/python/*.py")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".py"); !used[name] {
			t.Errorf("%s runs in no test: %v", file, slices.Sorted(maps.Keys(used)))
		}
	}
}
