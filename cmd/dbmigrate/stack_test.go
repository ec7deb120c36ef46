package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestStackStories tells the stories that need R2, KV and the Worker. All share one local runtime, so each
// has users of its own: their ids begin with the story's name.
func TestStackStories(t *testing.T) {
	t.Parallel()
	s, err := shared.start()
	if err != nil {
		t.Fatal(err)
	}
	tell(t, s, effort.Some(t, "stories", storiesIn(t, "stack"), 4))
}

// TestStoriesAlone tells those that speak of the newest runs of the bucket: they have a runtime of their own.
func TestStoriesAlone(t *testing.T) {
	t.Parallel()
	tell(t, ownStack(t), storiesIn(t, "alone"))
}

// ownStack is a local runtime that nobody else uses.
func ownStack(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{})
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

func storiesIn(t *testing.T, folder string) []string {
	t.Helper()
	stories, err := filepath.Glob("testdata/" + folder + "/*.txt*")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	return stories
}

func tell(t *testing.T, s *stack.Stack, stories []string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               stories,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                stackCommands(s),
		Setup: func(env *testscript.Env) error {
			env.Vars = append(
				append(env.Vars, s.Env()...),
				"XDG_STATE_HOME="+filepath.Join(env.WorkDir, "state"),
			)
			return nil
		},
	})
}

// stackCommands are what stories can do with the local runtime.
func stackCommands(s *stack.Stack) map[string]func(*testscript.TestScript, bool, []string) {
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"capture":   capture,
		"plan-name": planName,
		"sqlite":    runSQL,
		"same":      sameContent,
	}
	for name, command := range map[string]func(*testscript.TestScript, *stack.Stack, []string){
		"database": putDatabase, "object": putObject, "fetch": fetchObject, "download": downloadObject, "absent": mustBeAbsent, "query": query, "thaw": thaw,
		"nothing": nothing, "past": past, "killed-at": killedAt, "killed-late": killedLate, "superseded-at": supersededAt, "asked-at": askedAt,
	} {
		commands[name] = func(ts *testscript.TestScript, _ bool, args []string) { command(ts, s, args) }
	}
	maps.Copy(commands, seeCommands(s))
	maps.Copy(commands, storyCommands)
	return commands
}

func clientOf(ts *testscript.TestScript, s *stack.Stack) *r2.Client {
	client, err := r2.New(
		r2.Config{
			Endpoint:        s.S3Endpoint,
			Bucket:          s.Bucket,
			AccessKeyID:     s.AccessKey,
			SecretAccessKey: s.SecretKey,
		},
	)
	ts.Check(err)
	return client
}

func put(ts *testscript.TestScript, s *stack.Stack, key string, content []byte) {
	_, err := clientOf(
		ts,
		s,
	).Put(context.Background(), userdb.ObjectKey(key), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{})
	ts.Check(err)
}

// putDatabase builds an application database and puts it: "database key bytes [cut-to-bytes]". If an earlier
// telling of the story (go test -count) left the user somewhere else, it first brings the user back.
func putDatabase(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: database key bytes [cut-to-bytes]")
	}
	if _, err := clientOf(ts, s).Head(context.Background(), userdb.ObjectKey(args[0])); err == nil {
		ts.Check(ts.Exec("dbmigrate", "rollback", path.Base(path.Dir(args[0]))))
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	dir, err := os.MkdirTemp(ts.Getenv("WORK"), "database")
	ts.Check(err)
	file := filepath.Join(dir, "database.sqlite")
	_, err = appdb.Build(context.Background(), file, 1, size)
	ts.Check(err)
	content, err := os.ReadFile(file)
	ts.Check(err)
	if len(args) > 2 {
		keep, err := strconv.Atoi(args[2])
		ts.Check(err)
		content = content[:keep]
	}
	put(ts, s, args[0], content)
}

// putObject puts a file: "object key file".
func putObject(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: object key file [name=metadata]...")
	}
	meta := map[string]string{}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		meta[name] = value
	}
	content := []byte(ts.ReadFile(args[1]))
	_, err := clientOf(
		ts,
		s,
	).Put(context.Background(), userdb.ObjectKey(args[0]), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{Metadata: meta})
	ts.Check(err)
}

// fetchObject writes an object, with its ETag and time, to a file: "fetch key file".
func fetchObject(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: fetch key file")
	}
	var content bytes.Buffer
	object, err := clientOf(ts, s).Get(context.Background(), userdb.ObjectKey(args[0]), "", &content)
	ts.Check(err)
	fmt.Fprintf(&content, "\n%s %s\n", object.ETag, object.LastModified)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), content.Bytes(), 0o600))
}

// downloadObject writes an object to a file, and nothing else: "download key file".
func downloadObject(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: download key file")
	}
	var content bytes.Buffer
	_, err := clientOf(ts, s).Get(context.Background(), userdb.ObjectKey(args[0]), "", &content)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), content.Bytes(), 0o600))
}

// mustBeAbsent demands that there is no such object: "absent key".
func mustBeAbsent(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if _, err := clientOf(ts, s).Head(context.Background(), userdb.ObjectKey(args[0])); userdb.KindOf(
		err,
	) != userdb.NotFound {
		ts.Fatalf("%s is there, or cannot be looked for: %v", args[0], err)
	}
}

// capture sets a variable to what the group of a regular expression finds in the output of the command
// before: "capture variable regexp".
func capture(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if len(found) != 2 {
		ts.Fatalf("%s finds nothing in the output", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// query asks the application, which asks its router, and prints the answer: "query user mode sql".
func query(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: query user mode sql")
	}
	ask(
		ts,
		s,
		args[0],
		"query",
		map[string]any{"mode": args[1], "statements": []any{map[string]string{"sql": args[2]}}},
		http.StatusOK,
	)
}

// thaw asks the sample application to have cold rows brought back: "thaw user table expression".
func thaw(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: thaw user table expression")
	}
	ask(ts, s, args[0], "thaw", map[string]string{"table": args[1], "where": args[2]}, http.StatusAccepted)
}

// ask sends a message to the sample application and prints the answer.
func ask(ts *testscript.TestScript, s *stack.Stack, user, route string, message any, want int) {
	body, err := json.Marshal(message)
	ts.Check(err)
	request, err := http.NewRequest(
		http.MethodPost,
		s.URL+"/api/users/"+user+"/"+route,
		bytes.NewReader(body),
	)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+s.AppToken)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != want {
		ts.Fatalf("%s %s: %s: %s", route, body, answer.Status, text)
	}
	fmt.Fprintln(ts.Stdout(), string(text))
}

// planName sets a variable to the name of the plan that the command before printed as JSON: "plan-name
// variable".
func planName(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var last struct{ Summary struct{ Plan string } }
		if json.Unmarshal([]byte(line), &last) == nil && last.Summary.Plan != "" {
			ts.Setenv(args[0], last.Summary.Plan)
			return
		}
	}
	ts.Fatalf("there is no plan in the output")
}

// nothing demands that no object has the prefix: "nothing prefix".
func nothing(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: nothing prefix")
	}
	first, found, _, err := clientOf(ts, s).First(context.Background(), args[0])
	ts.Check(err)
	if found {
		ts.Fatalf("there is %s", first.Key)
	}
}
