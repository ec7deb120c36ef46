// Package metrics tells a monitoring system how a run goes, in OpenMetrics text: in a file that
// node_exporter's textfile collector reads, and at an address that Prometheus scrapes while the run lasts.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Run are the figures of one run.
type Run struct {
	registry *prometheus.Registry
	users    *prometheus.CounterVec
	bytes    prometheus.Counter
	took     prometheus.Histogram
	windows  prometheus.Histogram
}

// Source is what the figures are read from at the moment of each scrape.
type Source struct {
	InFlight func() int
	Traffic  func() (calls, throttled map[userdb.Service]int64)
	// Rehearsed is when a rollback was last rehearsed without a failure; zero while nobody knows.
	Rehearsed func() time.Time
}

// services are told from the beginning, so that a rate has a zero to start from.
var services = []userdb.Service{userdb.ServiceR2, userdb.ServiceKV, userdb.ServiceWorker}

var (
	// tookBuckets reach from a small user to one of gigabytes.
	tookBuckets = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	// windowBuckets are about the time that the application's writes wait.
	windowBuckets = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// New makes the figures of a run of action over so many users.
func New(action, run, version string, chosen int, began time.Time, source Source) *Run {
	labels := prometheus.Labels{"action": action}
	r := &Run{
		registry: prometheus.NewRegistry(),
		users: prometheus.NewCounterVec(
			prometheus.CounterOpts{
				Name:        "dbmigrate_users_total",
				Help:        "Users who are done, by outcome.",
				ConstLabels: labels,
			},
			[]string{"outcome"},
		),
		bytes: prometheus.NewCounter(
			prometheus.CounterOpts{
				Name:        "dbmigrate_bytes_total",
				Help:        "Bytes of the files of users who are done.",
				ConstLabels: labels,
			},
		),
		took: prometheus.NewHistogram(
			prometheus.HistogramOpts{Name: "dbmigrate_user_duration_seconds", Help: "How long one user took.",
				ConstLabels: labels, Buckets: tookBuckets},
		),
		windows: prometheus.NewHistogram(
			prometheus.HistogramOpts{
				Name:        "dbmigrate_write_window_seconds",
				Help:        "How long the application's writes waited for one user.",
				ConstLabels: labels,
				Buckets:     windowBuckets,
			},
		),
	}
	r.addGauges(labels, run, version, chosen, began, source)
	for _, who := range services {
		r.addService(who, source)
	}
	if source.Rehearsed != nil {
		r.registry.MustRegister(rehearsal{source.Rehearsed})
	}
	return r
}

// addGauges registers the counters of users, and what is said of the run as a whole.
func (r *Run) addGauges(
	labels prometheus.Labels,
	run, version string,
	chosen int,
	began time.Time,
	source Source,
) {
	gauge := func(name, help string, more prometheus.Labels, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: with(labels, more)},
			value,
		)
	}
	r.registry.MustRegister(
		r.users,
		r.bytes,
		r.took,
		r.windows,
		gauge(
			"dbmigrate_users_in_flight",
			"Users who are worked on.",
			nil,
			func() float64 { return float64(source.InFlight()) },
		),
		gauge(
			"dbmigrate_users_chosen",
			"Users that the run is about.",
			nil,
			func() float64 { return float64(chosen) },
		),
		gauge(
			"dbmigrate_run_info",
			"The run, and who runs it.",
			prometheus.Labels{"run": run, "version": version},
			func() float64 { return 1 },
		),
		gauge(
			"dbmigrate_run_start_time_seconds",
			"When the run began, Unix time.",
			nil,
			func() float64 { return float64(began.UnixMilli()) / 1000 },
		),
	)
}

func (r *Run) addService(who userdb.Service, source Source) {
	labels := prometheus.Labels{"service": string(who)}
	r.registry.MustRegister(
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name:        "dbmigrate_requests_total",
				Help:        "HTTP requests sent, repeated ones too.",
				ConstLabels: labels,
			},
			func() float64 { calls, _ := source.Traffic(); return float64(calls[who]) },
		),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{
				Name:        "dbmigrate_throttled_total",
				Help:        "Answers that asked to slow down.",
				ConstLabels: labels,
			},
			func() float64 { _, throttled := source.Traffic(); return float64(throttled[who]) },
		),
	)
}

func with(labels, more prometheus.Labels) prometheus.Labels {
	out := prometheus.Labels{}
	for _, l := range []prometheus.Labels{labels, more} {
		for name, value := range l {
			out[name] = value
		}
	}
	return out
}

// Done counts a user; window is 0 when the application's writes did not wait.
func (r *Run) Done(outcome string, bytes int64, took, window time.Duration) {
	r.users.WithLabelValues(outcome).Inc()
	r.bytes.Add(float64(bytes))
	r.took.Observe(took.Seconds())
	if window > 0 {
		r.windows.Observe(window.Seconds())
	}
}

// rehearsal tells how long ago a rollback was last rehearsed. Where none was, there is no figure.
type rehearsal struct{ last func() time.Time }

var rehearsalAge = prometheus.NewDesc(
	"dbmigrate_rehearsal_age_seconds",
	"How long ago a rollback was last rehearsed without a failure.",
	nil,
	nil,
)

// Describe names the figure.
func (rehearsal) Describe(to chan<- *prometheus.Desc) { to <- rehearsalAge }

// Collect tells it.
func (r rehearsal) Collect(to chan<- prometheus.Metric) {
	if last := r.last(); !last.IsZero() {
		to <- prometheus.MustNewConstMetric(rehearsalAge, prometheus.GaugeValue, time.Since(last).Seconds())
	}
}
