package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
)

// A record tells who was in flight only where the run has no end, and in words that are true of its state.
func TestWhoWasInFlight(t *testing.T) {
	const (
		begin = `{"begin":{"record":1,"run":"R","action":"migrate","users":3}}`
		begun = `{"begun":"alice"}` + "\n" + `{"begun":"bob"}` + "\n" + `{"begun":"carol"}`
		bob   = `{"user":"bob","action":"migrate","outcome":"migrated"}`
		end   = `{"end":{"at":1,"summary":{"users":3}}}`
	)
	for _, c := range []struct {
		name  string
		lines []string
		state record.State
		want  string
	}{
		{"killed", []string{begin, begun, bob}, record.NoEnd, "2 users were in flight when run R ended"},
		{"killed lately, or running", []string{begin, begun, bob}, record.Running, "2 users are in flight in run R, which goes on"},
		{"killed in the middle of a line", []string{begin, begun, bob, `{"user":"car`}, record.NoEnd, "2 users were in flight"},
		{"killed with nobody begun", []string{begin}, record.NoEnd, ""},
		{"ended", []string{begin, begun, bob, end}, record.Ended, ""},
		{"of an older program", []string{begin, bob}, record.NoEnd, ""},
	} {
		run, err := record.Each(strings.NewReader(strings.Join(c.lines, "\n")), nil)
		run.State = c.state
		got := InFlightText(run)
		if err != nil || !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// A run that is known from its copy alone says how old that is.
func TestCopiesHaveAnAge(t *testing.T) {
	const text = `{"begin":{"record":1,"run":"R","action":"migrate","users":3}}` + "\n" + `{"begun":"alice"}`
	run, err := record.Each(strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.Renewed, run.CopyAge = record.NoEnd, 1795665600000, 40*time.Second
	const want = "1 user was in flight when run R ended, as of its copy in R2, 40.0s old"
	if got := InFlightText(run); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if l := LineOf(run); l.AsOf != run.Renewed || !strings.Contains(outcomesText(l), "1 in flight") {
		t.Errorf("%+v", l)
	}
	run.CopyAge = 0
	if l := LineOf(run); l.AsOf != 0 || AsOf(run) != "" {
		t.Errorf("a record that is here has the age of a copy: %+v", l)
	}
}
