package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/metrics"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// watchFlags say what else, beside stdout and stderr, is told of a run.
type watchFlags struct {
	recordDir   string
	metricsFile string
	metricsAddr string
	reason      string
}

// add adds the flags of every command over users; an act, which changes something, has a reason, too.
func (f *watchFlags) add(flags *pflag.FlagSet, act bool) {
	flags.StringVar(&f.recordDir, "record-dir", "", "`folder` of the run records (default: runs, in dbmigrate's folder under $XDG_STATE_HOME or ~/.local/state)")
	flags.StringVar(&f.metricsFile, "metrics-file", "", "`file` to keep OpenMetrics text in, for node_exporter's textfile collector; its name has to end with .prom there")
	flags.StringVar(&f.metricsAddr, "metrics-addr", "", "`address` to serve OpenMetrics at while the run lasts; :9090 is this machine only")
	if act {
		flags.StringVar(&f.reason, "reason", "", "why, for the audit line: one line of `text`, such as a ticket's number")
	}
}

// watchRuns checks the flags, before anything is begun; what the command runs is watched from then on.
func (a *app) watchRuns(f *watchFlags) error {
	if err := record.CheckReason(f.reason); err != nil {
		return err
	}
	a.watch = watch{on: true, flags: *f}
	if f.metricsFile != "" {
		if info, err := os.Stat(filepath.Dir(f.metricsFile)); err != nil || !info.IsDir() {
			return usageError("read --metrics-file", f.metricsFile, "its folder is not there", "make the folder, or name another one")
		}
	}
	if f.metricsAddr != "" {
		var err error
		if a.watch.listener, err = metrics.Listen(f.metricsAddr); err != nil {
			return usageError("read --metrics-addr", f.metricsAddr, err.Error(), "")
		}
	}
	return nil
}

// watch is what is told of one run: the run record, the audit line, the metrics. None of them ever fails a user; what cannot be written is a warning.
type watch struct {
	on       bool // by watchRuns
	flags    watchFlags
	listener net.Listener

	record  *record.Writer
	keeper  *record.Keeper
	act     *record.Act
	stateAt string
	metrics *metrics.Run
	stop    []func()
	warn    func(string, ...any)
	files   migrate.Files
	action  migrate.Action
}

// metricsEvery is how often --metrics-file is written; scrapes are seldom more frequent.
const metricsEvery = 15 * time.Second

// begin is called when the users are known, and before the first of them is begun.
func (w *watch) begin(r *fleetRun, bytes int64) {
	if !w.on {
		return
	}
	w.warn, w.files, w.action = r.out.Warn, r.engine.Files, r.action
	b := record.Begin{Record: record.Version, Run: r.engine.Run, Action: string(r.action), At: r.began.UnixMilli(), Command: r.command, Version: r.engine.Version,
		Who: record.Operator(r.getenv), Reason: w.flags.reason, Bucket: r.engine.Bucket, Layout: r.engine.Layout.String(), Users: r.account.Users, Bytes: bytes}
	if b.Users > 0 {
		w.stateAt = w.stateDir(r.getenv)
		w.beginRecord(b)
		w.beginAudit(b)
	}
	w.beginMetrics(r, b)
}

// stateDir falls back to a folder that goes away: the copies in R2 matter more then.
func (w *watch) stateDir(getenv func(string) string) string {
	dir, err := record.StateDir(getenv)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		return dir
	}
	w.warn("keep records on this machine: %v (set XDG_STATE_HOME, or --record-dir); the copies in R2 are kept", err)
	if dir, err = record.FallbackDir(os.TempDir()); err != nil {
		w.warn("keep records on this machine: %v", err)
	}
	return dir
}

// changes says whether an action changes anything: only then its record is copied into the bucket, and only then there is an audit line.
func changes(action string) bool {
	return action != string(migrate.ActionVerify) && action != string(migrate.ActionRehearse)
}

func (w *watch) beginRecord(b record.Begin) {
	dir := w.flags.recordDir
	if dir == "" {
		dir = filepath.Join(w.stateAt, recordFolder)
	}
	written, err := record.Create(dir, b)
	if err != nil {
		w.warn("write the run record: %v", err)
		return
	}
	var files record.Files
	if changes(b.Action) {
		files = w.files
	}
	w.record = written
	w.keeper = record.Keep(written, files, func(err error) { w.warn("keep the run record %s: %v", written.Path(), err) })
}

// recordFolder is where records are, under the state folder.
const recordFolder = "runs"

func (w *watch) beginAudit(b record.Begin) {
	if !changes(b.Action) {
		return
	}
	w.act = &record.Act{Audit: record.ActVersion, Run: b.Run, State: record.ActBegun, Action: b.Action, At: b.At, Who: b.Who, Reason: b.Reason, Command: b.Command,
		Version: b.Version, Bucket: b.Bucket, Users: b.Users, Bytes: b.Bytes, Record: string(record.Key(b.Run))}
	w.writeAct()
}

func (w *watch) writeAct() {
	if err := w.act.Write(context.Background(), w.stateAt, w.files); err != nil {
		w.warn("write the audit line: %v", err)
	}
}

func (w *watch) beginMetrics(r *fleetRun, b record.Begin) {
	if w.flags.metricsFile == "" && w.listener == nil {
		return
	}
	w.metrics = metrics.New(b.Action, b.Run, b.Version, b.Users, r.began, metrics.Source{InFlight: r.flying, Traffic: r.traffic.counts})
	if w.listener != nil {
		w.stop = append(w.stop, w.metrics.Serve(w.listener))
	}
	if w.flags.metricsFile != "" {
		w.stop = append(w.stop, every(metricsEvery, w.writeMetrics))
	}
}

func (w *watch) writeMetrics() {
	if err := w.metrics.WriteFile(w.flags.metricsFile); err != nil {
		w.warn("write the metrics: %v", err)
	}
}

// every does something now, every so often, and once more when it is stopped.
func every(d time.Duration, do func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			do()
			select {
			case <-ctx.Done():
				do()
				return
			case <-time.After(d):
			}
		}
	}()
	return func() {
		cancel()
		<-stopped
	}
}

// user is told of each user who was begun, one at a time, and again of one who was verified with a difference or taken back afterwards.
func (w *watch) user(r migrate.Result) {
	if r.Outcome == migrate.OutcomeNotBegun {
		return
	}
	if w.record != nil {
		w.record.User(r)
	}
	if w.metrics != nil {
		bytes := r.Bytes
		if r.Err() != nil || r.Action != w.action {
			bytes = 0
		}
		w.metrics.Done(string(r.Outcome), bytes, r.Took, r.Window)
	}
}

// end is told the account of the run.
func (w *watch) end(a *account) {
	for _, stop := range w.stop {
		stop()
	}
	now := time.Now()
	var last sync.WaitGroup
	if w.record != nil {
		w.record.End(now, a)
		last.Go(w.keeper.End)
	}
	if w.act != nil {
		w.act.State, w.act.EndAt, w.act.Summary = record.ActEnded, now.UnixMilli(), a
		w.writeAct()
	}
	last.Wait()
}

// left is told when a second signal ends the command at once. The record keeps its lines, and has no end: nobody knows how the open users ended.
func (w *watch) left() {
	if w.record != nil {
		_ = w.record.Sync() // there is no time left to say why not
	}
}
