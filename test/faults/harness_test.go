// Package faults runs the real dbmigrate binary while R2, KV or the Worker answer wrongly, late or not at all, while two operators run at once,
// and while somebody presses Ctrl-C. A command finishes, or it stops with every user served, nothing lost and a clear account.
package faults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

var (
	cloud  *stack.Stack
	binary string
	image  []byte // of the file with which each user begins
)

func TestMain(m *testing.M) {
	// What these tests do most is wait for a command that waits for its next attempt.
	flag.Parse()
	flag.Set("test.parallel", "8")
	dir, err := os.MkdirTemp("", "dbmigrate-faults-")
	if err == nil {
		binary = filepath.Join(dir, "dbmigrate")
		build := exec.Command("go", "build", "-o", binary, "../../cmd/dbmigrate")
		build.Stderr = os.Stderr
		err = errors.Join(build.Run(), buildImage(filepath.Join(dir, "image.sqlite")))
	}
	code := 1
	if err == nil {
		code = stack.RunTests(m, stack.Options{}, func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildImage makes a file of more than one page, so that half of it is no database.
func buildImage(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(`
		create table entries(id integer primary key autoincrement, n integer not null);
		create table notes(title text, weight real, image blob);
		insert into notes values ('one', 0.1, zeroblob(20000)), (null, -1e300, x'00ff');
		create index notes_title on notes(title);`)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	image, err = os.ReadFile(path)
	return err
}

// operator runs dbmigrate with every request going through a proxy of its own.
type operator struct {
	t     *testing.T
	proxy *faultproxy.Proxy
	env   []string
	// process is the run under way.
	process atomic.Pointer[os.Process]
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
	Error   *struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

// finished is what a run left.
type finished struct {
	command        string
	exit           int
	stdout, stderr string
	accounts       map[string]account
	interrupted    bool
	notBegun       int
}

func (f finished) String() string {
	return fmt.Sprintf("dbmigrate %s: exit %d\n%s%s", f.command, f.exit, f.stdout, f.stderr)
}

// run starts dbmigrate and waits for its end. It may be called from any goroutine, so it returns what goes wrong.
func (o *operator) run(args ...string) (finished, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary, append(args, "--output", "json")...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = os.TempDir(), o.env, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return finished{}, err
	}
	o.process.Store(cmd.Process)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return finished{}, err
	}
	f := finished{command: strings.Join(args, " "), exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(),
		accounts: map[string]account{}}
	return f, f.parse()
}

func (f *finished) parse() error {
	for line := range strings.Lines(f.stdout) {
		var l struct {
			account
			Summary *struct {
				Interrupted bool `json:"interrupted"`
				NotBegun    int  `json:"notBegun"`
			} `json:"summary"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return fmt.Errorf("%v\nis no JSON line: %w", f, err)
		}
		if l.User != "" {
			f.accounts[l.User] = l.account
		}
		if l.Summary != nil {
			f.interrupted, f.notBegun = l.Summary.Interrupted, l.Summary.NotBegun
		}
	}
	return nil
}

func (o *operator) mustRun(args ...string) finished {
	o.t.Helper()
	f, err := o.run(args...)
	if err != nil {
		o.t.Fatal(err)
	}
	return f
}

// must runs dbmigrate and demands the exit code.
func (o *operator) must(exit int, args ...string) finished {
	o.t.Helper()
	f := o.mustRun(args...)
	if f.exit != exit {
		o.t.Fatalf("want exit %d: %v", exit, f)
	}
	return f
}

var userNumber atomic.Int64

// subject is one user, whose acknowledged writes are counted.
type subject struct {
	t      *testing.T
	name   string
	writes int
}

func newSubject(t *testing.T) *subject {
	t.Helper()
	u := &subject{t: t, name: fmt.Sprintf("subject-%d", userNumber.Add(1))}
	bucket, err := r2.New(r2.Config{Endpoint: cloud.S3Endpoint, Bucket: cloud.Bucket, AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	key := userdb.ObjectKey(u.name + "/database.sqlite")
	if _, err := bucket.Put(context.Background(), key, bytes.NewReader(image), int64(len(image)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	u.write()
	return u
}

// write makes one write that must be acknowledged without a refusal.
func (u *subject) write() {
	u.t.Helper()
	status, answer := u.query("write", "insert into entries(n) values (?)", u.writes)
	if status != http.StatusOK {
		u.t.Fatalf("%s cannot write: HTTP %d %s", u.name, status, answer)
	}
	u.writes++
}

// check demands every acknowledged write, once.
func (u *subject) check() {
	u.t.Helper()
	status, answer := u.query("read", "select count(*), count(distinct n), coalesce(max(n), -1) from entries")
	want := fmt.Sprintf(`"rows":[[%d,%d,%d]]`, u.writes, u.writes, u.writes-1)
	if status != http.StatusOK || !strings.Contains(string(answer), want) {
		u.t.Fatalf("%s reads HTTP %d %s, want %s", u.name, status, answer, want)
	}
}

// query goes through the sample application's router, as users do, past the operator's proxy.
func (u *subject) query(mode, sql string, params ...any) (int, []byte) {
	u.t.Helper()
	statement := map[string]any{"sql": sql, "params": append([]any{}, params...)}
	body, err := json.Marshal(map[string]any{"mode": mode, "statements": []any{statement}})
	if err != nil {
		u.t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, cloud.URL+"/api/users/"+u.name+"/query", bytes.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+cloud.AppToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// served asks status who serves the users: file, store or neither.
func (o *operator) served(users []*subject) map[string]string {
	o.t.Helper()
	f := o.mustRun(append([]string{"status"}, names(users)...)...)
	serves := map[string]string{}
	for line := range strings.Lines(f.stdout) {
		var s struct{ User, Serves string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			o.t.Fatalf("%v: %v", f, err)
		}
		if s.User != "" {
			serves[s.User] = s.Serves
		}
	}
	return serves
}

func names(users []*subject) []string {
	var all []string
	for _, u := range users {
		all = append(all, u.name)
	}
	return all
}
