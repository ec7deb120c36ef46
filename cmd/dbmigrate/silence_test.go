package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// lines are when a command spoke, and what it said.
type lines struct {
	mu   sync.Mutex
	at   []time.Time
	text []string
}

func (l *lines) add(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.text = append(l.at, time.Now()), append(l.text, text)
	return len(l.at)
}

// asking are the commands that ask a service, and how they are called.
func asking(t *testing.T, policy string) map[string]string {
	return map[string]string{
		"doctor":   "doctor",
		"scan":     "scan",
		"migrate":  "migrate alice",
		"verify":   "verify alice",
		"rollback": "rollback alice",
		"thaw":     "thaw alice --requested --policy " + policy,
		"gc":       "gc alice",
		"status":   "status alice",
		"runs":     "runs",
		"history":  "history alice",
		"forget":   "forget alice",
		"selftest": "selftest",
		"backup":   "backup alice --to " + t.TempDir(),
		"restore":  "restore alice --from " + policy,
	}
}

// neverSilent are the commands that ask no service.
var neverSilent = []string{"init", "dev", "version", "completion", "man", "help", "connection"}

// TestNoCommandIsSilent: with a Worker, R2 and KV that take requests and answer none, and with ones that
// refuse connections, each command says again and again what it waits for. A tenth of a second stands for
// the 3.8 seconds of real life. How long it was silent depends on this machine, and is logged: the bound is
// held in virtual time, by terminal.TestNoSilenceIsLongerThanItMayBe.
func TestNoCommandIsSilent(t *testing.T) {
	hung := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hung:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(hang.Close)
	t.Cleanup(func() { close(hung) })
	refuses, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + refuses.Addr().String()
	refuses.Close()

	ways := asking(t, policyFile(t))
	var mu sync.Mutex
	var table []string
	t.Run("commands", func(t *testing.T) {
		for _, cmd := range newRoot(&app{}).Commands() {
			way, told := ways[cmd.Name()]
			if !told {
				if !slices.Contains(neverSilent, cmd.Name()) {
					t.Errorf("%s: the table does not say how it asks a service", cmd.Name())
				}
				continue
			}
			for down, url := range map[string]string{"no answer": hang.URL, "no connection": gone} {
				t.Run(cmd.Name()+", "+down, func(t *testing.T) {
					t.Parallel()
					longest, said := silenceOf(t, url, strings.Fields(way))
					mu.Lock()
					defer mu.Unlock()
					table = append(table, fmt.Sprintf("%-10s %-14s %5.1f times the setting; %s", cmd.Name(), down, longest, said))
				})
			}
		}
	})
	slices.Sort(table)
	t.Log("\n" + strings.Join(table, "\n"))
}

// silenceOf is the longest silence of a command, and one of its lines.
func silenceOf(t *testing.T, url string, args []string) (longest float64, said string) {
	const setting, enough, most = 100 * time.Millisecond, 4, 40
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var spoke lines
	spoke.add("(begins)")
	read := make(chan struct{})
	go func() {
		defer close(read)
		waits := false // on a busy machine a command may speak before it has asked anybody
		for lines := bufio.NewScanner(r); lines.Scan(); {
			waits = waits || strings.Contains(lines.Text(), "waiting for ")
			if n := spoke.add(lines.Text()); n > enough && waits || n > most {
				stop()
			}
		}
	}()
	inCloud(ctx, t, url, func(a *app) {
		a.stderr, a.silence = w, terminal.Silence{Terminal: setting, Log: setting}
	}, args...)
	w.Close()
	<-read
	if len(spoke.at) <= enough {
		t.Fatalf("it said little: %q", spoke.text)
	}
	for i := range len(spoke.at) - 1 {
		if i < enough {
			longest = max(longest, spoke.at[i+1].Sub(spoke.at[i]).Seconds()/setting.Seconds())
		}
		if strings.Contains(spoke.text[i+1], "waiting for ") {
			said = spoke.text[i+1]
		}
	}
	if said == "" {
		t.Errorf("it does not say what it waits for: %q", spoke.text)
	}
	return longest, said
}

// TestDebugShowsNoSecret: each request is shown, and nothing that is in a header, a body or a query's value.
func TestDebugShowsNoSecret(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	for _, args := range []string{"doctor --debug --probe-writes", "migrate nobody --debug", "status nobody --debug"} {
		said := inCloud(t.Context(), t, server.URL, nil, strings.Fields(args)...)
		for _, want := range []string{"debug: R2: ", "debug: Worker: "} {
			if !strings.Contains(said.stderr, want) {
				t.Errorf("%s: %q is missing:\n%s", args, want, said.stderr)
			}
		}
		for _, secret := range []string{"api-token-secret", "s3-secret", "token-of-the-operator", "Signature=", "Bearer"} {
			if strings.Contains(said.stderr+said.stdout, secret) {
				t.Errorf("%s shows %q:\n%s", args, secret, said.stderr)
			}
		}
	}
}

// TestQuietAndVerbose: quiet commands only warn, and --json is --output json.
func TestQuietAndVerbose(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	run := func(args string) spoken { return inCloud(t.Context(), t, server.URL, nil, strings.Fields(args)...) }
	if said := run("runs -q"); said.stderr != "" || said.exit != exitDone {
		t.Errorf("%+v", said)
	}
	if said := run("runs --json"); !strings.HasPrefix(said.stdout, `{"summary"`) {
		t.Errorf("%+v", said)
	}
	if said := run("history nobody --json"); said.exit != exitUsage || !strings.HasPrefix(said.stderr, `{"error"`) {
		t.Errorf("%+v", said)
	}
	if said := run("runs --json --output csv"); said.exit != exitUsage {
		t.Errorf("%+v", said)
	}
	if said := run("runs -q -v"); said.exit != exitUsage {
		t.Errorf("%+v", said)
	}
	if said := run("--version"); said.exit != exitDone || !strings.HasPrefix(said.stdout, "dbmigrate ") {
		t.Errorf("%+v", said)
	}
}
