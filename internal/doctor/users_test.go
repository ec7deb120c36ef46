package doctor

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// TestStaleFlagsProveNothing: the object of a user with a stale flag is EMPTY, and the next user is asked.
// Split users are users, and EMPTY objects alone are no finding.
func TestStaleFlagsProveNothing(t *testing.T) {
	stale := []string{"s1", "s2", "s3"}
	many := []string{"s1", "s2", "s3", "s4", "s5", "alice"}
	for name, c := range map[string]struct {
		cloud cloud
		ok    bool
		says  []string
	}{
		"nobody": {cloud{}, false, []string{"no user has a flag"}},
		"stale, then a user": {cloud{flags: append(stale, "alice"), active: []string{"alice"}}, true,
			[]string{"the Durable Object of alice answers, ACTIVE", "EMPTY Durable Object: s1, s2, s3;"}},
		"stale alone": {cloud{flags: stale}, false, []string{"EMPTY Durable Object: s1, s2, s3; `dbmigrate status s1 s2 s3`"}},
		"more stale than are asked": {cloud{flags: many, active: []string{"alice"}}, false,
			[]string{"EMPTY Durable Object: s1, s2, s3, s4, s5;"}},
		"split users": {cloud{splitFlags: []string{"bob"}, active: []string{"bob"}}, true,
			[]string{"the Durable Object of bob answers"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&c.cloud)
			defer server.Close()
			f := checkUser(t.Context(), configOf(server.URL), "test")[0]
			if f.OK != c.ok || f.NotTried == c.ok {
				t.Errorf("%+v", f)
			}
			for _, text := range c.says {
				if !strings.Contains(f.Detail, text) {
					t.Errorf("%q lacks %q", f.Detail, text)
				}
			}
		})
	}
}

// TestWatchComparesCauses: a new version of the Worker and another cause of a failure are news. Times, counts
// of questions and ports are not.
func TestWatchComparesCauses(t *testing.T) {
	version := func(detail string) Finding { return Finding{Check: checkVersion, OK: true, Detail: detail} }
	fails := func(detail string) Finding { return Finding{Check: "kv", Detail: detail} }
	for _, c := range []struct {
		was, now Finding
		same     bool
	}{
		{version("0.1.0 (5 of 5)"), version("0.1.0 (3 of 3); no time for the rest of 5 questions"), true},
		{version("0.1.0 (5 of 5)"), version("0.2.0 (5 of 5)"), false},
		{fails("answer 503 Service Unavailable"), fails("answer 403 Forbidden"), false},
		{fails("read tcp 10.0.0.1:53211->1.2.3.4:443: reset"), fails("read tcp 10.0.0.1:40001->1.2.3.4:443: reset"), true},
		{fails("this machine is 20m3.5s off R2"), fails("this machine is 20m4.1s off R2"), true},
		{fails("x"), Finding{Check: "kv", OK: true, Detail: "x"}, false},
		{Finding{Check: "clock", OK: true, Detail: "5ms off"}, Finding{Check: "clock", OK: true, Detail: "9s off"}, true},
	} {
		if same(c.was, c.now) != c.same {
			t.Errorf("%q after %q: the same is %v", c.now.Detail, c.was.Detail, !c.same)
		}
	}
}

// TestNewVersionIsSaid, as a version, and not as one that is ok again.
func TestNewVersionIsSaid(t *testing.T) {
	var talk bytes.Buffer
	out := terminal.New(terminal.Options{Out: &bytes.Buffer{}, Err: &talk, Format: terminal.Table})
	before := map[string]Finding{checkVersion: {Check: checkVersion, OK: true, Detail: "a (5 of 5)"}}
	if _, err := printChanges(out, []Finding{{Check: checkVersion, OK: true, Detail: "b (5 of 5)"}}, before); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(talk.String(), "worker version: ok: b (5 of 5)") {
		t.Errorf("%q", &talk)
	}
}

// TestWatchIsQuietBetweenLooks, for as long as --watch says.
func TestWatchIsQuietBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var talk bytes.Buffer
		out := terminal.New(terminal.Options{Out: &talk, Err: &talk})
		stop := out.Break(terminal.DefaultSilence, func() string { return "" })
		again := pause(t.Context(), out, time.Hour)
		stop()
		if !again || talk.Len() > 0 {
			t.Errorf("%v: %q", again, &talk)
		}
	})
}
