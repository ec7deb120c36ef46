// Package pager shows long lists page by page to a person at a terminal.
package pager

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Command is the pager that the person wants: PAGER, or less where it is installed; nil: none.
func Command(getenv func(string) string, lookup func(string) (string, bool)) []string {
	words := []string{"less", "-FRX"}
	if asked, said := lookup("PAGER"); said {
		words = strings.Fields(asked)
	}
	if len(words) == 0 || words[0] == "cat" || getenv("TERM") == "dumb" || getenv("TERM") == "" {
		return nil
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return nil
	}
	return words
}

// Start begins to show what is written. Close waits until the person has read it. A person who reads no
// further is no error: what is written then is dropped.
func Start(command []string, out, talk *os.File) (io.WriteCloser, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, talk
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &paged{in: in, cmd: cmd}, nil
}

type paged struct {
	in   io.WriteCloser
	cmd  *exec.Cmd
	gone bool
}

func (p *paged) Write(text []byte) (int, error) {
	if p.gone {
		return len(text), nil
	}
	n, err := p.in.Write(text)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		p.gone = true
		return len(text), nil
	}
	return n, err
}

func (p *paged) Close() error {
	_ = p.in.Close() // it may be gone
	_ = p.cmd.Wait() // how a pager ends is the person's business
	return nil
}
