// Package stubborn has a test that does not end by itself, whatever it is told (../../main_test.go).
package stubborn

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

func TestStubborn(t *testing.T) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	file, err := os.Create(os.Getenv("STUBBORN_LOCK"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("locked"); err != nil {
		t.Fatal(err)
	}
	for {
		syscall.Pause()
	}
}
