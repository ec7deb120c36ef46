package latency

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"time"
)

// Observed is what a router's observer wrote as lines of JSON (docs/mount.md), added up.
type Observed struct {
	Requests int64
	// Side is by who answered.
	File, Store Side
	// Classes are of requests answered from a file, by the file's size: class i is below Borders[i].
	Borders []int64
	Classes []Side
	// Collided are writes on a file that met another writer and had to load and save it again.
	Writes, Collided int64
	Waited           time.Duration // of all requests, in pauses
	Failed           int64
}

// Side are requests that one side answered.
type Side struct {
	Reads, Writes Times
	Bytes         int64 // loaded from R2
}

// Count is how many requests there were.
func (s *Side) Count() int64 { return s.Reads.Count + s.Writes.Count }

// Of are the times of requests that write, or of those that do not.
func (s *Side) Of(writes bool) *Times {
	if writes {
		return &s.Writes
	}
	return &s.Reads
}

// event is what a line of a log may hold. Lines of anything else are passed over.
type event struct {
	Kind, User, Mode, Side string
	Error                  *string
	Retries                int64
	BytesLoaded            int64
	WaitMs, DurationMs     float64
}

// ReadFile reads the requests of a log. Lines that are no requests are passed over, and so are users
// that wanted refuses; nil wants all.
func ReadFile(path string, borders []int64, wanted func(user string) bool) (*Observed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, borders, wanted)
}

// Read is ReadFile for any reader. Memory does not grow with the log.
func Read(r io.Reader, borders []int64, wanted func(user string) bool) (*Observed, error) {
	o := &Observed{Borders: borders, Classes: make([]Side, len(borders)+1)}
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // no request has so long a line
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		if at := bytes.IndexByte(line, '{'); at >= 0 { // a log may begin its lines with a time
			var e event
			if json.Unmarshal(line[at:], &e) == nil && e.Kind == "request" && (wanted == nil || wanted(e.User)) {
				o.add(&e)
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return o, nil
			}
			return nil, err
		}
	}
}

func (o *Observed) add(e *event) {
	o.Requests++
	o.Waited += milliseconds(e.WaitMs)
	if e.Error != nil {
		o.Failed++
		return
	}
	writes, took := e.Mode == "write", milliseconds(e.DurationMs)
	switch e.Side {
	case "store":
		o.Store.add(writes, took, e.BytesLoaded)
	case "file":
		o.File.add(writes, took, e.BytesLoaded)
		if writes {
			o.Writes++
			if e.Retries > 0 {
				o.Collided++
			}
		}
		if e.Retries == 0 { // then the file was loaded once, and its size is known
			class := 0
			for class < len(o.Borders) && e.BytesLoaded >= o.Borders[class] {
				class++
			}
			o.Classes[class].add(writes, took, e.BytesLoaded)
		}
	}
}

func (s *Side) add(writes bool, took time.Duration, bytes int64) {
	s.Of(writes).Add(took)
	s.Bytes += bytes
}

// Times are durations: only how many were how long is kept.
type Times struct {
	Count   int64
	Max     time.Duration
	buckets [fineMs + coarse + 1]int64
}

// Milliseconds are counted one by one up to fineMs, and above in steps of a twentieth.
const (
	fineMs = 128
	coarse = 256
	step   = 1.05
)

// Add counts one.
func (t *Times) Add(d time.Duration) {
	t.Count++
	t.Max = max(t.Max, d)
	t.buckets[bucketOf(d)]++
}

func bucketOf(d time.Duration) int {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= fineMs {
		return int(math.Ceil(max(ms, 0)))
	}
	return min(fineMs+int(math.Ceil(math.Log(ms/fineMs)/math.Log(step))), fineMs+coarse)
}

// Quantile is the least time that a share of all stays within, 0 where there are none.
func (t *Times) Quantile(share float64) time.Duration {
	need := int64(math.Ceil(share * float64(t.Count)))
	for i, n := range t.buckets {
		if need -= n; need <= 0 && t.Count > 0 {
			return min(topOf(i), t.Max)
		}
	}
	return t.Max
}

func topOf(bucket int) time.Duration {
	if bucket <= fineMs {
		return time.Duration(bucket) * time.Millisecond
	}
	return milliseconds(fineMs * math.Pow(step, float64(bucket-fineMs)))
}
