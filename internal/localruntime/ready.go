package localruntime

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// readyLine is what wrangler prints when the Worker answers. The port is its choice: asking for port 0 and
// reading it here leaves no moment in which another process can take the port.
var readyLine = regexp.MustCompile(`Ready on (http://[0-9A-Za-z.:]+)`)

// failedLine is what wrangler prints when it cannot bundle or run the Worker: a class that its module does
// not export, code that throws while it is loaded. It then waits for somebody to edit the source.
var failedLine = regexp.MustCompile(`Build failed with|Your Worker depends on|Uncaught|runtime failed to start`)

// errorLine begins every error, and with most of them wrangler goes on.
var errorLine = regexp.MustCompile(`✘ \[ERROR\]`)

// How long wrangler may be silent after such a line before it counts as failed.
const (
	failedSilence = 10 * time.Second
	errorSilence  = time.Minute
)

// colours are written whatever NO_COLOR says.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// tailLines is how much of wrangler's output an error quotes.
const tailLines = 40

// readyWatcher passes wrangler's output on, remembers its end and announces the URL once.
type readyWatcher struct {
	ready  chan string   // gets the URL
	failed chan struct{} // closed when the Worker cannot be started

	mu      sync.Mutex
	log     io.Writer
	partial []byte
	last    []string
	silence time.Duration // that is enough; 0 while nothing is wrong
	alarm   *time.Timer   // goes off after it
	outcome sync.Once
}

func newReadyWatcher(log io.Writer) *readyWatcher {
	if log == nil {
		log = io.Discard
	}
	return &readyWatcher{ready: make(chan string, 1), failed: make(chan struct{}), log: log}
}

// Write never fails: a log that cannot be written must not stop wrangler.
func (w *readyWatcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.log.Write(p)
	w.partial = append(w.partial, p...)
	for {
		end := bytes.IndexByte(w.partial, '\n')
		if end < 0 {
			return len(p), nil
		}
		w.line(string(w.partial[:end]))
		w.partial = w.partial[end+1:]
	}
}

func (w *readyWatcher) line(line string) {
	line = colours.ReplaceAllString(line, "")
	w.last = append(w.last, line)
	if len(w.last) > tailLines {
		w.last = w.last[1:]
	}
	if match := readyLine.FindStringSubmatch(line); match != nil {
		w.outcome.Do(func() { w.ready <- match[1] })
	}
	w.listen(line)
}

// listen waits for the end of what wrangler says after an error. Each further line is a sign of life.
func (w *readyWatcher) listen(line string) {
	switch {
	case failedLine.MatchString(line):
		w.silence = failedSilence
	case errorLine.MatchString(line) && w.silence == 0:
		w.silence = errorSilence
	}
	if w.silence == 0 {
		return
	}
	if w.alarm != nil {
		w.alarm.Stop()
	}
	w.alarm = time.AfterFunc(w.silence, func() { w.outcome.Do(func() { close(w.failed) }) })
}

func (w *readyWatcher) tail() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := colours.ReplaceAllString(string(w.partial), "")
	return strings.TrimSpace(strings.Join(append(slices.Clone(w.last), rest), "\n"))
}

// StartError says why wrangler does not serve the Worker, with the end of what it said.
type StartError struct {
	Cause  error
	Output string // lines, without colours
}

func (e *StartError) Error() string { return e.Cause.Error() + "; its output ends:\n" + e.Output }

func (e *StartError) Unwrap() error { return e.Cause }
