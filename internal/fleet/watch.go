package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/metrics"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Watch writes down one run: the run record, the audit line, the metrics. None of them ever fails a user;
// what cannot be written is a warning.
type Watch struct {
	// Reason is the operator's, for the audit line. Command is as it was given, without the ids of users.
	Reason  string
	Command []string
	// MetricsFile is kept up to date with OpenMetrics text; "": there is none. Traffic is counted in it.
	MetricsFile string
	Traffic     *Traffic
	Getenv      func(string) string
	Warn        func(string, ...any)

	record  *record.Writer
	keeper  *record.Keeper
	act     *record.Act
	begun   sync.WaitGroup // the audit line of the beginning, which no user waits for
	stateAt string
	metrics *metrics.Run
	stop    []func()
	files   migrate.Files
	action  result.Action
	looks   sync.WaitGroup // the look for other runs, which no user waits for
	lookout lookout
	bucket  string
	run     string
	at      int64

	rehearsals rehearsals
}

// Check refuses what cannot be written, before anything is begun.
func (w *Watch) Check() error {
	if err := record.CheckReason(w.Reason); err != nil {
		return err
	}
	if w.MetricsFile == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(w.MetricsFile)); err != nil || !info.IsDir() {
		return userdb.UsageError(
			"read --metrics-file",
			w.MetricsFile,
			"its folder is not there",
			"make the folder, or name another one",
		)
	}
	return nil
}

// metricsEvery is how often --metrics-file is written; scrapes are seldom more frequent.
const metricsEvery = 15 * time.Second

// Begin begins the record, the audit line and the metrics.
func (w *Watch) Begin(of Begin) {
	e := of.Engine
	w.files, w.action, w.rehearsals.files = e.Files, of.Action, e.Files
	b := record.Begin{
		Record:  record.Version,
		Run:     e.Run,
		Action:  string(of.Action),
		At:      of.At.UnixMilli(),
		Command: w.Command,
		Version: e.Version,
		Who: record.Operator(
			w.Getenv,
		),
		Reason: w.Reason,
		Bucket: e.Bucket,
		Layout: e.Layout.String(),
		Users:  of.Users,
		Bytes:  of.Bytes,
	}
	w.bucket, w.run, w.at = b.Bucket, b.Run, b.At
	if b.Users > 0 {
		w.stateAt = w.stateDir()
		w.beginRecord(b)
		if changes(b.Action) {
			w.looks.Go(w.warnOfOthers) // the record's folder is known now
		}
		w.beginAudit(b)
	}
	w.beginMetrics(of, b)
}

// stateDir falls back to a folder that goes away: the copies in R2 matter more then.
func (w *Watch) stateDir() string {
	dir, err := record.StateDir(w.Getenv)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		return dir
	}
	w.Warn("keep records on this machine: %v (set XDG_STATE_HOME); the copies in R2 are kept", err)
	if dir, err = record.FallbackDir(os.TempDir()); err != nil {
		w.Warn("keep records on this machine: %v", err)
	}
	return dir
}

// warnOfState says what could not be written down. A run goes on without: users' data does not depend on it.
func (w *Watch) warnOfState(doing string, err error) {
	way := fullDisk(err, w.stateAt, "set XDG_STATE_HOME to a folder on a larger disk")
	w.Warn("%s: %v%s; the run goes on", doing, err, way)
}

// fullDisk is the way out where a disk is full; "" where it is not.
func fullDisk(err error, folder, wayOut string) string {
	if !userfile.IsNoSpace(err) {
		return ""
	}
	return fmt.Sprintf(" (the disk is full: free some space for %s, or %s)", folder, wayOut)
}

// changes says whether an action changes anything: only then its record is copied into the bucket, and only
// then there is an audit line.
func changes(action string) bool {
	return action != string(result.ActionVerify) && action != string(result.ActionRehearse)
}

func (w *Watch) beginRecord(b record.Begin) {
	written, err := w.createRecord(b)
	if err != nil {
		w.warnOfState("write the run record", err)
		return
	}
	var files record.Files
	if changes(b.Action) {
		files = w.files
	}
	w.record = written
	w.keeper = record.Keep(
		written,
		files,
		func(err error) { w.warnOfState("keep the run record "+written.Path(), err) },
	)
}

// createRecord takes a folder that goes away where the state folder cannot be written, such as on a full
// disk: what is copied into R2 is read from the file.
func (w *Watch) createRecord(b record.Begin) (*record.Writer, error) {
	written, err := record.Create(filepath.Join(w.stateAt, RecordFolder), b)
	if err == nil {
		return written, nil
	}
	w.warnOfState("write the run record", err)
	if w.stateAt, err = record.FallbackDir(os.TempDir()); err != nil {
		return nil, err
	}
	return record.Create(filepath.Join(w.stateAt, RecordFolder), b)
}

// RecordFolder is where records are, under the state folder.
const RecordFolder = "runs"

func (w *Watch) beginAudit(b record.Begin) {
	if !changes(b.Action) {
		return
	}
	w.act = &record.Act{
		Audit:   record.ActVersion,
		Run:     b.Run,
		State:   record.ActBegun,
		Action:  b.Action,
		At:      b.At,
		Who:     b.Who,
		Reason:  b.Reason,
		Command: b.Command,
		Version: b.Version,
		Bucket:  b.Bucket,
		Users:   b.Users,
		Bytes:   b.Bytes,
		Record:  string(record.Key(b.Run)),
	}
	first := *w.act
	w.begun.Go(func() { w.writeAct(&first) })
}

func (w *Watch) writeAct(act *record.Act) {
	if err := act.Write(context.Background(), w.stateAt, w.files); err != nil {
		w.warnOfState("write the audit line", err)
	}
}

func (w *Watch) beginMetrics(of Begin, b record.Begin) {
	if w.MetricsFile == "" {
		return
	}
	w.metrics = metrics.New(
		b.Action,
		b.Run,
		b.Version,
		b.Users,
		of.At,
		metrics.Source{InFlight: of.InFlight, Traffic: w.Traffic.counts, Rehearsed: w.rehearsals.when},
	)
	go w.rehearsals.read(context.Background())
	w.stop = append(w.stop, every(metricsEvery, w.writeMetrics))
}

func (w *Watch) writeMetrics() {
	if err := w.metrics.WriteFile(w.MetricsFile); err != nil {
		way := fullDisk(err, filepath.Dir(w.MetricsFile), "give --metrics-file a path on a larger disk")
		w.Warn("write the metrics: %v%s; the run goes on", err, way)
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

// Begun writes down who is begun.
func (w *Watch) Begun(u userdb.UserID) {
	if w.record != nil {
		w.record.Begun(u)
	}
}

// User writes a user down.
func (w *Watch) User(r result.Result) {
	if w.record != nil {
		w.record.User(time.Now(), r)
	}
	if w.metrics != nil {
		bytes := r.Bytes
		if r.Err() != nil || r.Action != w.action {
			bytes = 0
		}
		w.metrics.Done(string(r.Outcome), bytes, r.Took, r.Window)
	}
}

// Wave writes down how a wave went.
func (w *Watch) Wave(l *WaveLine) {
	if w.record != nil {
		w.record.Wave(l)
	}
}

// End writes the summary down. Its copies in R2 may take a minute, so it comes after everything that people
// read.
func (w *Watch) End(s *Summary) {
	if err := w.rehearsals.note(context.Background(), time.Now(), s); err != nil {
		w.Warn("write down the rehearsal: %v", err)
	}
	for _, stop := range w.stop {
		stop()
	}
	w.looks.Wait()
	now := time.Now()
	var last sync.WaitGroup
	if w.record != nil {
		w.record.End(now, s)
		last.Go(w.keeper.End)
	}
	if w.act != nil {
		w.begun.Wait() // the end is the later of the two, in R2 as in the log
		w.act.State, w.act.EndAt, w.act.Summary = record.ActEnded, now.UnixMilli(), s
		w.writeAct(w.act)
	}
	last.Wait()
}

// Left is told when a second signal ends the command at once. The record keeps its lines, and has no end:
// nobody knows how the open users ended.
func (w *Watch) Left() {
	if w.record != nil {
		_ = w.record.Sync() // there is no time left to say why not
	}
}
