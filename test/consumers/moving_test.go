package consumers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/initialize"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// TestApplicationWhileItsUsersMove runs an application with Hono and Drizzle, made from the template of
// create-cloudflare, while its users are moved there and back. Each note that it acknowledged is there once.
func TestApplicationWhileItsUsersMove(t *testing.T) {
	p := newHome(t).project(t, "hono")
	newApplication(t, p)
	p.declareBindings()
	p.copySource()
	p.install()
	p.node("wrangler/bin/wrangler.js", "types")
	p.node("typescript/bin/tsc", "--noEmit")
	s, err := stack.Start(t.Context(), stack.Options{ConfigPath: p.config()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	a := &application{T: t, url: s.URL, acknowledged: map[string][]string{}}
	users := []string{"anna", "bert"}
	for _, user := range users {
		if status, text := a.ask(http.MethodPut, "/"+user, ""); status != http.StatusCreated {
			t.Fatalf("PUT %s: HTTP %d %s", user, status, text)
		}
	}
	rounds := effort.Amount(t, "rounds there and back of an application", 2, 20)
	a.whileItWrites(users, func() { moveThereAndBack(t, s, users, rounds) })
	lost := a.lost()
	t.Logf("%d cutovers, %d notes acknowledged, %d with an error, %d lost",
		2*rounds*len(users), a.count(), a.failed, lost)
	if lost > 0 || a.count() == 0 {
		t.Errorf("%d notes acknowledged, %d lost", a.count(), lost)
	}
}

// declareBindings lets init write the bindings, with the credentials that the local runtime wants for S3.
func (p *project) declareBindings() {
	p.t.Helper()
	in := config.Input{Dir: p.dir, Getenv: func(string) string { return "" }}
	in.Flags.Bucket, in.Flags.KVNamespace = "user-data", "dbmigrate-flags"
	if _, err := initialize.WriteWorker(in, false); err != nil {
		p.t.Fatal(err)
	}
	const bucket = `"bucket_name": "user-data"`
	const local = `, "local_dev": { "experimental_s3_credentials": { "accessKeyId": "local-key", "secretAccessKey": "local-secret" } }`
	text := p.read("wrangler.jsonc")
	if strings.Count(text, bucket) != 1 {
		p.t.Fatalf("wrangler.jsonc has another form:\n%s", text)
	}
	p.write("wrangler.jsonc", strings.Replace(text, bucket, bucket+local, 1))
}

func (p *project) copySource() {
	p.t.Helper()
	source, err := os.ReadFile("testdata/hono/src/index.ts")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("src/index.ts", string(source))
}

func moveThereAndBack(t *testing.T, s *stack.Stack, users []string, rounds int) {
	t.Helper()
	binary, err := harness.Build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	op, err := harness.NewOperator(s, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	for range rounds {
		for _, command := range []string{"migrate", "rollback"} {
			if _, err := op.Must(0, append([]string{command}, users...)...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// application is the running one, and what it told its clients.
type application struct {
	*testing.T
	url string

	mu           sync.Mutex
	acknowledged map[string][]string // notes by user
	failed       int
}

func (a *application) ask(method, path, body string) (status int, text string) {
	request, err := http.NewRequestWithContext(a.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.Error(err)
		return 0, ""
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(content)
}

// whileItWrites lets two clients of each user write until the moves are done.
func (a *application) whileItWrites(users []string, move func()) {
	done := make(chan struct{})
	var clients sync.WaitGroup
	for _, user := range users {
		for client := range 2 {
			clients.Go(func() { a.client(user, client, done) })
		}
	}
	defer clients.Wait()
	defer close(done)
	move()
}

func (a *application) client(user string, client int, done <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		note := fmt.Sprintf("%s-%d-%d", user, client, n)
		status, text := a.ask(http.MethodPost, "/"+user+"/notes", fmt.Sprintf(`{"body":%q}`, note))
		a.mu.Lock()
		if status == http.StatusCreated {
			a.acknowledged[user] = append(a.acknowledged[user], note)
		} else {
			a.failed++
			a.Logf("%s: HTTP %d %s", note, status, bytes.TrimSpace([]byte(text)))
		}
		a.mu.Unlock()
	}
}

func (a *application) count() (n int) {
	for _, notes := range a.acknowledged {
		n += len(notes)
	}
	return n
}

// lost counts the acknowledged notes that are not there with one star.
func (a *application) lost() (lost int) {
	a.Helper()
	for user, notes := range a.acknowledged {
		var rows []struct {
			Body  string `json:"body"`
			Stars int    `json:"stars"`
		}
		status, text := a.ask(http.MethodGet, "/"+user+"/notes", "")
		if err := json.Unmarshal([]byte(text), &rows); err != nil || status != http.StatusOK {
			a.Fatalf("GET notes of %s: HTTP %d %s, %v", user, status, text, err)
		}
		stars := map[string]int{}
		for _, row := range rows {
			stars[row.Body] += row.Stars
		}
		for _, note := range notes {
			if stars[note] != 1 {
				lost++
				a.Errorf("%s was acknowledged, and has %d stars", note, stars[note])
			}
		}
	}
	return lost
}
