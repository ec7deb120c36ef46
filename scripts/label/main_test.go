package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLabelsLinesAndKeepsTheCode(t *testing.T) {
	var out bytes.Buffer
	command := []string{"sh", "-c", "echo one; echo two >&2; printf three; exit 7"}
	code, err := run(t.Context(), "w", command, &out, time.Minute)
	if code != 7 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
	want := `^w: one\nw: two\nw: three\nw: ended after \d+ s\n$`
	if !regexp.MustCompile(want).MatchString(out.String()) {
		t.Errorf("it says:\n%s", &out)
	}
}

func TestCodes(t *testing.T) {
	for command, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 1} {
		if code, err := run(t.Context(), "w", []string{"sh", "-c", command}, io.Discard, time.Minute); code != want ||
			err != nil {
			t.Errorf("%s: code %d, %v", command, code, err)
		}
	}
	if code, err := run(t.Context(), "w", []string{"./no-such-command"}, io.Discard, time.Minute); code == 0 || err == nil {
		t.Errorf("a command that is not there: code %d, %v", code, err)
	}
}

// TestSignalEndsAll: the command and its child ignore the signal. Both hold the pipe, so an end without an
// error of the pipe means that both are gone.
func TestSignalEndsAll(t *testing.T) {
	ctx, signal := context.WithCancel(t.Context())
	out := &firstLine{seen: make(chan struct{})}
	go func() {
		<-out.seen
		signal()
	}()
	stubborn := "trap '' INT; (sleep 1000) & echo begun; sleep 1000"
	code, err := run(ctx, "w", []string{"sh", "-c", stubborn}, out, 50*time.Millisecond)
	if code == 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("code %d, %v", code, err)
	}
}

type firstLine struct{ seen chan struct{} }

func (f *firstLine) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "begun") {
		close(f.seen)
	}
	return len(p), nil
}
