package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// The services that can be in trouble, as requests to them are named.
const (
	bucket = "R2"
	flags  = "KV"
	worker = "admin"
)

// forever is more requests than any command sends.
const forever = 1 << 30

// trouble is what happens to some requests of a command.
type trouble struct {
	name  string
	where string // the beginning of the requests' names
	from  int    // so many of each name pass first
	times int    // so many of each name are hit then
	fault faultproxy.Fault
	// stops are the kinds of error with which the command may stop; none: it has to finish.
	stops []string
}

// rule counts the requests of each name apart. It adds each one that it hits to hits.
func (tr trouble) rule(hits *atomic.Int64) faultproxy.Rule {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(r faultproxy.Request) faultproxy.Fault {
		if !strings.HasPrefix(r.Name(), tr.where) {
			return faultproxy.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		n := seen[r.Name()]
		seen[r.Name()]++
		if n < tr.from || n-tr.from >= tr.times {
			return faultproxy.Fault{}
		}
		hits.Add(1)
		return tr.fault
	}
}

func answers(status int, headers ...string) faultproxy.Fault {
	f := faultproxy.Fault{Swallow: true, Status: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: "trouble"}
	for i := 0; i+1 < len(headers); i += 2 {
		f.Header.Set(headers[i], headers[i+1])
	}
	return f
}

func withBody(f faultproxy.Fault, mediaType, body string) faultproxy.Fault {
	f.Body = body
	f.Header.Set("Content-Type", mediaType)
	return f
}

var (
	loginPage   = withBody(answers(200), "text/html", "<!doctype html><title>Sign in</title><form></form>")
	redirect    = answers(302, "Location", "https://login.example.com/")
	waitASecond = func(status int) faultproxy.Fault { return answers(status, "Retry-After", "1") }
)

// passing are troubles that pass: the command has to get over them.
func passing() []trouble {
	var all []trouble
	for _, where := range []string{bucket, flags, worker} {
		all = append(all,
			trouble{name: "429 with Retry-After", where: where, times: 1, fault: waitASecond(429)},
			trouble{name: "500", where: where, times: 2, fault: answers(500)},
			trouble{name: "503", where: where, times: 2, fault: answers(503)},
			trouble{name: "reset before it arrives", where: where, times: 2, fault: faultproxy.Fault{Swallow: true}},
			trouble{name: "reset after it arrived", where: where, times: 2, fault: faultproxy.Fault{Cut: true}},
			trouble{name: "half an answer", where: where, times: 2, fault: faultproxy.Fault{CutHalf: true}},
			trouble{name: "slow answers", where: where, times: 2, fault: faultproxy.Fault{Drip: 300 * time.Millisecond}},
			trouble{name: "arrives, but answers 500", where: where, times: 1, fault: faultproxy.Fault{Status: 500, Body: "oh"}},
		)
	}
	return append(all,
		trouble{name: "429 without Retry-After", where: bucket, times: 1, fault: answers(429)},
		trouble{name: "429 without Retry-After", where: flags + " PUT", times: 1, fault: answers(429)},
		trouble{name: "429 without Retry-After", where: worker, times: 2, fault: answers(429)},
	)
}

// lasting are troubles that do not pass: the command stops.
func lasting() []trouble {
	var all []trouble
	for _, where := range []string{bucket, flags, worker, "R2 PUT", "KV PUT", "KV POST", "admin rows", "admin schema", "admin digest", "admin activate", "admin release"} {
		refusals := []string{"unauthorized", "protocol-error"}
		all = append(all,
			trouble{name: "login page", where: where, times: forever, fault: loginPage, stops: refusals},
			trouble{name: "redirect", where: where, times: forever, fault: redirect, stops: refusals})
	}
	return append(all,
		trouble{name: "500 for ever", where: "R2 PUT", times: forever, fault: answers(500), stops: []string{"unreachable"}},
		trouble{name: "truncated GET", where: "R2 GET", times: 1, from: 1, fault: faultproxy.Fault{Truncate: true}, stops: []string{"protocol-error"}},
		trouble{name: "truncated GET", where: "R2 GET", times: forever, fault: faultproxy.Fault{Truncate: true}, stops: []string{"protocol-error", "unreachable"}},
		trouble{name: "429 for ever", where: "admin ready", times: forever, fault: waitASecond(429), stops: []string{"throttled"}},
	)
}

// TestTroubleThatPasses: the command takes longer, and ends as if nothing had been.
func TestTroubleThatPasses(t *testing.T) { suffer(t, passing()) }

// TestTroubleThatLasts: the command stops, says why, and the same command ends it when the trouble is over.
func TestTroubleThatLasts(t *testing.T) { suffer(t, lasting()) }

func suffer(t *testing.T, troubles []trouble) {
	for _, tr := range troubles {
		t.Run(strings.ReplaceAll(tr.where+" "+tr.name, " ", "_")+fmt.Sprint(tr.from), func(t *testing.T) {
			t.Parallel()
			op, users := newOperator(t), []*subject{newSubject(t), newSubject(t)}
			var hits atomic.Int64
			op.suffers("migrate", "store", users, tr.rule(&hits), tr.stops)
			op.suffers("rollback", "file", users, tr.rule(&hits), tr.stops)
			if hits.Load() == 0 {
				t.Error("no request was hit")
			}
		})
	}
}

// suffers runs a command in trouble, demands a clear account of it, and then runs the same command without trouble.
func (o *operator) suffers(command, serves string, users []*subject, rule faultproxy.Rule, stops []string) {
	o.t.Helper()
	o.proxy.Reset(rule)
	f := o.mustRun(append([]string{command}, names(users)...)...)
	o.proxy.Reset(nil)
	o.t.Log(f.account())
	o.mustBeClear(f, serves, users, stops)
	o.mustFinish(command, serves, users)
}

// mustBeClear holds what the command said against what is: exit 0 only if every user is where the command takes him, writes wait only for
// those who are said to be open, and every read has every acknowledged write.
func (o *operator) mustBeClear(f finished, serves string, users []*subject, stops []string) {
	o.t.Helper()
	if f.exit != 0 && len(stops) == 0 {
		o.t.Fatalf("it had to finish: %v", f)
	}
	if f.exit != 0 && f.exit != 1 && f.exit != 2 || f.exit != 0 && f.stderr == "" {
		o.t.Fatalf("no clear end: %v", f)
	}
	now := o.served(users)
	failed := 0
	for _, u := range users {
		a, accounted := f.accounts[u.name]
		if accounted == (f.exit == 2) {
			o.t.Fatalf("exit 2 has no accounts, and every other end one for %s: %v", u.name, f)
		}
		if a.Error != nil {
			failed++
			if !slices.Contains(append(stops, "interrupted"), a.Error.Kind) {
				o.t.Fatalf("kind %s is not of %v: %v", a.Error.Kind, stops, f)
			}
		} else if accounted && now[u.name] != serves {
			o.t.Fatalf("%s is said to be done, and served by %s: %v", u.name, now[u.name], f)
		}
		// A PUT whose fate is unknown may fence the file later: such a user is open, too, although the file still serves.
		if now[u.name] == "neither" && !a.Open {
			o.t.Fatalf("%s is not said to be open, and nobody serves: %v", u.name, f)
		}
		if now[u.name] != "neither" {
			u.write()
		}
		u.check()
	}
	if f.exit == 1 && failed == 0 || f.exit == 0 && failed > 0 {
		o.t.Fatalf("the exit code contradicts the accounts: %v", f)
	}
}

// mustFinish runs the same command again, undisturbed.
func (o *operator) mustFinish(command, serves string, users []*subject) {
	o.t.Helper()
	o.must(0, append([]string{command}, names(users)...)...)
	for name, by := range o.served(users) {
		if by != serves {
			o.t.Fatalf("after a second %s, %s is served by %s", command, name, by)
		}
	}
	for _, u := range users {
		u.write()
		u.check()
	}
}

// account is the run in one line, for the table in the docs.
func (f finished) account() string {
	var kinds []string
	for _, a := range f.accounts {
		word := a.Outcome
		if a.Error != nil {
			word = "failed (" + a.Error.Kind + ")"
		}
		if a.Open {
			word += ", open"
		}
		kinds = append(kinds, word)
	}
	slices.Sort(kinds)
	return fmt.Sprintf("%s: exit %d: %s", strings.Fields(f.command)[0], f.exit, strings.Join(slices.Compact(kinds), "; "))
}
