// Package metrics tells a monitoring system how a run goes, in OpenMetrics text: in a file that
// node_exporter's textfile collector reads.
package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Run are the figures of one run.
type Run struct {
	action, run, version string
	chosen               int
	began                time.Time
	source               Source

	mu            sync.Mutex
	users         map[string]int64 // by outcome
	bytes         int64
	took, windows histogram
}

// Source is what the figures are read from at the moment of each scrape.
type Source struct {
	InFlight func() int
	Traffic  func() (calls, throttled map[userdb.Service]int64)
	// Rehearsed is when a rollback was last rehearsed without a failure; zero while nobody knows.
	Rehearsed func() time.Time
}

// services are told from the beginning, so that a rate has a zero to start from.
var services = []userdb.Service{userdb.ServiceKV, userdb.ServiceR2, userdb.ServiceWorker}

var (
	// tookBuckets reach from a small user to one of gigabytes.
	tookBuckets = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	// windowBuckets are about the time that the application's writes wait.
	windowBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// New makes the figures of a run of action over so many users.
func New(action, run, version string, chosen int, began time.Time, source Source) *Run {
	return &Run{
		action: action, run: run, version: version, chosen: chosen, began: began, source: source,
		users: map[string]int64{},
		took:  newHistogram(tookBuckets), windows: newHistogram(windowBuckets),
	}
}

// Done counts a user; window is 0 when the application's writes did not wait.
func (r *Run) Done(outcome string, bytes int64, took, window time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users[outcome]++
	r.bytes += bytes
	r.took.observe(took.Seconds())
	if window > 0 {
		r.windows.observe(window.Seconds())
	}
}

// text is all figures, each kind under its name, in the order of the names.
func (r *Run) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	action := label{"action", r.action}
	calls, throttled := r.source.Traffic()
	var p page
	p.counter("dbmigrate_bytes", "Bytes of the files of users who are done.")
	p.value("dbmigrate_bytes_total", float64(r.bytes), action)
	r.rehearsal(&p)
	p.counter("dbmigrate_requests", "HTTP requests sent, repeated ones too.")
	p.services("dbmigrate_requests_total", calls)
	p.gauge("dbmigrate_run_info", "The run, and who runs it.", 1,
		action, label{"run", r.run}, label{"version", r.version})
	p.gauge("dbmigrate_run_start_time_seconds", "When the run began, Unix time.",
		float64(r.began.UnixMilli())/1000, action)
	p.counter("dbmigrate_throttled", "Answers that asked to slow down.")
	p.services("dbmigrate_throttled_total", throttled)
	p.histogram("dbmigrate_user_duration_seconds", "How long one user took.", r.took, action)
	p.gauge("dbmigrate_users_chosen", "Users that the run is about.", float64(r.chosen), action)
	p.gauge("dbmigrate_users_in_flight", "Users who are worked on.", float64(r.source.InFlight()), action)
	if len(r.users) > 0 {
		p.counter("dbmigrate_users", "Users who are done, by outcome.")
	}
	for _, outcome := range slices.Sorted(maps.Keys(r.users)) {
		p.value("dbmigrate_users_total", float64(r.users[outcome]), action, label{"outcome", outcome})
	}
	p.histogram("dbmigrate_write_window_seconds", "How long the application's writes waited for one user.",
		r.windows, action)
	return p.String() + "# EOF\n"
}

// rehearsal tells how long ago a rollback was last rehearsed. Where none was, there is no figure.
func (r *Run) rehearsal(p *page) {
	if r.source.Rehearsed == nil {
		return
	}
	if last := r.source.Rehearsed(); !last.IsZero() {
		p.gauge("dbmigrate_rehearsal_age_seconds",
			"How long ago a rollback was last rehearsed without a failure.", time.Since(last).Seconds())
	}
}
