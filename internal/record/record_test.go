package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// bucket is R2 in memory.
type bucket struct {
	mu      sync.Mutex
	objects map[userdb.ObjectKey][]byte
	times   map[userdb.ObjectKey]time.Time
	fail    error
	read    int64
}

func newBucket() *bucket {
	return &bucket{objects: map[userdb.ObjectKey][]byte{}, times: map[userdb.ObjectKey]time.Time{}}
}

func (b *bucket) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	_ userdb.PutOptions,
) (userdb.ETag, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return "", b.fail
	}
	text, err := io.ReadAll(body)
	if err != nil || int64(len(text)) != size {
		return "", fmt.Errorf("%d bytes instead of %d, %w", len(text), size, err)
	}
	b.objects[key], b.times[key] = text, time.Now()
	return `"e"`, nil
}

func (b *bucket) object(key userdb.ObjectKey) (userdb.Object, []byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, found := b.objects[key]
	if !found {
		return userdb.Object{}, nil, &userdb.Error{Op: "get", Kind: userdb.NotFound, Err: errors.New("404")}
	}
	return userdb.Object{Key: key, Size: int64(len(text)), ETag: `"e"`, LastModified: b.times[key]}, text, nil
}

func (b *bucket) Get(
	_ context.Context,
	key userdb.ObjectKey,
	_ userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	o, text, err := b.object(key)
	if err != nil {
		return o, err
	}
	b.read += int64(len(text))
	_, err = w.Write(text)
	return o, err
}

func (b *bucket) GetRange(
	_ context.Context,
	key userdb.ObjectKey,
	_ userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	o, text, err := b.object(key)
	text = text[min(offset, int64(len(text))):min(offset+length, int64(len(text)))]
	b.read += int64(len(text))
	return text, o, err
}

func (b *bucket) List(
	_ context.Context,
	prefix, _ string,
	yield func([]userdb.Object, []string) error,
) error {
	if b.fail != nil {
		return b.fail
	}
	var page []userdb.Object
	for key := range b.objects {
		if strings.HasPrefix(string(key), prefix) {
			o, _, _ := b.object(key)
			page = append(page, o)
		}
	}
	return yield(page, nil)
}

func begin(run string, users int) Begin {
	return Begin{
		Record:  Version,
		Run:     run,
		Action:  "migrate",
		At:      time.Now().Add(-time.Hour).UnixMilli(),
		Command: []string{"migrate", "--all"},
		Version: "v1",
		Who:     Who{Name: "ann"},
		Bucket:  "b",
		Layout:  userdb.DefaultLayout,
		Users:   users,
	}
}

type resultLine struct {
	User    string `json:"user"`
	Outcome string `json:"outcome"`
	Bytes   int64  `json:"bytes"`
}

func write(t *testing.T, dir string, b Begin, summary *Summary, results ...resultLine) *Writer {
	t.Helper()
	w, err := Create(dir, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		w.User(time.Now(), r)
	}
	if summary != nil {
		w.End(time.Now(), summary)
	}
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	return w
}

func list(t *testing.T, p *Place, limit int) []Run {
	t.Helper()
	runs, err := p.List(t.Context(), limit, func(err error) { t.Errorf("warned: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestStates(t *testing.T) {
	dir, old := t.TempDir(), time.Now().Add(-2*Fresh)
	summary := &Summary{
		Users:    2,
		Outcomes: map[string]int{"migrated": 1, "failed": 1},
		Failed:   1,
		TookMs:   5000,
		Exit:     1,
	}
	stopped := *summary
	stopped.Interrupted, stopped.Exit = true, 130
	two := []resultLine{{"a", "migrated", 10}, {"b", "failed", 5}}
	write(t, dir, begin("1-ended", 2), summary, two...)
	write(t, dir, begin("2-interrupted", 3), &stopped, two...)
	killed := write(t, dir, begin("3-killed", 3), nil, two...)
	write(t, dir, begin("4-running", 3), nil, two...)
	if err := os.Chtimes(killed.Path(), old, old); err != nil {
		t.Fatal(err)
	}
	other := begin("5-elsewhere", 1)
	other.Bucket = "another"
	write(t, dir, other, summary)
	p := &Place{Files: newBucket(), Dir: dir, Bucket: "b", Now: time.Now}
	runs := list(t, p, 10)
	var got []string
	for _, r := range runs {
		got = append(
			got,
			fmt.Sprintf(
				"%s %s users=%d migrated=%d failed=%d",
				r.Begin.Run,
				r.State,
				r.Summary.Users,
				r.Summary.Outcomes["migrated"],
				r.Summary.Failed,
			),
		)
	}
	want := "4-running running users=3 migrated=1 failed=1\n3-killed no-end-seen users=3 migrated=1 failed=1\n" +
		"2-interrupted interrupted users=3 migrated=1 failed=1\n1-ended ended users=2 migrated=1 failed=1"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if limited := list(t, p, 1); len(limited) != 1 || limited[0].Begin.Run != "4-running" {
		t.Errorf("limited: %+v", limited)
	}
}

// A run that is killed in the middle of a line has lost that line only.
func TestTornLine(t *testing.T) {
	dir := t.TempDir()
	w := write(t, dir, begin("1", 3), nil, resultLine{"a", "migrated", 1})
	f, err := os.OpenFile(w.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"user":"b","outco`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p := &Place{Files: newBucket(), Dir: dir, Bucket: "b", Now: time.Now}
	var users []userdb.UserID
	run, err := p.Load(t.Context(), "1", func(l UserLine) { users = append(users, l.User) })
	if err != nil || len(users) != 1 || run.Summary.Outcomes["migrated"] != 1 {
		t.Errorf("%+v, %v, %v", run, users, err)
	}
	text, _ := os.ReadFile(w.Path())
	if _, err := Each(bytes.NewReader(append(text, "\n{}\n"...)), nil); err == nil {
		t.Error("a broken line in the middle is passed over")
	}
}

func TestCopyIsReadElsewhere(t *testing.T) {
	dir, files := t.TempDir(), newBucket()
	summary := &Summary{Users: 5000, Outcomes: map[string]int{"migrated": 5000}}
	results := make([]resultLine, 5000)
	for i := range results {
		results[i] = resultLine{fmt.Sprintf("user-%05d", i), "migrated", 1}
	}
	w := write(t, dir, begin("1", 5000), summary, results...)
	k := Keep(w, files, func(err error) { t.Errorf("warned: %v", err) })
	k.End()
	elsewhere := &Place{Files: files, Bucket: "b", Now: time.Now}
	runs := list(t, elsewhere, 10)
	if len(runs) != 1 || runs[0].State != Ended || runs[0].Summary.Outcomes["migrated"] != 5000 ||
		runs[0].Local {
		t.Errorf("%+v", runs)
	}
	if size := int64(len(files.objects[Key("1")])); files.read > 2*window || size < 2*window {
		t.Errorf("read %d bytes of a record of %d to list it", files.read, size)
	}
	users := 0
	if _, err := elsewhere.Load(t.Context(), "1", func(UserLine) { users++ }); err != nil || users != 5000 {
		t.Errorf("%d users, %v", users, err)
	}
	if _, err := elsewhere.Load(t.Context(), "2", nil); userdb.KindOf(err) != userdb.NotFound {
		t.Errorf("an unknown run: %v", err)
	}
	if _, err := elsewhere.Load(t.Context(), "../x", nil); userdb.KindOf(err) != userdb.Usage {
		t.Errorf("no id: %v", err)
	}
}

// A copy that cannot be made warns, twice at most, and fails nothing.
func TestCopyThatFails(t *testing.T) {
	files, warned := newBucket(), 0
	files.fail = errors.New("no permission")
	w := write(t, t.TempDir(), begin("1", 1), nil, resultLine{"a", "migrated", 1})
	k := Keep(w, files, func(error) { warned++ })
	k.End()
	if warned < 1 || warned > 2 {
		t.Errorf("warned %d times", warned)
	}
}

func TestRecordThatIsContinued(t *testing.T) {
	dir, summary := t.TempDir(), &Summary{Users: 1, Outcomes: map[string]int{"migrated": 1}}
	write(t, dir, begin("1", 1), summary, resultLine{"a", "migrated", 1})
	write(t, dir, begin("1", 2), nil, resultLine{"b", "migrated", 1})
	run, err := (&Place{Dir: dir, Files: newBucket(), Bucket: "b", Now: time.Now}).Load(t.Context(), "1", nil)
	if err != nil || run.State != Running || run.Summary.Users != 2 {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestRecordOfALaterVersion(t *testing.T) {
	dir, b := t.TempDir(), begin("1", 1)
	b.Record = Version + 1
	write(t, dir, b, nil)
	var warnings []error
	runs, err := (&Place{Dir: dir, Files: newBucket(), Bucket: "b", Now: time.Now}).List(
		t.Context(),
		9,
		func(err error) { warnings = append(warnings, err) },
	)
	if err != nil || len(runs) != 0 || len(warnings) != 1 ||
		!strings.Contains(warnings[0].Error(), "update dbmigrate") {
		t.Errorf("%v, %v, %v", runs, warnings, err)
	}
}

func TestOnlyRecordsAreListed(t *testing.T) {
	dir, files := t.TempDir(), newBucket()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	files.objects[Prefix+"readme"] = []byte("x")
	if runs := list(t, &Place{Files: files, Dir: dir, Bucket: "b", Now: time.Now}, 10); len(runs) != 0 {
		t.Errorf("%+v", runs)
	}
}

// With R2 down, the records of this machine are listed, and it is said that there may be others. Without any,
// there is nothing to show.
func TestLocalRecordsAreEnough(t *testing.T) {
	dir, files, down := t.TempDir(), newBucket(), errors.New("connection refused")
	write(t, dir, begin("1", 1), nil, resultLine{"a", "migrated", 1})
	other := begin("2", 1)
	other.Bucket = "another"
	write(t, dir, other, nil)
	files.fail = down
	var warnings []error
	p := &Place{Files: files, Dir: dir, Bucket: "b", Now: time.Now}
	runs, err := p.List(t.Context(), 1, func(err error) { warnings = append(warnings, err) })
	var unlisted *Unlisted
	if err != nil || len(runs) != 1 || runs[0].Begin.Run != "1" || !runs[0].Local ||
		len(warnings) != 1 || !errors.As(warnings[0], &unlisted) || !errors.Is(warnings[0], down) {
		t.Errorf("%+v, %v, warned %v", runs, err, warnings)
	}
	if ids := p.IDs(t.Context(), "", 2); !slices.Equal(ids, []string{"1"}) {
		t.Errorf("ids: %q", ids)
	}
	p.Bucket = "c"
	if runs, err := p.List(t.Context(), 1, func(err error) { t.Errorf("warned: %v", err) }); !errors.Is(err, down) {
		t.Errorf("without records: %v, %v", runs, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Bucket = "b"
	if runs, err := p.List(ctx, 1, func(error) {}); err == nil {
		t.Errorf("interrupted: %v", runs)
	}
}
