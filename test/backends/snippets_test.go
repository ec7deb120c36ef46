package backends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// snippet is code of docs/backends.md, and a program that uses it. The program writes 1, 2, 3 and so on, says
// each number that was acknowledged, and ends with its input.
type snippet struct {
	lang, file string
	rest       map[string]string
	command    func(t *testing.T, dir string) *exec.Cmd
}

var snippets = []snippet{
	{
		lang: "js",
		file: "users.mjs",
		rest: map[string]string{"main.mjs": `
import { query } from "./users.mjs";
let over = false;
process.stdin.on("end", () => (over = true)).resume();
for (let n = 1; !over; n++) {
  const { side } = await query(process.argv[2], "write", { sql: "insert into entries(n) values (?)", params: [n] });
  const { results } = await query(process.argv[2], "read", { sql: "select max(n) from entries" });
  if (results[0].rows[0][0] !== n) throw new Error("max is " + results[0].rows[0][0] + ", not " + n);
  console.log(n, side);
}
try {
  await query(process.argv[2], "read", { sql: "selec" });
} catch (error) {
  console.log(error.message.split(":")[0]);
}
`},
		command: func(t *testing.T, dir string) *exec.Cmd {
			node, err := filepath.Abs("../../worker/node_modules/node/bin/node")
			if err != nil {
				t.Fatal(err)
			}
			return exec.CommandContext(t.Context(), node, filepath.Join(dir, "main.mjs"))
		},
	},
	{
		lang: "go",
		file: "users/users.go",
		rest: map[string]string{
			"go.mod": "module example.com/backend\n\ngo 1.25\n",
			"main.go": `package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/backend/users"
)

func main() {
	over := make(chan struct{})
	go func() { io.Copy(io.Discard, os.Stdin); close(over) }()
	ctx, user := context.Background(), os.Args[1]
	for n := 1; ; n++ {
		select {
		case <-over:
			_, err := users.Query(ctx, user, "read", users.Statement{SQL: "selec"})
			kind, _, _ := strings.Cut(err.Error(), ":")
			fmt.Println(kind)
			return
		default:
		}
		wrote, err := users.Query(ctx, user, "write", users.Statement{SQL: "insert into entries(n) values (?)", Params: []any{n}})
		if err != nil {
			panic(err)
		}
		read, err := users.Query(ctx, user, "read", users.Statement{SQL: "select max(n) from entries"})
		if err != nil || fmt.Sprint(read.Results[0].Rows[0][0]) != fmt.Sprint(n) {
			panic(fmt.Sprint(read, err))
		}
		fmt.Println(n, wrote.Side)
	}
}
`},
		command: func(t *testing.T, dir string) *exec.Cmd {
			binary := filepath.Join(dir, "backend")
			build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
			build.Dir = dir
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return exec.CommandContext(t.Context(), binary)
		},
	},
}

// TestSnippets runs the code that docs/backends.md shows for Node and Go while its user moves there and back:
// nothing that was acknowledged is lost, and both sides answered.
func TestSnippets(t *testing.T) {
	page, err := os.ReadFile("../../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snippets {
		t.Run(s.lang, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, code, found := strings.Cut(string(page), "```"+s.lang+"\n")
			code, _, ended := strings.Cut(code, "```\n")
			if !found || !ended {
				t.Fatalf("docs/backends.md shows no %s", s.lang)
			}
			put(t, filepath.Join(dir, s.file), code)
			for name, text := range s.rest {
				put(t, filepath.Join(dir, name), text)
			}
			user, op := newUsers(t, cloud, 1)[0], newOperator(t, cloud)
			said := s.drive(t, dir, user, func() {
				for _, command := range []string{"migrate", "rollback", "migrate"} {
					time.Sleep(time.Second)
					must(t, op, command, user)
				}
				time.Sleep(time.Second)
			})
			s.judge(t, user, said)
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// drive runs the program while `while` runs, and returns its lines.
func (s snippet) drive(t *testing.T, dir, user string, while func()) []string {
	t.Helper()
	cmd := s.command(t, dir)
	cmd.Args = append(cmd.Args, user)
	cmd.Env = append(os.Environ(), "SERVICE_URL="+cloud.URL, "SERVICE_TOKEN="+writer)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	while()
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	return strings.Split(strings.TrimSpace(stdout.String()), "\n")
}

// judge compares what was acknowledged with what is there.
func (s snippet) judge(t *testing.T, user string, said []string) {
	t.Helper()
	last := len(said) - 1
	if said[last] != "sql-error" {
		t.Errorf("a statement that is none ends with %q", said[last])
	}
	r := report{Acknowledged: map[string][]int{}}
	sides := map[string]int{}
	for _, line := range said[:last] {
		var n int
		var side string
		if _, err := fmt.Sscan(line, &n, &side); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		r.Acknowledged[user] = append(r.Acknowledged[user], n)
		sides[side]++
	}
	if sides["file"] == 0 || sides["store"] == 0 {
		t.Errorf("who answered: %v", sides)
	}
	t.Logf("%d acknowledged (%v), %d lost", last, sides, r.lost(t, cloud))
}
