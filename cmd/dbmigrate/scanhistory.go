package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// historyFlags say where scans are remembered, and what is read from it.
type historyFlags struct {
	file       string
	inR2, none bool
	consistent int
	apart      units.AgeFlag
}

func (h *historyFlags) add(flags *pflag.FlagSet) {
	h.apart = units.AgeFlag{Duration: time.Hour, Typed: "1h"}
	flags.IntVar(&h.consistent, "consistent", 0, "recommend moving only who was over the threshold in the last `n` scans")
	flags.Var(&h.apart, "apart", "of scans closer together than this only the newest counts")
	flags.StringVar(&h.file, "history", "", "`file` that remembers scans (default: one for each bucket and layout under $XDG_STATE_HOME/dbmigrate)")
	flags.BoolVar(&h.inR2, "history-r2", false, "remember scans in the bucket, under "+userdb.ReservedPrefix+"history/, for every machine")
	flags.BoolVar(&h.none, "no-history", false, "remember nothing")
}

func (h *historyFlags) check() error {
	given := 0
	for _, on := range []bool{h.file != "", h.inR2, h.none} {
		if on {
			given++
		}
	}
	switch {
	case given > 1:
		return usageError("read flags", "", "--history, --history-r2 and --no-history exclude each other", "")
	case h.consistent < 0 || h.consistent > 100:
		return usageError("read --consistent", fmt.Sprint(h.consistent), "it is not between 0 and 100", "")
	case h.none && h.consistent > 1:
		return usageError("read flags", "", "--consistent needs the scans that --no-history does not remember", "")
	}
	return nil
}

// needed says that the command cannot do without a history.
func (h *historyFlags) needed() bool { return h.file != "" || h.inR2 || h.consistent > 1 }

// window is which scans count. Growth over more than three months says little about the next one.
func (h *historyFlags) window() scanlog.Window {
	return scanlog.Window{Apart: h.apart.Duration, Back: 90 * units.Day}
}

// memory is an open place for histories. update hands out the history with which to record and read; it may be called again when, in the
// bucket, another machine was faster.
type memory interface {
	update(ctx context.Context, do func(*scanlog.History) error) error
}

// recall finds the history before anything is scanned, so that one that is damaged or of another bucket stops the command at once. nil: there
// is none, which a folder that cannot be written makes a warning unless the history is needed.
func (a *app) recall(ctx context.Context, h *historyFlags, e *migrate.Engine, c config.Config) (memory, error) {
	scope := scanlog.Scope{Endpoint: c.R2Endpoint, Bucket: c.Bucket, Layout: e.Layout.String()}
	if h.none {
		return nil, nil
	}
	if h.inR2 {
		m := &bucketMemory{files: e.Files, scratch: e.Scratch, scope: scope, key: userdb.ObjectKey(userdb.ReservedPrefix + "history/" + scopeDigest(scope) + ".sqlite")}
		return m, m.once(ctx, func(*scanlog.History) (bool, error) { return false, nil })
	}
	path, err := a.historyPath(h.file, scope)
	if err != nil && !h.needed() {
		a.out.Warn("scan: no history is kept: %v", err)
		return nil, nil
	}
	if err != nil {
		return nil, usageError("find a place for the history", "", err.Error(), "name one with --history")
	}
	m := fileMemory{path, scope}
	return m, m.update(ctx, func(*scanlog.History) error { return nil })
}

// historyPath is the file that was named, or one in the user's state folder (XDG Base Directory Specification), which it makes.
func (a *app) historyPath(named string, scope scanlog.Scope) (string, error) {
	if named != "" {
		return named, nil
	}
	base, err := record.StateDir(a.getenv)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "history")
	return filepath.Join(dir, fileNamePart(scope.Bucket)+"-"+scopeDigest(scope)+".sqlite"), os.MkdirAll(dir, 0o700)
}

func scopeDigest(s scanlog.Scope) string {
	sum := sha256.Sum256([]byte(s.Endpoint + "\x00" + s.Bucket + "\x00" + s.Layout))
	return hex.EncodeToString(sum[:6])
}

// fileNamePart keeps what a bucket's name may hold and nothing else.
func fileNamePart(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, s)
}

// fileMemory is a history on this machine.
type fileMemory struct {
	path  string
	scope scanlog.Scope
}

func (m fileMemory) update(ctx context.Context, do func(*scanlog.History) error) error {
	h, err := scanlog.Open(ctx, m.path, m.scope)
	if err != nil {
		return err
	}
	return errors.Join(do(h), h.Close())
}

// bucketMemory is a history in the bucket. It is changed by compare and set: what another machine wrote meanwhile is read again.
type bucketMemory struct {
	files   migrate.Files
	scratch migrate.Scratch
	scope   scanlog.Scope
	key     userdb.ObjectKey
}

func (m *bucketMemory) update(ctx context.Context, do func(*scanlog.History) error) error {
	const tries = 8
	var err error
	for range tries {
		err = m.once(ctx, func(h *scanlog.History) (bool, error) { return true, do(h) })
		if userdb.KindOf(err) != userdb.Precondition {
			return err
		}
	}
	return err
}

// once fetches the history, lets do work on it and, if do says so, puts it back.
func (m *bucketMemory) once(ctx context.Context, do func(*scanlog.History) (bool, error)) error {
	base, err := m.scratch.Path()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(base, "dbmigrate-history-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.sqlite")
	condition, err := m.fetch(ctx, path)
	if err != nil {
		return err
	}
	put := false
	err = fileMemory{path, m.scope}.update(ctx, func(h *scanlog.History) (err error) {
		put, err = do(h)
		return err
	})
	if err != nil {
		return strayed(err, path, string(m.key))
	}
	if !put {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = m.files.Put(ctx, m.key, bytes.NewReader(content), int64(len(content)), condition)
	return err
}

func (m *bucketMemory) fetch(ctx context.Context, path string) (userdb.PutOptions, error) {
	condition := userdb.PutOptions{ContentType: "application/vnd.sqlite3"}
	var content bytes.Buffer
	object, err := m.files.Get(ctx, m.key, "", &content)
	switch {
	case userdb.KindOf(err) == userdb.NotFound:
		condition.IfNoneMatch = true
		return condition, nil
	case err != nil:
		return condition, err
	}
	condition.IfMatch = object.ETag
	return condition, os.WriteFile(path, content.Bytes(), 0o600)
}

// strayed names the object instead of its copy in an error.
func strayed(err error, path, key string) error {
	var e *userdb.Error
	if errors.As(err, &e) && e.Thing == path {
		named := *e
		named.Thing, named.Hint = key, "move the object away to begin a new history; scan --no-history goes without"
		return &named
	}
	return err
}

// crossingWithin is "next month".
const crossingWithin = 30 * units.Day

// fleetTrend is what the history says about the whole bucket.
type fleetTrend struct {
	points   []scanlog.Point
	perWeek  float64
	known    bool
	crossing int // users who will cross the threshold within crossingWithin
}

// remember records this scan and reads from the history what concerns the users that it found.
func (s *survey) remember(ctx context.Context, m memory, o *scanOptions, run string) error {
	if m == nil {
		return nil
	}
	sizes, places := map[string]int64{}, map[string]int{}
	for i, l := range s.lines {
		places[string(l.User)] = i
		if l.Place == migrate.PlaceR2 {
			sizes[string(l.User)] = l.Bytes
		}
	}
	return m.update(ctx, func(h *scanlog.History) error {
		if err := h.Record(ctx, scanlog.Scan{Run: run, At: s.at, Prefix: o.Prefix}, sizes); err != nil {
			return err
		}
		s.trend = fleetTrend{}
		err := h.Trends(ctx, o.history.window(), func(user string, t scanlog.Trend) {
			if i, found := places[user]; found {
				s.lines[i].follow(t, s.totals.Threshold)
			}
		})
		if err != nil {
			return err
		}
		total, err := h.Total(ctx, o.history.window())
		s.trend.points = total.Points
		s.trend.perWeek, s.trend.known = total.PerWeek()
		return err
	})
}

// follow notes what the history says about one user.
func (l *scanned) follow(t scanlog.Trend, threshold int64) {
	l.over = t.Over(threshold)
	l.GrowthPerWeek, l.CrossesInDays = nil, nil
	if perWeek, known := t.PerWeek(); known {
		l.GrowthPerWeek = rounded(perWeek, 1)
	}
	if after, crosses := t.Crosses(threshold, crossingWithin); crosses && l.Place == migrate.PlaceR2 {
		l.CrossesInDays = rounded(after.Hours()/24, 10)
	}
}

// insist takes the recommendation back from users who were not over the threshold in each of the last n scans.
func (l *scanned) insist(n int, threshold int64) {
	if n > 1 && l.Advice == adviceMigrate && l.over < n {
		l.Advice = adviceNote
		l.Reason = fmt.Sprintf("over %s in the last %s, not yet in %d", units.FormatSize(threshold), plural(max(l.over, 1), "scan"), n)
	}
}

func (t fleetTrend) sentence(threshold int64) string {
	if !t.known {
		return ""
	}
	first, last := t.points[0], t.points[len(t.points)-1]
	return fmt.Sprintf("growth: %s a week, over %d scans in %s; %s will cross %s within 30 days, if they grow on in a straight line",
		signedSize(t.perWeek), len(t.points), units.FormatDuration(last.At.Sub(first.At)), plural(t.crossing, "user"), units.FormatSize(threshold))
}

func signedSize(n float64) string {
	if n < 0 {
		return "-" + units.FormatSize(int64(-n))
	}
	return "+" + units.FormatSize(int64(n))
}
