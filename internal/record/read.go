package record

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// State is how far a run is, as far as its record tells.
type State string

// The states, promised in docs/scripting.md.
const (
	Ended       State = "ended"
	Interrupted State = "interrupted" // by the operator
	Running     State = "running"     // no end yet, and the record was renewed lately
	NoEnd       State = "no-end-seen" // killed, or cut off from the bucket
)

// Run is what a record says.
type Run struct {
	Begin
	State   State
	Local   bool    // read from this machine's file, not from R2
	Summary Summary // of a run without an end: of the users who are in the record
	EndAt   int64
	Renewed int64         // Unix milliseconds: when the record, or its copy in R2, was last written
	CopyAge time.Duration // of the copy in R2, where a run without an end is known from that alone
	Waves   []WaveLine

	inFlight map[userdb.UserID]bool
}

// InFlight are the users of a run without an end who were begun, and have no line of how they ended.
func (r *Run) InFlight() []userdb.UserID {
	if r.EndAt != 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(r.inFlight))
}

// Each reads a record line by line. A last line that was cut off is passed over; any other broken line is an
// error.
func Each(r io.Reader, user func(UserLine)) (Run, error) {
	run := Run{Summary: Summary{Outcomes: map[string]int{}}, inFlight: map[userdb.UserID]bool{}}
	lines, broken := bufio.NewReader(r), error(nil)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return run, err
		}
		if broken != nil && len(text) > 0 {
			return run, broken
		}
		if len(text) > 0 {
			if addErr := run.add(text, user); addErr != nil {
				broken = fmt.Errorf("line %d: %w", n, addErr)
			}
		}
		if err != nil {
			return run, run.check()
		}
	}
}

func (r *Run) check() error {
	if r.Begin.Run == "" {
		return errors.New("it has no first line")
	}
	if r.Record > Version {
		return fmt.Errorf(
			"it has version %d, and this program reads up to %d: update dbmigrate",
			r.Record,
			Version,
		)
	}
	return nil
}

func (r *Run) add(text []byte, user func(UserLine)) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	switch {
	case l.Begin != nil:
		r.Begin, r.EndAt = *l.Begin, 0
	case l.End != nil:
		r.Summary, r.EndAt = l.End.Summary, l.End.At
	case l.Wave != nil:
		r.Waves = append(r.Waves, *l.Wave)
	case l.Begun != "":
		r.inFlight[l.Begun] = true
	case l.User != "":
		delete(r.inFlight, l.User)
		r.Summary.Outcomes[l.Outcome]++
		r.Summary.Bytes += l.Bytes
		if l.Outcome == "failed" {
			r.Summary.Failed++
		}
		if user != nil {
			user(l.UserLine)
		}
	}
	return nil
}

// judge tells the state by the record's age.
func (r *Run) judge(renewed, now time.Time) {
	r.Summary.Users, r.Renewed = r.Begin.Users, Millis(renewed)
	if r.EndAt == 0 && !r.Local {
		r.CopyAge = max(now.Sub(renewed), time.Millisecond) // clocks differ
	}
	switch {
	case r.EndAt != 0 && r.Summary.Interrupted:
		r.State = Interrupted
	case r.EndAt != 0:
		r.State = Ended
	case now.Sub(renewed) < Fresh:
		r.State, r.Summary.TookMs = Running, Millis(now)-r.At
	default:
		r.State, r.Summary.TookMs = NoEnd, Millis(renewed)-r.At
	}
}

// window is how much of a record's head and tail is read to learn how it began and ended.
const window = 64 << 10

// summarize reads the ends of a record in R2, and all of it only when there is no end.
func summarize(ctx context.Context, files Files, o userdb.Object, now time.Time) (Run, error) {
	head, o, err := files.GetRange(ctx, o.Key, "", 0, window)
	if err != nil {
		return Run{}, err
	}
	if o.Size > window {
		tail, _, err := files.GetRange(ctx, o.Key, o.ETag, o.Size-window, window)
		if err != nil {
			return Run{}, err
		}
		run, found := fromEnds(head, tail)
		if !found {
			return load(ctx, files, o.Key, nil, now)
		}
		run.judge(o.LastModified, now)
		return run, nil
	}
	run, err := Each(bytesReader(head), nil)
	if err != nil {
		return Run{}, err
	}
	run.judge(o.LastModified, now)
	return run, nil
}

// fromEnds takes the first line and the last one; not found when the last one is no end.
func fromEnds(head, tail []byte) (Run, bool) {
	run := Run{Summary: Summary{Outcomes: map[string]int{}}, inFlight: map[userdb.UserID]bool{}}
	first, last := firstLine(head), lastLine(tail)
	if first == nil || last == nil || run.add(first, nil) != nil || run.add(last, nil) != nil {
		return Run{}, false
	}
	return run, run.check() == nil && run.EndAt != 0
}

// load reads a whole record from R2, in flat memory.
func load(
	ctx context.Context,
	files Files,
	key userdb.ObjectKey,
	user func(UserLine),
	now time.Time,
) (Run, error) {
	r, w := io.Pipe()
	var o userdb.Object
	go func() {
		var err error
		o, err = files.Get(ctx, key, "", w)
		w.CloseWithError(err)
	}()
	run, err := Each(r, user)
	r.Close()
	if err != nil {
		return Run{}, err
	}
	run.judge(o.LastModified, now)
	return run, nil
}

// loadLocal reads a whole record of this machine.
func loadLocal(path string, user func(UserLine), now time.Time) (Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return Run{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Run{}, err
	}
	run, err := Each(f, user)
	run.Local = true
	run.judge(info.ModTime(), now)
	return run, err
}
