package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

const events = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestOne"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"    a.go:1: effort: TestOne: 3 of 9 seeds (DBMIGRATE_EFFORT=7)\n"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"    a.go:2: nobody needs this\n"}
{"Action":"pass","Package":"m/a","Test":"TestOne","Elapsed":1.5}
{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"    a.go:3: why it failed\n"}
{"Action":"fail","Package":"m/a","Test":"TestTwo","Elapsed":0.5}
{"Action":"output","Package":"m/a","Test":"TestThree","Output":"--- SKIP: TestThree (0.00s)\n"}
{"Action":"output","Package":"m/a","Test":"TestThree","Output":"    a.go:4: no such system call\n"}
{"Action":"skip","Package":"m/a","Test":"TestThree","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestFour","Output":"panic: test timed out after 10m\n"}
{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t2.0s\n"}
{"Action":"fail","Package":"m/a","Elapsed":2}
{"ImportPath":"m/b","Action":"build-output","Output":"b.go:1: syntax error\n"}
{"Action":"output","Package":"m/c","Output":"ok  \tm/c\t0.1s\n"}
not JSON at all
`

func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out)
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	r.sum()
	want := `    a.go:3: why it failed
FAIL	m/a	2.0s
--- DID NOT END: TestFour
panic: test timed out after 10m
b.go:1: syntax error
ok  	m/c	0.1s
not JSON at all
what was done of the whole:
  TestOne: 3 of 9 seeds (DBMIGRATE_EFFORT=7)
skipped:
  TestThree: a.go:4: no such system call
the slowest:
     1.5s a TestOne
     0.5s a TestTwo
     0.0s a TestThree
1 passed, 2 failed, 1 skipped
`
	if got := out.String(); got != want {
		t.Errorf("it says:\n%s\nwant:\n%s", got, want)
	}
}

// TestLeavesOut: a package that waits is named nowhere, and a test that waits is skipped.
func TestLeavesOut(t *testing.T) {
	wait := effort.Wait{Packages: []string{"test/slow"}, Tests: []string{"TestLong", "TestWide"}}
	args := []string{"-p", "3", "./cmd", "./test/slow", everything}
	got := without(args, wait, []string{"m/cmd", "m/test/slow", "m/test/slower"})
	want := []string{"-skip=^(TestLong|TestWide)$", "-p", "3", "./cmd", "m/cmd", "m/test/slower"}
	if !slices.Equal(got, want) {
		t.Errorf("it runs %q, not %q", got, want)
	}
}

func TestCodeOfGo(t *testing.T) {
	var out bytes.Buffer
	if code, err := run(t.Context(), []string{"./no/such/package"}, &out, time.Minute); code == 0 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

// TestEndsTestsThatIgnoreSignals: testdata/stubborn holds a lock as long as it lives.
func TestEndsTestsThatIgnoreSignals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	t.Setenv("STUBBORN_LOCK", path)
	ctx, signal := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, []string{"-count=1", "-timeout=2m", "./testdata/stubborn"}, new(bytes.Buffer), time.Second)
		ended <- err
	}()
	for said := ""; said != "locked"; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		default:
		}
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		said = string(text)
	}
	signal()
	if err := <-ended; err == nil {
		t.Error("it does not say that it was ended")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A killed process may take a moment.
	for range 500 {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the test is still there: %v", err)
}
